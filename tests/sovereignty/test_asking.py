from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.hosts import ssh
from deploy.sovereignty import asking, inside
from deploy.sovereignty.asking import Answer, Question, Said, ask
from tests.sovereignty.world import host

QUESTION = Question("table inet bsw", ("echo yes", "echo no >&2; exit 3"))


def reached_by(monkeypatch: pytest.MonkeyPatch, *command: str) -> None:
    """Let every host be reached by a command of this machine."""
    monkeypatch.setattr(ssh, "command", lambda _host, *_options: list(command))


def test_the_program_travels_whole_and_answers_on_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    reached_by(monkeypatch, "sh", "-c")
    answer = ask([(host("stack"), QUESTION)])["stack"]
    assert isinstance(answer, Answer)
    assert answer.commands["echo yes"] == Said(0, "yes\n", "")
    assert answer.commands["echo no >&2; exit 3"] == Said(3, "", "no\n")
    assert answer.users["0"] == "root"


def test_hosts_are_asked_at_the_same_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each answers only once all three were asked."""
    wait = f'touch {tmp_path}/$0; until [ "$(ls {tmp_path} | wc -l)" = 3 ]; do sleep 0.01; done; exit 7'
    monkeypatch.setattr(ssh, "command", lambda one: ["sh", "-c", wait, one.name])
    answers = ask((host(name), QUESTION) for name in ("stack", "partner", "reserve"))
    assert answers == dict.fromkeys(("stack", "partner", "reserve"), "exit code 7")


def test_a_host_that_cannot_be_reached_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    reached_by(monkeypatch, "sh", "-c", "echo 'ssh: connect to host stack: No route to host' >&2; exit 255")
    assert ask([(host("stack"), QUESTION)]) == {"stack": "ssh: connect to host stack: No route to host"}


def test_a_host_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_SECONDS", 0.05)
    reached_by(monkeypatch, "sh", "-c", "exec sleep 5")
    assert ask([(host("stack"), QUESTION)]) == {"stack": "no answer after 0.05 s"}


@pytest.mark.parametrize("said", ["Welcome!", "{}", "[]"])
def test_an_answer_to_something_else_is_no_answer(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    reached_by(monkeypatch, "sh", "-c", f"echo '{said}'")
    assert "something else" in str(ask([(host("stack"), QUESTION)])["stack"])


def test_without_words_the_exit_code_is_said() -> None:
    assert Said(1, "", " \n").complaint == "exit code 1"


def test_of_a_long_complaint_the_error_and_its_place_are_said() -> None:
    said = (
        "/dev/stdin:55:17-23: Error: User does not exist\n    meta skuid postfix tcp dport 25\n               ^^^^^^^\n"
    )
    assert Said(1, "", said).complaint.endswith("Error: User does not exist meta skuid postfix tcp dport 25")


def test_no_hosts_no_answers() -> None:
    assert ask([]) == {}


def test_inside_a_slow_command_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "SECONDS", 0.05)
    assert inside.run(["sleep", "5"])["code"] == 124


def test_inside_a_program_that_is_not_there_is_said() -> None:
    assert inside.run(["no-such-program"]) == {"code": 127, "out": "", "err": "no-such-program: not found"}


def test_inside_the_records_of_a_deployment_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "converged.json").write_text('{"commit": "abc", "at": 1}')
    monkeypatch.setattr(inside, "STATE", tmp_path)
    monkeypatch.setattr(inside, "run", lambda command, _given="": {"code": 0, "out": " ".join(command), "err": ""})
    seen = inside.look("rules", ["date"])
    assert seen["converged"] == '{"commit": "abc", "at": 1}'
    assert seen["pending"] is None


def test_a_pipe_fails_if_any_part_of_it_does() -> None:
    seen = subprocess.run(
        [sys.executable, str(Path(inside.__file__))],
        input=json.dumps({"rules": "", "commands": ["false | cat"]}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(seen.stdout)["commands"]["false | cat"]["code"] == 1


def test_the_question_is_not_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 1, "", "no")

    monkeypatch.setattr(subprocess, "run", run)
    ask([(host("stack"), Question("some rules", ("some command",)))])
    assert "some" not in " ".join(seen[0])
