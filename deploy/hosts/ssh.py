"""The ssh command line to a host, from its inventory variables (Ansible's own names)."""

from __future__ import annotations

import shlex

from deploy.inventory import Host


def command(host: Host, *options: str) -> list[str]:
    """The ssh command to a host, to which a remote command may be appended.

    Args:
        host: whose ``ansible_host``, ``ansible_user``, ``ansible_port``, ``ansible_ssh_private_key_file`` and
            ``ansible_ssh_common_args`` are followed.
        options: further options of ssh(1).
    """
    variables = host.variables
    line = ["ssh", *shlex.split(str(variables.get("ansible_ssh_common_args", ""))), "-o", "BatchMode=yes"]
    line += ["-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR", *options]
    for option, variable in (("-p", "ansible_port"), ("-i", "ansible_ssh_private_key_file"), ("-l", "ansible_user")):
        if variable in variables:
            line += [option, str(variables[variable])]
    return [*line, host.ansible_host or host.ipv4]
