"""Is the bundle what was signed? From the signature down to each file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deploy.bundle import layout
from deploy.bundle.hashes import digests
from deploy.bundle.index import KEY_FIELD, LOCK_FIELD
from deploy.bundle.key import PUBLIC, ForgedError, signed_text
from deploy.bundle.lock import Lock
from deploy.bundle.stanza import stanzas
from deploy.errors import Finding, Refused

_REMEDY = "run `bsw bundle build`; a bundle that was carried here: carry it again"


def verify(bundle: Path, public: str | None = None) -> list[Finding]:
    """Check the signature, and the hash of every file that follows from it.

    Args:
        bundle: the bundle's folder.
        public: the armored key that must have signed. By default the one in the bundle: that proves that nothing broke
            on the way; who made it, only a key that came another way can prove.

    Returns:
        one finding for each file that is wrong, missing or too much, with its path in the bundle; empty: all is well.
    """
    bundle = bundle.resolve()
    findings = list(_signature(bundle, public))
    expected = _by_release(bundle)
    findings += _compare(bundle, expected)
    try:
        files = _by_lock(Lock.read(bundle / layout.LOCK))
    except (OSError, Refused):  # then its hash differs too, and that has been found
        return sorted(findings)
    findings += _compare(bundle, files)
    findings += _extra(bundle, {layout.RELEASE, *expected, *files})
    return sorted(findings)


def _signature(bundle: Path, public: str | None) -> Iterator[Finding]:
    try:
        key = public.encode() if public else (bundle / PUBLIC).read_bytes()
        signed_text((bundle / layout.RELEASE).read_bytes(), key)
    except ForgedError as error:
        yield Finding(layout.RELEASE, str(error), _REMEDY)
    except OSError as error:
        yield Finding(layout.RELEASE, f"cannot be verified: {error.strerror}", _REMEDY)


def _by_release(bundle: Path) -> dict[str, str]:
    """Return path -> SHA-256 as Release says: true if the signature fits, else at least a hint at what is broken."""
    try:
        text = (bundle / layout.RELEASE).read_text(errors="replace")
    except OSError:
        return {}
    release = next((s for s in stanzas(text) if "SHA256" in s), {})
    suite = layout.RELEASE.rpartition("/")[0]
    lines = [line.split() for line in release.get("SHA256", "").splitlines()]
    indexes = {f"{suite}/{line[2]}": line[0] for line in lines if len(line) == 3}
    return indexes | {layout.LOCK: release.get(LOCK_FIELD, ""), PUBLIC: release.get(KEY_FIELD, "")}


def _by_lock(lock: Lock) -> dict[str, str]:
    pool = {f"{layout.POOL}/{package.file}": package.sha256 for package in lock.packages}
    return pool | {f"{layout.FILES}/{archive.file}": archive.sha256 for archive in lock.files}


def _compare(bundle: Path, expected: dict[str, str]) -> Iterator[Finding]:
    present = {path for path in expected if (bundle / path).is_file()}
    found = digests(bundle / path for path in present)
    for path, wanted in expected.items():
        if path not in present:
            yield Finding(path, "missing", _REMEDY)
        elif found[bundle / path] != wanted:
            yield Finding(path, f"its hash is {found[bundle / path]}, not {wanted or 'known'}", _REMEDY)


def _extra(bundle: Path, expected: set[str]) -> Iterator[Finding]:
    present = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if not path.is_dir()}
    for path in present - expected:
        yield Finding(path, "does not belong in the bundle", _REMEDY)
