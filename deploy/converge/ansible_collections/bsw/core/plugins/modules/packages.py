#!/usr/bin/python
"""One apt transaction from the signed source, with services held back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install and upgrade packages in one transaction, without starting any service
description:
  - Writes the package source, answers the packages' questions, installs what is missing, upgrades what is outdated.
  - The units of what is upgraded, and of whatever depends on it, are written down to be restarted before it begins.
  - A policy-rc.d denies every start while packages are configured, since their own configuration is not there yet.
options:
  source: {description: Text of the package source (deb822)., type: str, required: true}
  names: {description: Packages to install., type: list, elements: str, required: true}
  outdated: {description: Installed packages that are newer in the source., type: list, elements: str, default: []}
  units: {description: The daemons of the roles that declare each package., type: dict, default: {}}
  debconf: {description: Answers, one line each (debconf-set-selections)., type: list, elements: str, default: []}
author: The BSW developers
"""

import contextlib
import fcntl
import os
import re
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bsw.core.plugins.module_utils import record

SOURCE = "/etc/apt/sources.list.d/bsw.sources"
LOCK = "/run/bsw-packages.lock"
POLICY = "/usr/sbin/policy-rc.d"
POLICY_TEXT = "#!/bin/sh\n# bsw: services start once they are configured\nexit 101\n"
APT = [
    "apt-get", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confdef",
    "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Color=0",
    "-o", "DPkg::Lock::Timeout=120",
]  # fmt: skip
ONLY_OURS = ["-o", "Dir::Etc::sourcelist=" + SOURCE, "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=0"]


def run(module, command, **options):
    """Run a command; on failure say what apt or dpkg said, the file first."""
    rc, out, err = module.run_command(command, **options)
    if rc:
        lines = (err + out).splitlines()
        complaints = [line for line in lines if re.match(r"(E:|W: .*(hash|sign)|dpkg: error)", line, re.I)]
        # apt names the file in the line above its reason
        reasons = [line.strip() for line in lines if re.search(r"mismatch|unexpected size|Hashsum", line, re.I)]
        said = " ".join(dict.fromkeys((complaints or (err or out).strip().splitlines()[-3:]) + reasons[:1]))
        module.fail_json(msg=said, command=" ".join(command[:1]))
    return out


@contextlib.contextmanager
def alone():
    """Wait for a run whose controller was killed: it goes on here until it is done."""
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def services_held_back():
    """Deny every service start and restart that a package's scripts ask for."""
    with open(POLICY, "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as policy:
        policy.write(POLICY_TEXT)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(POLICY)


def finish_interrupted(module, timeout=120):
    """Let dpkg finish what an earlier run began; that run's dpkg may still hold the lock."""
    deadline = time.monotonic() + timeout
    while module.run_command(["dpkg", "--configure", "-a"])[0] and time.monotonic() < deadline:
        time.sleep(1)


def affected(module, outdated):
    """The outdated packages and every installed one that depends on them, over however many steps.

    A daemon runs on its libraries' and its interpreter's old files until it is restarted.
    """
    fields = "${Package}\t${Depends}, ${Pre-Depends}\t${Provides}\n"
    known = [line.split("\t") for line in run(module, ["dpkg-query", "-W", "-f", fields]).splitlines()]
    needs = {name: names_in(depends) for name, depends, _provides in known}
    provides = {name: {name, *names_in(provided)} for name, _depends, provided in known}
    found, news = set(), set(outdated)
    while news:
        found |= news
        changed = set().union(*(provides.get(name, {name}) for name in news))
        news = {name for name, needed in needs.items() if needed & changed} - found
    return found


def running(module, units):
    """Those of the units that have a process: the others have nothing old in their memory."""
    if not units:
        return []
    blocks = run(module, ["systemctl", "show", "-p", "MainPID", *units]).strip().split("\n\n")
    return [unit for unit, block in zip(units, blocks, strict=True) if block != "MainPID=0"]


def names_in(relation):
    """The packages that a relation speaks of, alternatives included, without versions and architectures."""
    return {name for part in re.split(r"[,|]", relation) if (name := re.split(r"[\s(:]", part.strip())[0])}


def main():
    """Entry point."""
    module = AnsibleModule(
        {
            "source": {"required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "outdated": {"type": "list", "elements": "str", "default": []},
            "units": {"type": "dict", "default": {}},
            "debconf": {"type": "list", "elements": "str", "default": []},
        }
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    started, outdated = time.monotonic(), module.params["outdated"]
    with open(SOURCE, "w") as source:
        source.write(module.params["source"])
    with alone(), services_held_back():
        finish_interrupted(module)
        run(module, [*APT, *ONLY_OURS, "update"])
        if module.params["debconf"]:
            run(module, ["debconf-set-selections"], data="\n".join(module.params["debconf"]) + "\n")
        if outdated:
            concerned = affected(module, outdated)
            units = {unit for name, units in module.params["units"].items() if name in concerned for unit in units}
            record.remember(restart=running(module, sorted(units)))
        # not `install` with the outdated ones' names: libraries would no longer count as there for others only
        run(module, [*APT, *ONLY_OURS, "dist-upgrade" if outdated else "install", *module.params["names"]])
        run(module, [*APT, "clean"])
    module.exit_json(changed=True, seconds=round(time.monotonic() - started, 1))


if __name__ == "__main__":
    main()
