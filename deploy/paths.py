"""Where the toolkit keeps what is not in the repository."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
ROLES = REPOSITORY / "roles"
COLLECTIONS = REPOSITORY / "deploy" / "converge"

CACHE = Path(os.environ.get("BSW_CACHE", "/var/cache/bsw"))
"""What can be made again: the lab's base image, the bundle."""

RUN = Path(os.environ.get("BSW_RUN", "/run/bsw"))
"""What ends with the machine's uptime: the lab."""

CONFIG = Path(os.environ.get("BSW_CONFIG", "~/.config/bsw")).expanduser()
"""What must not be lost: the vault keys, the bundle's signing key."""
