"""Where things lie in a bundle."""

from __future__ import annotations

from deploy.bundle.index import SUITE, packages_path

LOCK = "bundle.lock"
POOL = "apt/pool"
FILES = "files"
RELEASE = f"apt/dists/{SUITE}/InRelease"


def index(architecture: str) -> str:
    """Return where Packages lies in the bundle."""
    return f"apt/dists/{SUITE}/{packages_path(architecture)}"
