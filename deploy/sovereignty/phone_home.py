"""Defaults that phone home: each program's effective configuration, held against what ``phone_home.yml`` demands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from deploy.report.results import Observation
from deploy.sovereignty.asking import Said

REQUIREMENT = "SOV-EGRESS"
_FILE = Path(__file__).with_name("phone_home.yml")
_LENGTH = 200
"""Characters of a program's words that go into the evidence."""


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern in which ``^`` and ``$`` stand for the ends of a line."""
    try:
        return re.compile(text, re.MULTILINE)
    except re.error as error:
        raise ValueError(f"{text}: {error}") from error


Pattern = Annotated[re.Pattern[str], BeforeValidator(_pattern)]


class Declared(BaseModel):
    """Values that the inventory chose.

    Attributes:
        file: where they stand on the host.
        pattern: finds each of them there, as its only group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    pattern: Pattern

    def values(self, tree: Path) -> frozenset[str]:
        """The values on a host whose declared files are below ``tree``; none if there is no such file."""
        file = tree / self.file.lstrip("/")
        return frozenset(self.pattern.findall(file.read_text(encoding="utf-8"))) if file.exists() else frozenset()


class Check(BaseModel):
    """One thing that a program may send somewhere, and how its effective configuration shows that it does not.

    Attributes:
        role: asked on hosts that have it.
        program: who would send it.
        leaves: what would leave.
        to: where it would go.
        shown_by: what is looked at, in short; default: the command itself.
        command: for bash with pipefail; it only looks, and prints no secret. If it fails, nothing is known.
        must: patterns that have to be found in what it prints.
        must_not: patterns that must not.
        only: every line that it prints has to be one of these values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    program: str
    leaves: str
    to: str
    shown_by: str = ""
    command: str
    must: tuple[Pattern, ...] = ()
    must_not: tuple[Pattern, ...] = ()
    only: Declared | None = None

    @model_validator(mode="after")
    def _demands_something(self) -> Check:
        if not (self.must or self.must_not or self.only):
            raise ValueError("a check needs must, must_not or only")
        return self


def checks(entries: Iterable[Mapping[str, Any]] | None = None) -> tuple[Check, ...]:
    """Every check; by default those of the data file.

    Raises:
        pydantic.ValidationError: if an entry is not one.
    """
    found = yaml.safe_load(_FILE.read_text(encoding="utf-8")) if entries is None else entries
    return tuple(Check(**entry) for entry in found)


def of_host(roles: Collection[str]) -> tuple[Check, ...]:
    """The checks of a host with these roles."""
    return tuple(check for check in checks() if check.role in roles)


def judge(check: Check, host: str, said: Said, tree: Path) -> Observation:
    """What a program's words mean.

    Args:
        said: what the check's command said on the host.
        tree: where the host's declared files were rendered.
    """
    sends = f"{check.leaves} to {check.to}"
    shown_by = _short(check.shown_by or check.command)
    if said.code:
        what = f"not known whether {check.program} sends {sends}"
        return Observation(REQUIREMENT, host, what, None, f"{shown_by}: {_short(said.complaint)}")
    wrong = list(_wrong(check, said.out, tree))
    what = f"{check.program} {'may send' if wrong else 'does not send'} {sends}"
    return Observation(REQUIREMENT, host, what, not wrong, f"{shown_by}: {'; '.join(wrong) or _seen(check, said.out)}")


def _wrong(check: Check, out: str, tree: Path) -> Iterator[str]:
    for pattern in check.must:
        if not pattern.search(out):
            yield f"nothing like /{pattern.pattern}/ in: {_short(out) or 'nothing'}"
    for pattern in check.must_not:
        if found := pattern.search(out):
            yield f"says {_short(found[0])}"
    if check.only:
        declared = check.only.values(tree)
        strange = [line for line in map(str.strip, out.splitlines()) if line and line not in declared]
        yield from (f"{_short(line)} is not declared" for line in strange)


def _seen(check: Check, out: str) -> str:
    found = [match[0] for pattern in check.must if (match := pattern.search(out))]
    return _short(" ".join(found) if found else out) or "nothing"


def _short(text: str) -> str:
    """One line, and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LENGTH else f"{line[:_LENGTH]} …"
