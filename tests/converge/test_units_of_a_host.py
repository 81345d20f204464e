"""Units: what is wrong with them, and exactly those starts, restarts and reloads that mend it."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.converge.engine import Answer, FakeModule, plugin, record, result_of

RUNNING = {
    "LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active", "Result": "success",
    "ConditionResult": "yes", "ExecMainExitTimestampMonotonic": "0",
}  # fmt: skip
STOPPED = RUNNING | {"ActiveState": "inactive"}
DISABLED = STOPPED | {"UnitFileState": "disabled"}
FAILED = RUNNING | {"ActiveState": "failed", "Result": "exit-code"}
MASKED = {"LoadState": "masked", "UnitFileState": "masked", "ActiveState": "inactive", "Result": "success"}
UNKNOWN = {"LoadState": "not-found", "UnitFileState": "", "ActiveState": "inactive", "Result": "success"}
RAN = STOPPED | {"ExecMainExitTimestampMonotonic": "12345"}

rootfs = plugin("modules", "rootfs")


# ---- what is wrong with a unit


@pytest.mark.parametrize(
    ("declared", "now", "wrong"),
    [
        ({}, RUNNING, ""),
        ({}, STOPPED, "inactive"),
        ({}, FAILED, "failed"),
        ({}, RUNNING | {"UnitFileState": "disabled"}, "disabled"),
        ({"enabled": False}, RUNNING | {"UnitFileState": "disabled"}, ""),
        ({}, RUNNING | {"UnitFileState": "static"}, ""),
        ({}, MASKED, "masked"),
        ({}, UNKNOWN, "not-found"),
        ({"state": "stopped"}, STOPPED | {"UnitFileState": "disabled"}, ""),
        ({"state": "stopped"}, RUNNING, "running"),
        ({"state": "stopped"}, RUNNING | {"ActiveState": "activating"}, "running"),
        ({"state": "stopped"}, STOPPED, "enabled"),
        ({"state": "stopped"}, UNKNOWN, ""),
        ({"state": "stopped"}, MASKED, ""),
        ({"state": "masked"}, MASKED, ""),
        ({"state": "masked"}, UNKNOWN, ""),
        ({"state": "masked"}, RUNNING, "not masked"),
        ({"state": "masked"}, MASKED | {"ActiveState": "active"}, "not masked"),
        ({"oneshot": True}, STOPPED, ""),
        ({"oneshot": True}, FAILED, "failed"),
        ({"oneshot": True}, STOPPED | {"Result": "exit-code"}, "failed"),
    ],
)
def test_a_unit_is_in_order_or_says_what_is_wrong(declared: dict[str, Any], now: dict[str, str], wrong: str) -> None:
    assert rootfs.complaint({"name": "app.service"} | declared, now) == wrong


def test_all_units_of_a_host_are_looked_at_in_one_call() -> None:
    shown = "\n\n".join("\n".join(f"{k}={v}" for k, v in now.items()) for now in (RUNNING, FAILED)) + "\n"
    module = FakeModule(lambda _: (0, shown, ""))
    units = [{"name": "web.service"}, {"name": "app.service"}]
    assert rootfs.unsettled_units(module, units) == {"app.service": "failed"}
    assert len(module.commands) == 1
    assert rootfs.unsettled_units(FakeModule(), []) == {}


# ---- mending it


class Systemd:
    """Answers as systemctl does, over a table of units; keeps what was asked of it."""

    def __init__(self, **units: dict[str, str]) -> None:
        self.units = {f"{name}.service": dict(now) for name, now in units.items()}
        self.done: list[str] = []
        self.journal = ""
        self.ready = 0

    def __call__(self, command: list[str]) -> Answer:
        program, *arguments = command
        if program == "journalctl":
            return 0, self.journal, ""
        if program != "systemctl":
            return self.ready, "", ""
        if arguments[0] == "show":
            names = [name for name in arguments if name in self.units]
            return 0, "\n\n".join("\n".join(f"{k}={v}" for k, v in self.units[name].items()) for name in names), ""
        if arguments[0] not in ("reset-failed", "daemon-reload"):
            self.done.append(" ".join(arguments))
        return self._act(arguments[0], [name for name in arguments if name in self.units])

    def _act(self, verb: str, names: list[str]) -> Answer:
        for name in names:
            now = self.units[name]
            if verb in ("start", "restart", "reload-or-restart") and now["ActiveState"] != "failed":
                now["ActiveState"] = "active"
            if verb == "reset-failed":
                now |= {"ActiveState": "inactive", "Result": "success"}
        return 0, "", ""


class Host:
    """The module on a host with those units."""

    def __init__(self, directory: Path, systemd: Systemd) -> None:
        self.module = plugin("modules", "units")
        self.systemd = systemd
        self.pending, self.converged = Path(record.PENDING), Path(record.CONVERGED)
        self.pending.parent.mkdir()
        self.module.__dict__["AnsibleModule"] = self._made
        self._given: dict[str, Any] = {}

    def notify(self, **pending: list[str]) -> None:
        self.pending.write_text(json.dumps({"restart": [], "reload": [], "files": []} | pending))

    def run(
        self, *units: dict[str, Any], last: bool = False, converged: dict[str, str] | None = None
    ) -> dict[str, Any]:
        self._given = {"units": list(units), "last": last, "converged": converged}
        return result_of(lambda _: self.module.main(), FakeModule())

    def _made(self, _specification: object) -> FakeModule:
        return FakeModule(self.systemd, **self._given)


def app(**more: Any) -> dict[str, Any]:
    return {"name": "app.service"} | more


def host_with(directory: Path, **units: dict[str, str]) -> Host:
    return Host(directory, Systemd(**units))


def test_a_unit_that_runs_and_that_nobody_notified_is_left_alone(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING)
    assert host.run(app()) == {"changed": False, "units": [], "files": []}
    assert host.systemd.done == []


def test_a_unit_that_does_not_run_is_started(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=STOPPED)
    assert host.run(app())["units"] == ["start app.service"]


def test_a_disabled_unit_is_enabled_before_it_is_started(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=DISABLED)
    assert host.run(app())["units"] == ["enable app.service", "start app.service"]
    assert host.systemd.done[0] == "enable -q app.service"


def test_a_unit_that_is_not_to_be_enabled_is_only_started(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=DISABLED)
    assert host.run(app(enabled=False))["units"] == ["start app.service"]


def test_only_the_notified_unit_is_restarted(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING, web=RUNNING)
    host.notify(restart=["web.service"], files=["/etc/web.conf"])
    said = host.run(app(), {"name": "web.service"})
    assert said == {"changed": True, "units": ["restart web.service"], "files": ["/etc/web.conf"]}


def test_a_reload_reloads(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING)
    host.notify(reload=["app.service"])
    assert host.run(app())["units"] == ["reload-or-restart app.service"]


def test_a_restart_beats_a_reload(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING)
    host.notify(reload=["app.service"], restart=["app.service"])
    assert host.run(app())["units"] == ["restart app.service"]


def test_a_stopped_unit_that_was_to_be_reloaded_is_started_once(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=STOPPED)
    host.notify(reload=["app.service"])
    assert host.run(app())["units"] == ["start app.service"]


def test_units_are_brought_up_in_their_declared_order(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=STOPPED, web=STOPPED)
    assert host.run({"name": "web.service"}, app())["units"] == ["start web.service", "start app.service"]


def test_a_unit_that_should_be_stopped_is_stopped_and_disabled_and_not_restarted(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING)
    host.notify(restart=["app.service"])
    assert host.run(app(state="stopped"))["units"] == ["disable app.service"]
    assert host.systemd.done == ["disable --now -q app.service"]


def test_a_unit_that_should_be_masked_is_stopped_and_masked(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING)
    assert host.run(app(state="masked"))["units"] == ["disable app.service", "mask app.service"]


def test_a_unit_that_does_not_exist_needs_no_mask(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=UNKNOWN, web=MASKED)
    assert host.run(app(state="masked"), {"name": "web.service", "state": "masked"})["units"] == []


def test_a_masked_unit_that_is_wanted_is_unmasked_and_read_again(tmp_path: Path) -> None:
    class Unmasking(Systemd):
        def _act(self, verb: str, names: list[str]) -> Answer:
            if verb == "unmask":
                self.units["app.service"] = dict(STOPPED)
            return super()._act(verb, names)

    host = Host(tmp_path, Unmasking(app=MASKED))
    assert host.run(app())["units"] == ["unmask app.service", "start app.service"]


def test_a_wanted_unit_that_does_not_exist_ends_the_run_with_its_name(tmp_path: Path) -> None:
    said = host_with(tmp_path, app=UNKNOWN).run(app())
    assert said["failed"]
    assert said["msg"] == "app.service: unit is not-found"


def test_a_host_without_units_is_in_order(tmp_path: Path) -> None:
    assert host_with(tmp_path).run() == {"changed": False, "units": [], "files": []}


# ---- one-shots


@pytest.mark.parametrize(
    ("now", "notified", "due"),
    [
        (RAN, {}, False),
        (RAN, {"reload": ["app.service"]}, True),
        (RAN, {"restart": ["app.service"]}, True),
        (RAN | {"Result": "exit-code"}, {}, True),
        (STOPPED, {}, True),
        (RUNNING, {}, False),
    ],
    ids=["it ran", "its files changed", "it was notified", "it failed", "it never ran", "it remains after its exit"],
)
def test_a_one_shot_runs_when_it_is_due(
    tmp_path: Path, now: dict[str, str], notified: dict[str, list[str]], *, due: bool
) -> None:
    host = host_with(tmp_path, app=now)
    host.notify(**notified)
    assert host.run(app(oneshot=True))["units"] == (["restart app.service"] if due else [])


def test_a_one_shot_is_done_when_it_is_inactive_again(tmp_path: Path) -> None:
    class Finishing(Systemd):
        def _act(self, verb: str, names: list[str]) -> Answer:
            return 0, "", ""

    assert Host(tmp_path, Finishing(app=STOPPED)).run(app(oneshot=True))["units"] == ["restart app.service"]


# ---- waiting


def test_a_unit_that_fails_ends_the_wait_at_once_with_the_daemons_own_words(tmp_path: Path) -> None:
    class Failing(Systemd):
        def _act(self, verb: str, names: list[str]) -> Answer:
            if verb == "start":
                self.units["app.service"] |= {"ActiveState": "failed", "Result": "exit-code"}
            return 0, "", ""

    systemd = Failing(app=STOPPED)
    systemd.journal = "app[7]: cannot bind to port 25\n"
    said = Host(tmp_path, systemd).run(app(ready={"port": 1}))
    assert said == {
        "failed": True, "msg": "app.service: failed (exit-code)", "unit": "app.service",
        "journal": "app[7]: cannot bind to port 25",
    }  # fmt: skip


def test_a_start_that_systemd_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    class Refusing(Systemd):
        def _act(self, verb: str, names: list[str]) -> Answer:
            return (1, "", "Job for app.service failed.\nSee the journal.\n") if verb == "start" else (0, "", "")

    assert Host(tmp_path, Refusing(app=STOPPED)).run(app())["msg"] == "app.service: Job for app.service failed."


def test_a_condition_that_is_not_met_ends_the_wait_at_once(tmp_path: Path) -> None:
    class Unwilling(Systemd):
        def _act(self, verb: str, names: list[str]) -> Answer:
            return 0, "", ""

    unmet = STOPPED | {"ConditionResult": "no", "ConditionTimestampMonotonic": "4711"}
    host = Host(tmp_path, Unwilling(app=unmet))
    host.module.__dict__["READY_SECONDS"] = 3600
    assert host.run(app())["msg"] == "app.service: does not start: a condition of its own is not met"


def test_a_one_shot_that_systemd_has_forgotten_after_its_run_is_done(tmp_path: Path) -> None:
    class Forgetful(Systemd):
        def _act(self, verb: str, names: list[str]) -> Answer:
            return 0, "", ""

    forgotten = STOPPED | {"ConditionResult": "no", "ConditionTimestampMonotonic": "0"}
    assert Host(tmp_path, Forgetful(app=forgotten)).run(app(oneshot=True))["units"] == ["restart app.service"]


def test_a_unit_that_never_answers_is_named_with_what_was_waited_for(tmp_path: Path) -> None:
    systemd = Systemd(app=STOPPED)
    systemd.ready = 1
    host = Host(tmp_path, systemd)
    host.module.__dict__["READY_SECONDS"] = 0
    said = host.run(app(ready={"command": "app-ping --local"}))
    assert said["msg"] == "app.service: is not ready after 0 s: waited for {'command': 'app-ping --local'}"


def test_a_unit_is_ready_when_its_command_succeeds(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=STOPPED)
    assert host.run(app(ready={"command": "app-ping --local"}))["units"] == ["start app.service"]


def _units(module: ModuleType, addresses: str = "[]") -> Any:
    return module.Units(FakeModule(lambda _: (0, addresses, "")), [], {})


def test_a_port_is_ready_on_loopback_or_any_own_address() -> None:
    module = plugin("modules", "units")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _units(module).answers({"port": port})
    assert not _units(module).answers({"port": port})
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        own = json.dumps([{"addr_info": [{"local": "127.0.0.2"}]}, {}])
        assert not _units(module).answers({"port": port})
        assert _units(module, own).answers({"port": port})


def test_a_socket_is_ready_when_somebody_listens(tmp_path: Path) -> None:
    units, path = _units(plugin("modules", "units")), str(tmp_path / "socket")
    assert not units.answers({"socket": path})
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        assert not units.answers({"socket": path})
        server.listen()
        assert units.answers({"socket": path})


# ---- the two passes, and what is recorded


def test_units_that_need_other_hosts_wait_for_the_last_pass(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=STOPPED, web=STOPPED)
    host.notify(restart=["web.service"])
    units = (app(), {"name": "web.service", "last": True})
    assert host.run(*units)["units"] == ["start app.service"]
    assert host.pending.exists()
    assert host.run(*units, last=True)["units"] == ["restart web.service"]


def test_a_slow_unit_is_started_with_the_others_and_waited_for_at_the_end(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=STOPPED, web=STOPPED)
    host.systemd.ready = 1
    host.module.__dict__["READY_SECONDS"] = 0
    slow = app(ready={"command": "app-ping"}, slow=True)
    assert host.run(slow, {"name": "web.service"})["units"] == ["start app.service", "start web.service"]
    assert "is not ready" in host.run(slow, {"name": "web.service"}, last=True)["msg"]
    host.systemd.ready = 0
    assert host.run(slow, {"name": "web.service"}, last=True)["units"] == []


def test_the_pending_file_goes_once_all_is_well_and_the_commit_is_recorded(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING)
    host.notify()
    host.run(app(), last=True, converged={"commit": "0123", "declared": "digest"})
    assert not host.pending.exists()
    recorded = json.loads(host.converged.read_text())
    assert recorded | {"at": 0} == {"commit": "0123", "declared": "digest", "at": 0}
    assert stat.S_IMODE(host.converged.stat().st_mode) == 0o600


def test_a_failure_keeps_the_pending_file_for_the_next_run(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=UNKNOWN)
    host.notify(restart=["app.service"])
    assert host.run(app(last=True), last=True, converged={"commit": "0123"})["failed"]
    assert host.pending.exists()
    assert not host.converged.exists()


def test_a_partial_run_records_no_commit(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING)
    host.run(app(), last=True, converged={})
    assert not host.converged.exists()


def test_a_torn_pending_file_notifies_nobody(tmp_path: Path) -> None:
    host = host_with(tmp_path, app=RUNNING)
    host.pending.write_text('{"restart": ["app')
    assert host.run(app())["units"] == []


def test_neighbouring_daemons_start_at_once_and_a_oneshot_by_itself(tmp_path: Path) -> None:
    host = host_with(tmp_path, names=STOPPED, door=STOPPED, prepare=STOPPED, app=STOPPED, web=STOPPED)
    prepare = {"name": "prepare.service", "oneshot": True}
    host.run({"name": "names.service"}, {"name": "door.service"}, prepare, app(), {"name": "web.service"})
    starts = [done for done in host.systemd.done if not done.startswith("enable")]
    assert starts == ["start names.service door.service", "restart prepare.service", "start app.service web.service"]


def test_of_several_that_start_at_once_the_one_that_fails_is_named(tmp_path: Path) -> None:
    class OneFails(Systemd):
        def _act(self, verb: str, names: list[str]) -> Answer:
            if verb != "start":
                return super()._act(verb, names)
            self.units["web.service"]["ActiveState"] = "failed"
            return 1, "", "Job for web.service failed."

    said = Host(tmp_path, OneFails(app=STOPPED, web=STOPPED)).run(app(), {"name": "web.service"})
    assert said["msg"] == "web.service: Job for web.service failed."
