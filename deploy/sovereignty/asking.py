"""One question to each host, all of them at once: one ssh command each, nothing is left behind."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.hosts import ssh
from deploy.inventory import Host

_PROGRAM = Path(__file__).with_name("inside.py")
_SECONDS = 600
"""Patience with a whole host."""

_SOMETHING_ELSE = "answered something else than was asked: does its login shell print anything?"


class NoAnswer(Exception):  # noqa: N818  (a host's silence is no error of ours)
    """A host did not answer; why, in one line."""


@dataclass(frozen=True)
class Question:
    """What to ask a host.

    Attributes:
        rules: the declared firewall, as nft reads it.
        commands: shell commands that only look; what they print may stand in a report, so they print no secret.
    """

    rules: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """What went wrong, in its own words: the line that says `Error` with the one that it speaks of, or the last."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()] or [f"exit code {self.code}"]
        first = next((number for number, line in enumerate(lines) if "Error: " in line), len(lines) - 1)
        return " ".join(lines[first : first + 2])


@dataclass(frozen=True)
class Answer:
    """What a host said of itself.

    Attributes:
        rules: its firewall, as ``nft -j`` and then ``nft -s -a -u`` list it.
        declared_rules: the declared one, listed by the same nft.
        loaded: when the firewall was loaded or last reloaded.
        sockets: ``ss -Hlntup``.
        users: names by user id.
        converged: the record of the last deployment (JSON); None: there is none.
        pending: what a deployment that did not finish left to be done (JSON); None: nothing.
        commands: what each command of the question said.
    """

    rules: Said
    declared_rules: Said
    loaded: Said
    sockets: Said
    users: Mapping[str, str]
    converged: str | None
    pending: str | None
    commands: Mapping[str, Said]


def ask(questions: Iterable[tuple[Host, Question]]) -> dict[str, Answer | str]:
    """Ask every host.

    Returns:
        By host: its answer, or one line why there is none.
    """
    asked = list(questions)
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        answers = pool.map(lambda pair: _ask(*pair), asked)
        return {host.name: answer for (host, _), answer in zip(asked, answers, strict=True)}


def run_there(host: Host, program: Path, question: object = None) -> dict[str, Any]:
    """Run a program of Python's standard library on a host.

    Args:
        program: prints a mapping as JSON.
        question: what it reads as JSON from its standard input.

    Raises:
        NoAnswer: why there is none, in one line.
    """
    try:
        done = subprocess.run(
            [*ssh.command(host), _remote_command(program)],
            input=json.dumps(question), capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"no answer after {_SECONDS} s") from None
    if done.returncode:
        raise NoAnswer(Said(done.returncode, done.stdout, done.stderr).complaint)
    try:
        return dict(json.loads(done.stdout))
    except (ValueError, TypeError):
        raise NoAnswer(_SOMETHING_ELSE) from None


def _ask(host: Host, question: Question) -> Answer | str:
    try:
        return _answer(run_there(host, _PROGRAM, {"rules": question.rules, "commands": question.commands}))
    except NoAnswer as why:
        return str(why)
    except (TypeError, KeyError):
        return _SOMETHING_ELSE


def _remote_command(program: Path) -> str:
    """The program travels on the command line: it is public; the question goes to its standard input."""
    packed = base64.b64encode(zlib.compress(program.read_bytes(), 9)).decode()
    unpacking = f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))"
    return f"python3 -c {shlex.quote(unpacking)}"


def _answer(fields: Mapping[str, Any]) -> Answer:
    said = {name: Said(**fields[name]) for name in ("rules", "declared_rules", "loaded", "sockets")}
    commands = {command: Said(**found) for command, found in fields["commands"].items()}
    return Answer(**(dict(fields) | said | {"commands": commands}))
