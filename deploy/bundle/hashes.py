"""SHA-256, of text in memory and of many files at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the SHA-256 of each file, computed on all cores."""
    paths = list(paths)
    with ThreadPoolExecutor() as threads:
        return dict(zip(paths, threads.map(digest, paths), strict=True))
