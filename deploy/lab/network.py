"""The lab's network: one namespace, one bridge, no way out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from deploy.errors import Finding, Refused

NAMESPACE = "bsw"
BRIDGE = "br0"
CONTROLLER = ("198.18.10.1", "fd00:18:10::1")
RESOLVER = "198.18.10.53"
"""Where the lab's network finds names: the second address of the host `outside`."""
PREFIX = (24, 64)

INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 1024


def up() -> None:
    """Make the namespace and its bridge if they are not there, and make sure that nothing can leave.

    Raises:
        Refused: if the namespace has a way out.
    """
    _raise_inotify_limit()
    if not exists():
        _ip("netns", "add", NAMESPACE)
        batch = [
            f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0",
            f"addr add {CONTROLLER[0]}/{PREFIX[0]} dev {BRIDGE}",
            f"addr add {CONTROLLER[1]}/{PREFIX[1]} dev {BRIDGE} nodad",
            "link set lo up",
            f"link set {BRIDGE} up",
        ]
        _ip("-n", NAMESPACE, "-batch", "-", batch="\n".join(batch) + "\n")
    assert_isolated()


def forget_neighbours() -> None:
    """A new host may have the address of one that is gone, but never its hardware address."""
    _ip("-n", NAMESPACE, "neigh", "flush", "all")


def down() -> None:
    """Remove the namespace with everything in it."""
    if exists():
        _ip("netns", "del", NAMESPACE)


def exists() -> bool:
    """Whether the lab's namespace is there."""
    return Path("/run/netns", NAMESPACE).exists()


def assert_isolated() -> None:
    """Refuse if the namespace has any link but its own bridge, or a default route of either family.

    Raises:
        Refused: naming the link or route that leads out.
    """
    links = {link["ifname"] for link in json.loads(_ip("-n", NAMESPACE, "-json", "link"))}
    foreign = sorted(name for name in links if name not in ("lo", BRIDGE) and not name.startswith("vb-"))
    routes = [
        route for family in ("-4", "-6")
        for route in json.loads(_ip("-n", NAMESPACE, family, "-json", "route", "show", "default") or "[]")
    ]  # fmt: skip
    if foreign or routes:
        leak = f"link {foreign[0]}" if foreign else f"default route by {routes[0].get('dev')}"
        raise Refused(Finding(f"namespace {NAMESPACE}", f"the lab has a way out: {leak}", "run: ./bsw lab down"))


def _raise_inotify_limit() -> None:
    """A host takes about five inotify instances; the kernel's default of 128 is full at 24 hosts."""
    if int(INOTIFY_LIMIT.read_text()) < INOTIFY_WANTED:
        INOTIFY_LIMIT.write_text(str(INOTIFY_WANTED))


def _ip(*arguments: str, batch: str | None = None) -> str:
    ip = shutil.which("ip") or "/usr/sbin/ip"
    return subprocess.run([ip, *arguments], input=batch, text=True, check=True, capture_output=True).stdout
