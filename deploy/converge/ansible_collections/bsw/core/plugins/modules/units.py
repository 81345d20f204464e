#!/usr/bin/python
"""Bring units into their declared states: start, restart or reload those concerned, wait until each is ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Start, restart or reload exactly the units whose files changed
description:
  - Reads which units the configure stage wanted restarted or reloaded (C(/var/lib/bsw/pending.json)).
  - Works in the declared order; daemons that stand next to each other start at once. Waits until each is ready; for
    those that are slow to start and that no other unit needs, at the end of all.
options:
  units: {description: Units in start order., type: list, elements: dict, required: true}
  last: {description: Whether these are the units that need other hosts' units., type: bool, default: false}
  converged: {description: What to record once all is well (with C(last)); nothing after a partial run., type: dict}
author: The BSW developers
"""

import contextlib
import json
import shlex
import socket
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bsw.core.plugins.module_utils import record

READY_SECONDS = 60


class Units:
    """The units of a host and what happened to them."""

    def __init__(self, module, units, pending):
        self.module = module
        self.units = units
        self.pending = pending
        self.done = []

    def systemctl(self, *arguments):
        """Run systemctl; fail with the daemon's own last words."""
        rc, out, err = self.module.run_command(["systemctl", *arguments])
        if rc:
            self.fail(arguments[-1], (err or out).strip())
        return out

    def fail(self, unit, what):
        """End the run: which unit, what happened, the daemon's own message."""
        _rc, journal, _err = self.module.run_command(
            ["journalctl", "-u", unit, "-n", "15", "--no-pager", "-o", "cat", "--since", "-3min"]
        )
        said = what.splitlines()[0] if what else "failed"
        self.module.fail_json(msg=f"{unit}: {said}", unit=unit, journal=journal.strip())

    def state(self):
        """Properties of every unit, by name."""
        properties = "Id,LoadState,UnitFileState,ActiveState,Result"
        names = [unit["name"] for unit in self.units]
        if not names:
            return {}
        out = self.systemctl("show", "-p", properties, *names)
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
        return dict(zip(names, blocks, strict=True))

    def arrange(self):
        """Definitions re-read; masked, enabled and stopped as declared, each kind in one call."""
        self.systemctl("daemon-reload")
        state = self.state()
        by_state = {
            kind: [u["name"] for u in self.units if u.get("state", "started") == kind]
            for kind in ("started", "stopped", "masked")
        }
        absent = {name for name, now in state.items() if now["LoadState"] == "not-found"}
        masked = [name for name in by_state["masked"] if state[name]["LoadState"] != "masked" and name not in absent]
        unmasked = [name for name in by_state["started"] if state[name]["LoadState"] == "masked"]
        enabled = [
            u["name"] for u in self.units
            if u["name"] in by_state["started"] and u.get("enabled", True)
            and state[u["name"]]["UnitFileState"] == "disabled"
        ]  # fmt: skip
        stopped = [
            name for name in (*by_state["stopped"], *by_state["masked"])
            if state[name]["ActiveState"] in ("active", "activating") or state[name]["UnitFileState"] == "enabled"
        ]  # fmt: skip
        for verb, names in (
            (("disable", "--now", "-q"), [n for n in stopped if n not in absent]), (("mask", "-q"), masked),
            (("unmask", "-q"), unmasked), (("enable", "-q"), enabled),
        ):  # fmt: skip
            if names:
                self.systemctl(*verb, *names)
                self.done += [f"{verb[0]} {name}" for name in names]
        if unmasked:
            self.systemctl("daemon-reload")

    def settle(self, units):
        """Start, restart or reload those that need it, all at once: systemd keeps its own order; then wait for each."""
        due = [(unit["name"], verb, unit) for unit in units if (verb := self.due(unit))]
        for verb in ("restart", "start", "reload-or-restart"):
            names = [name for name, wanted, _unit in due if wanted == verb]
            if names:
                self.module.run_command(["systemctl", "reset-failed", *names])
                self.act(verb, names)
        for name, verb, unit in due:
            if not unit.get("slow"):
                self.await_ready(unit)
            self.done.append(f"{verb} {name}")

    def due(self, unit):
        """What has to be done with a unit; empty if nothing."""
        name = unit["name"]
        now = self.state_of(name)
        if now["LoadState"] != "loaded":
            self.fail(name, f"unit is {now['LoadState']}")
        if name in self.pending["restart"] or (unit.get("oneshot") and self.oneshot_due(unit, now)):
            return "restart"
        if now["ActiveState"] not in ("active", "reloading") and not unit.get("oneshot"):
            return "start"
        return "reload-or-restart" if name in self.pending["reload"] else ""

    def act(self, verb, names):
        """One systemctl call for all; if it fails, the unit that failed is the one to name."""
        rc, out, err = self.module.run_command(["systemctl", verb, *names])
        if rc:
            failed = [name for name in names if self.state_of(name)["ActiveState"] == "failed"]
            self.fail((failed or names)[0], (err or out).strip())

    def oneshot_due(self, unit, now):
        """A one-shot runs when its files changed, when it failed, or when it never ran."""
        return unit["name"] in self.pending["reload"] or now["Result"] != "success" or not self.has_run(unit["name"])

    def has_run(self, name):
        """Whether the unit has run since the host booted."""
        out = self.systemctl("show", "-p", "ExecMainExitTimestampMonotonic", "-p", "ActiveState", name)
        shown = dict(line.split("=", 1) for line in out.split())
        return shown.get("ActiveState") == "active" or shown.get("ExecMainExitTimestampMonotonic", "0") != "0"

    def state_of(self, name):
        """Properties of one unit, fresh."""
        properties = "LoadState,ActiveState,Result,ConditionResult,ConditionTimestampMonotonic"
        out = self.systemctl("show", "-p", properties, name)
        return dict(line.split("=", 1) for line in out.splitlines())

    def await_ready(self, unit):
        """Wait until the unit answers as declared; a unit that failed ends the wait at once."""
        deadline = time.monotonic() + READY_SECONDS
        ready = unit.get("ready") or {}
        while True:
            now = self.state_of(unit["name"])
            if now["ActiveState"] == "failed":
                self.fail(unit["name"], f"failed ({now['Result']})")
            # systemd forgets a static one-shot that has run: then its condition was never looked at
            looked = now.get("ConditionTimestampMonotonic") != "0"
            if now["ActiveState"] == "inactive" and looked and now["ConditionResult"] == "no":
                self.fail(unit["name"], "does not start: a condition of its own is not met")
            up = now["ActiveState"] == "active" or (unit.get("oneshot") and now["ActiveState"] == "inactive")
            if up and self.answers(ready):
                return
            if time.monotonic() > deadline:
                self.fail(unit["name"], f"is not ready after {READY_SECONDS} s: waited for {ready or 'active'}")
            time.sleep(0.05)

    def answers(self, ready):
        """Whether a port, a socket or a command answers."""
        if "port" in ready:
            return any(self.connects(address, int(ready["port"])) for address in self.addresses())
        if "socket" in ready:
            with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
                client.connect(ready["socket"])
                return True
            return False
        if "command" in ready:
            return self.module.run_command(shlex.split(ready["command"]))[0] == 0
        return True

    def addresses(self):
        """Loopback, then the host's own addresses."""
        _rc, out, _err = self.module.run_command(["ip", "-json", "addr", "show", "scope", "global"])
        own = [a["local"] for link in json.loads(out or "[]") for a in link.get("addr_info", []) if "local" in a]
        return ["127.0.0.1", "::1", *own]

    @staticmethod
    def connects(address, port):
        """Whether a TCP connection can be made."""
        try:
            socket.create_connection((address, port), timeout=2).close()
        except OSError:
            return False
        return True


def together(units):
    """Neighbours in the declared order that may start at once: daemons; a one-shot prepares what comes after it."""
    groups = []
    for unit in units:
        if groups and not unit.get("oneshot") and not groups[-1][-1].get("oneshot"):
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def main():
    """Entry point."""
    module = AnsibleModule(
        {
            "units": {"type": "list", "elements": "dict", "required": True},
            "last": {"type": "bool", "default": False},
            "converged": {"type": "dict"},
        }
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8"}
    pending = record.pending()
    units = Units(module, module.params["units"], pending)
    if not module.params["last"]:
        units.arrange()
    now = [
        unit for unit in module.params["units"]
        if unit.get("state", "started") == "started" and bool(unit.get("last")) == module.params["last"]
    ]  # fmt: skip
    for neighbours in together(now):
        units.settle(neighbours)
    if module.params["last"]:
        for unit in module.params["units"]:
            if unit.get("slow") and unit.get("state", "started") == "started":
                units.await_ready(unit)
        if module.params["converged"]:
            record.ended({**module.params["converged"], "at": int(time.time())})
        record.forget()
    module.exit_json(changed=bool(units.done), units=units.done, files=pending["files"])


if __name__ == "__main__":
    main()
