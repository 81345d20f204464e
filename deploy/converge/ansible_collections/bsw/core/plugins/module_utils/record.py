"""What the engine remembers on a host: the units that are still to be notified, and the last deployment that ended.

Preflight sees whether there are these files, and the audit reads them: `deploy/hosts/facts.py` and
`deploy/sovereignty/inside.py` are programs of one file each, which cannot import this one.
"""

from __future__ import annotations

import contextlib
import json
import os

DIRECTORY = os.environ.get("BSW_STATE", "/var/lib/bsw")
PENDING = DIRECTORY + "/pending.json"
CONVERGED = DIRECTORY + "/converged.json"


def pending():
    """Units to restart and to reload, and the files that want it; nothing if the record is absent or torn."""
    return {"restart": [], "reload": [], "files": []} | _read(PENDING)


def is_pending():
    """Whether an earlier run did not come to its end."""
    return os.path.exists(PENDING)


def remember(**more):
    """Add to what is pending, on the disk, before the change that makes it necessary."""
    _write(PENDING, {kind: sorted({*known, *more.get(kind, [])}) for kind, known in pending().items()})


def forget():
    """Nothing is pending any more."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(PENDING)


def converged():
    """The record of the last whole deployment that ended well; empty if it is absent or torn."""
    return _read(CONVERGED)


def ended(about):
    """Write that record."""
    _write(CONVERGED, about)


def _read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _write(path, data):
    """Write atomically, readable by root only."""
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    with open(path + ".new", "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
