"""Running ansible-playbook: its own words when it cannot start, no key left behind, no run without its parent."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.converge import playbook
from deploy.errors import Refused
from deploy.inventory import load, secrets
from tests.conftest import Put


@pytest.fixture
def local(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small inventory, with this machine as its host."""
    secrets.ensure(small)
    (small / "group_vars/all/local.yml").write_text("ansible_connection: local\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANSIBLE_REMOTE_TEMP", str(tmp_path / "tmp"))
    return small


def write(tmp_path: Path, *tasks: dict[str, Any]) -> Path:
    play = {"name": "Try", "hosts": "all", "gather_facts": False, "tasks": list(tasks)}
    file = tmp_path / "try.yml"
    file.write_text(json.dumps([play]))
    return file


def test_a_playbook_that_cannot_start_is_refused_with_ansibles_own_words(local: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        playbook.run(tmp_path / "nowhere.yml", load(local))
    (finding,) = refused.value.findings
    assert finding.where == "ansible-playbook"
    assert "nowhere.yml could not be found" in finding.what


def test_events_tell_tasks_results_and_the_end_with_the_given_variables(local: Path, tmp_path: Path) -> None:
    heard: list[playbook.Event] = []
    tasks: list[dict[str, Any]] = [
        {"name": "Say", "ansible.builtin.debug": {"msg": "{{ given }} for {{ bsw_host.fqdn }}"}},
        {"name": "Hide", "ansible.builtin.debug": {"msg": "hunter2"}, "no_log": True},
        {"name": "Miss", "ansible.builtin.fail": {"msg": "not so bad"}, "ignore_errors": True},
        {"name": "Fail", "ansible.builtin.fail": {"msg": "no such thing"}},
    ]
    code = playbook.run(write(tmp_path, *tasks), load(local), variables={"given": "a word"}, hear=heard.append)
    assert code == 2
    shape = [(event["event"], event.get("task")) for event in heard]
    assert shape == [
        ("task", "Say"), ("ok", "Say"), ("task", "Hide"), ("ok", "Hide"), ("task", "Miss"), ("ignored", "Miss"),
        ("task", "Fail"), ("failed", "Fail"), ("end", None),
    ]  # fmt: skip
    results = {event["task"]: event["result"]["msg"] for event in heard if "result" in event}
    assert results["Say"] == "a word for een.proef.test"
    assert results["Hide"] == "hidden (no_log)"
    assert results["Fail"] == "no such thing"
    assert "hunter2" not in json.dumps(heard)


def test_ansible_does_not_go_on_when_its_listener_gives_up(
    local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    def give_up(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Popen)
    wait = {"name": "Wait", "ansible.builtin.wait_for": {"path": str(tmp_path / "never"), "timeout": 300}}
    with pytest.raises(KeyboardInterrupt):
        playbook.run(write(tmp_path, wait), load(local), hear=give_up)
    (ansible,) = (process for process in started if "ansible-playbook" in str(process.args))
    assert ansible.poll() is not None


# ---- the computed inventory


def test_the_computed_inventory_is_ours_alone_and_goes_when_we_go(local: Path) -> None:
    with playbook._computed(load(local), {"more": "than computed"}) as file:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        een = json.loads(file.read_text())["all"]["hosts"]["een"]
        assert een["bsw_roles"] == ["base", "unbound", "powerdns"]
        assert een["more"] == "than computed"
    assert not file.parent.exists()


def test_the_computed_inventory_goes_after_a_failure_too(local: Path) -> None:
    with pytest.raises(RuntimeError), playbook._computed(load(local), {}) as file:
        raise RuntimeError
    assert not file.parent.exists()


def test_further_variables_beat_computed_ones(local: Path) -> None:
    with playbook._computed(load(local), {"bsw_roles": ["base"]}) as file:
        assert json.loads(file.read_text())["all"]["hosts"]["een"]["bsw_roles"] == ["base"]


def test_connections_that_ansible_would_keep_are_ended(local: Path, program: Put, tmp_path: Path) -> None:
    program("ssh", f'echo "$@" >> {tmp_path}/asked\n')
    with playbook._computed(load(local), {}) as file, socket.socket(socket.AF_UNIX) as master:
        control = file.with_name("0123abcd")
        master.bind(str(control))
    assert (tmp_path / "asked").read_text() == f"-O exit -o ControlPath={control} -\n"


def test_what_may_hold_keys_lies_in_memory_and_what_a_killed_run_left_there_is_swept() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    left = Path(f"/dev/shm/bsw-{ended.pid}-left")
    left.mkdir()
    with playbook.volatile_directory() as ours:
        assert not left.exists()
        assert ours.parent == left.parent
        with playbook.volatile_directory():
            assert ours.exists()
    assert not ours.exists()


# ---- following a file that grows


class Writer:
    """A process that writes a piece each time it is asked whether it has ended."""

    def __init__(self, file: Path, *pieces: str) -> None:
        self._file, self._pieces = file, list(pieces)

    def poll(self) -> int | None:
        if not self._pieces:
            return 0
        with self._file.open("a") as stream:
            stream.write(self._pieces.pop(0))
        return None


def test_an_event_is_heard_once_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.touch()
    writer: Any = Writer(file, '{"event": "ta', "", 'sk"}\n{"event": "end"}\n')
    with file.open() as stream:
        assert [event["event"] for event in playbook._follow(stream, writer)] == ["task", "end"]


def test_what_was_written_just_before_the_end_is_heard(tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_text('{"event": "end"}\n')
    writer: Any = Writer(file)
    with file.open() as stream:
        assert list(playbook._follow(stream, writer)) == [{"event": "end"}]


def test_a_process_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(300)"
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        wait = process.wait
        monkeypatch.setattr(process, "wait", lambda timeout=None: wait(0.05 if timeout else None))
        playbook._end(process)
        assert process.returncode == -9
