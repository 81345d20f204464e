"""The indexes of an apt repository, written from the packages' own control stanzas (DebianRepository/Format)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime
from pathlib import Path

from deploy.bundle.hashes import sha256
from deploy.bundle.lock import Lock, Package
from deploy.bundle.stanza import Stanza, render, stanzas

SUITE = "bsw"
LOCK_FIELD = "Bundle-Lock-SHA256"
"""Field of Release that binds bundle.lock, and with it every file of the bundle, to the signature."""

KEY_FIELD = "Bundle-Key-SHA256"
"""Field of Release that binds the public key's file to the signature."""


def packages_path(architecture: str) -> str:
    """Return where Packages lies, relative to the suite's folder."""
    return f"main/binary-{architecture}/Packages"


def packages(entries: Iterable[tuple[Package, Stanza]]) -> str:
    """Write Packages: each package's own stanza, and where its file lies in our pool."""
    return "\n".join(render(stanza | _place(package)) for package, stanza in entries)


def _place(package: Package) -> Stanza:
    return {"Filename": f"pool/{package.file}", "Size": str(package.size), "SHA256": package.sha256}


def controls(pool: Path, wanted: Iterable[Package]) -> list[tuple[Package, Stanza]]:
    """Read the control stanza out of each .deb: what the hash in the lock covers, whatever a mirror says today."""

    def control(package: Package) -> tuple[Package, Stanza]:
        command = ["dpkg-deb", "--field", str(pool / package.file)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return package, next(stanzas(text))

    with ThreadPoolExecutor() as threads:
        return list(threads.map(control, wanted))


def release(lock: Lock, indexes: Mapping[str, bytes], public: bytes) -> str:
    """Write Release.

    It has no Valid-Until: a bundle is carried to places without a network and stays good until the next one is made.

    Args:
        lock: what the bundle is made from.
        indexes: contents by path relative to the suite's folder.
        public: the file of the public key.
    """
    fields = {
        "Origin": SUITE,
        "Label": SUITE,
        "Suite": SUITE,
        "Codename": SUITE,
        "Date": format_datetime(lock.when, usegmt=True).replace("GMT", "UTC"),
        "Architectures": lock.architecture,
        "Components": "main",
        LOCK_FIELD: lock.digest(),
        KEY_FIELD: sha256(public),
        "SHA256": "".join(f"\n {sha256(data)} {len(data)} {path}" for path, data in sorted(indexes.items())),
    }
    return render(fields)
