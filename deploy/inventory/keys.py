"""Which variables may stand at which level of an inventory."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from deploy.errors import Finding
from deploy.inventory.layout import Variables, did_you_mean
from deploy.inventory.model import HostEntry
from deploy.inventory.options import RoleOptions

CONNECTION = frozenset(
    f"ansible_{name}"
    for name in (
        "host",
        "port",
        "user",
        "connection",
        "timeout",
        "pipelining",
        "password",
        "private_key_file",
        "python_interpreter",
        "become",
        "become_method",
        "become_user",
        "become_password",
        "ssh_args",
        "ssh_common_args",
        "ssh_executable",
        "ssh_extra_args",
        "ssh_pipelining",
        "ssh_private_key_file",
        "ssh_retries",
        "ssh_timeout",
        "ssh_transfer_method",
        "ssh_use_tty",
    )
)
"""Ansible's connection variables (ansible-core, ``ssh`` connection plugin)."""


class Level(Enum):
    """Whose variables they are, and the keys of the toolkit's own that belong there."""

    EVERYONE = ("group_vars/all", frozenset({"platform"}))
    ORGANISATION = ("group_vars/<organisation>", frozenset({"organisation", "components"}))
    HOST = ("a host in hosts.yml", frozenset(HostEntry.model_fields) - {"ansible_host"})

    @property
    def place(self) -> str:
        """Where such variables stand."""
        return self.value[0]

    @property
    def keys(self) -> frozenset[str]:
        """The toolkit's own keys of this level."""
        return self.value[1]


def unknown_keys(level: Level, variables: Variables, options: RoleOptions) -> Iterator[Finding]:
    """Variables that nobody would read, or that may not be written where they are."""
    for key, node in variables.items():
        if key.endswith("_secret"):
            yield Finding(
                node.where, f"{key!r} in the open", "remove it; `bsw inventory secrets` keeps secrets encrypted"
            )
        elif key.startswith("bsw_"):
            yield Finding(node.where, f"{key!r} is computed by the toolkit", "remove it")
        elif key not in level.keys | CONNECTION and not options.knows(key):
            yield Finding(node.where, f"unknown key {key!r}", _remedy(key, level, options))


def _remedy(key: str, level: Level, options: RoleOptions) -> str:
    for other in Level:
        if key in other.keys:
            return f"it belongs to {other.place}"
    known = level.keys | CONNECTION | options.specs.keys()
    return did_you_mean(key, sorted(known)) or "remove it, or see docs/reference/inventory.md for the keys"
