"""Which variables may stand at which level of an inventory."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from deploy.errors import Finding
from deploy.inventory.hints import choose
from deploy.inventory.model import HostEntry
from deploy.inventory.options import RoleOptions
from deploy.inventory.variable_files import Variables

CONNECTION = frozenset(
    f"ansible_{name}"
    for name in (
        "host",
        "port",
        "user",
        "connection",
        "timeout",
        "pipelining",
        "private_key_file",
        "python_interpreter",
        "become",
        "become_method",
        "become_user",
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


SECRET_ENDINGS = ("_secret", "_password", "_pass")
"""A variable with such a name is a secret; Ansible's own passwords are."""


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
        if key.endswith(SECRET_ENDINGS):
            yield Finding(
                node.where, f"{key!r} in the open", "move it into the encrypted group_vars/<organisation>/secrets.yml"
            )
        elif key.startswith("bsw_"):
            yield Finding(node.where, f"{key!r} is computed by the toolkit", "remove it")
        elif key not in level.keys | CONNECTION and not options.knows(key):
            yield Finding(node.where, f"unknown key {key!r}", _remedy(key, level, options))
        elif key in CONNECTION and isinstance(node.value, dict | list):
            yield Finding(node.where, f"{key} must be text or a number", "write it on one line")


def _remedy(key: str, level: Level, options: RoleOptions) -> str:
    for other in Level:
        if key in other.keys:
            return f"it belongs to {other.place}"
    known = level.keys | CONNECTION | options.specs.keys()
    return choose(key, sorted(known), "remove it, or see docs/reference/inventory.md for the keys")
