"""Real Debian hosts on this machine, in a network that has no way out.

Each host is systemd-nspawn over one cached base image, in a control group of its own; all of them hang on one bridge in
one network namespace. The controller stays outside and reaches them by ssh (see ``netns-connect``).
"""

from deploy.lab.hosts import LabHost
from deploy.lab.lab import SSH_CONFIG, Status, down, exec_prefix, inside_lab, status, up

__all__ = ["SSH_CONFIG", "LabHost", "Status", "down", "exec_prefix", "inside_lab", "status", "up"]
