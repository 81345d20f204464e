"""Control groups of the lab: a host lives as long as its group has a process, and ends by one write."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
# Where both versions are mounted (hybrid), the second lives below `unified`.
LAB = (_MOUNT / "unified" if (_MOUNT / "unified").is_dir() else _MOUNT) / "bsw"


def enter(host: str) -> None:
    """Move the calling process into the host's own group (made if need be).

    Two hosts started from one group would share one payload group, and their systemds would kill each other's units.
    """
    group = LAB / host
    group.mkdir(parents=True, exist_ok=True)
    (group / "cgroup.procs").write_text("0")


def hosts() -> Iterator[str]:
    """Names of the hosts that have a group, alive or not."""
    if LAB.is_dir():
        yield from sorted(group.name for group in LAB.iterdir() if group.is_dir())


def populated(host: str) -> bool:
    """Whether any process of the host is alive; needs no process id, so survives a lost state file."""
    try:
        return "populated 1" in (LAB / host / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def kill(host: str, timeout: float = 20) -> None:
    """End every process of the host at once (cgroup.kill) and remove its groups.

    Raises:
        TimeoutError: if a process has not ended after ``timeout`` seconds.
    """
    group = LAB / host
    with contextlib.suppress(FileNotFoundError):
        (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + timeout
    while populated(host):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{host}: processes did not end")
        time.sleep(0.01)
    for tree in (group, *_MOUNT.glob(f"*/bsw/{host}")):
        _remove(tree)


def remove_empty() -> None:
    """Remove the lab's own group once no host is left in it, and its shadows in version 1 hierarchies."""
    if not list(hosts()):
        for tree in (LAB, *_MOUNT.glob("*/bsw")):
            _remove(tree)


def _remove(tree: Path) -> None:
    for directory, _, _ in os.walk(tree, topdown=False):
        _rmdir(Path(directory))


def _rmdir(group: Path) -> None:
    for _ in range(100):
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # the kernel lets go of the last zombie a moment later
            time.sleep(0.01)
        else:
            return
