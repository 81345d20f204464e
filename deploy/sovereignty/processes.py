"""Runs ON a host, sent over ssh (Python 3 standard library only): prints the memory of its units as one JSON line.

Changes nothing. ``{unit: bytes}`` is the proportional set size (proc_pid_smaps_rollup(5)) of a unit's processes: pages
that only one process has, and its share of those that several have. Log-in sessions are not services; the one that
brought this program is among them.
"""

import json
import pathlib
import re

PROC = pathlib.Path("/proc")
SESSIONS = "/user.slice/"


def cgroup(process: pathlib.Path) -> str:
    """The control group of a process; empty if it has none that systemd made."""
    lines = (process / "cgroup").read_text().splitlines()
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def unit(group: str) -> str:
    """The unit that a control group belongs to: a service may have groups of its own below it."""
    return next((part for part in group.split("/") if part.endswith((".service", ".scope"))), group or "no unit")


def proportional(process: pathlib.Path) -> int:
    """What a process holds, in bytes; 0 for one of the kernel's."""
    found = re.search(r"^Pss:\s+(\d+) kB$", (process / "smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def units() -> dict[str, int]:
    """Bytes by unit."""
    held: dict[str, int] = {}
    for process in PROC.glob("[0-9]*"):
        try:
            group, size = cgroup(process), proportional(process)
        except (FileNotFoundError, ProcessLookupError):  # it ended; the kernel's own threads have no memory
            continue
        if size and not group.startswith(SESSIONS):
            held[unit(group)] = held.get(unit(group), 0) + size
    return held


if __name__ == "__main__":
    print(json.dumps(units()))
