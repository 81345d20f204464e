"""What the services of every host hold in memory at this moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.inventory import Host, Inventory
from deploy.report.results import Memory
from deploy.sovereignty.asking import NoAnswer, run_there

MIB = 1 << 20
_PROGRAM = Path(__file__).with_name("processes.py")


def memory(inventory: Inventory) -> list[Memory]:
    """Look at every host, all at once; one that does not answer says why."""
    hosts = list(inventory.hosts.values())
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        return list(pool.map(_of, hosts))


def _of(host: Host) -> Memory:
    try:
        held = {str(unit): int(size) for unit, size in run_there(host, _PROGRAM).items()}
    except NoAnswer as why:
        return Memory(host.name, (), str(why))
    largest_first = sorted(held.items(), key=lambda pair: (-pair[1], pair[0]))
    return Memory(host.name, tuple((unit, size / MIB) for unit, size in largest_first))
