"""The ssh command line to a host, from its inventory variables (Ansible's own names)."""

from __future__ import annotations

import shlex

from deploy.inventory import Host


def login(host: Host) -> list[str]:
    """The ssh command with what the inventory says about the connection, without the destination.

    Args:
        host: whose ``ansible_user``, ``ansible_port``, ``ansible_ssh_private_key_file``, ``ansible_ssh_common_args``
            and ``ansible_ssh_extra_args`` are followed.
    """
    line = ["ssh"]
    for option, name in (("-l", "ansible_user"), ("-p", "ansible_port"), ("-i", "ansible_ssh_private_key_file")):
        if host.variables.get(name):
            line += [option, str(host.variables[name])]
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        line += shlex.split(str(host.variables.get(name) or ""))
    return line


def command(host: Host, *options: str) -> list[str]:
    """The ssh command to a host, to which a remote command may be appended; it never asks a question.

    Args:
        host: as for `login`.
        options: further options of ssh(1).
    """
    line = [*login(host), "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR", *options]
    return [*line, host.ansible_host or host.ipv4]
