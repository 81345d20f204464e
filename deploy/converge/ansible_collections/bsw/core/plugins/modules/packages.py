#!/usr/bin/python
"""One apt transaction from the signed source, with services held back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install packages in one transaction, without starting any service
description:
  - Writes the package source, answers the packages' questions, and installs what is missing.
  - A policy-rc.d denies every start while packages are configured, since their own configuration is not there yet.
options:
  source: {description: Text of the package source (deb822)., type: str, required: true}
  names: {description: Packages to install., type: list, elements: str, required: true}
  debconf: {description: Answers, one line each (debconf-set-selections)., type: list, elements: str, default: []}
author: The BSW developers
"""

import contextlib
import fcntl
import os
import re
import time

from ansible.module_utils.basic import AnsibleModule

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


def main():
    """Entry point."""
    module = AnsibleModule(
        {
            "source": {"required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "debconf": {"type": "list", "elements": "str", "default": []},
        }
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    started = time.monotonic()
    with open(SOURCE, "w") as source:
        source.write(module.params["source"])
    with alone(), services_held_back():
        finish_interrupted(module)
        run(module, [*APT, *ONLY_OURS, "update"])
        if module.params["debconf"]:
            run(module, ["debconf-set-selections"], data="\n".join(module.params["debconf"]) + "\n")
        run(module, [*APT, *ONLY_OURS, "install", *module.params["names"]])
        run(module, [*APT, "clean"])
    module.exit_json(changed=True, seconds=round(time.monotonic() - started, 1))


if __name__ == "__main__":
    main()
