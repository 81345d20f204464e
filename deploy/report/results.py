"""What a run found, as data: results, observations, declared flows; and what follows for each requirement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

Outcome: TypeAlias = Literal["passed", "failed", "skipped"]
Verdict: TypeAlias = Literal["proven", "failed", "not covered"]

_REQUIREMENTS = Path(__file__).with_name("requirements.yml")


@dataclass(frozen=True)
class Requirement:
    """Something that the stack must prove.

    Attributes:
        group: `programme` or `sovereignty`.
        text: what is asked for.
        level: `must` or `should`.
        by: which component answers it, or how it is checked.
    """

    id: str
    group: str
    text: str
    level: str
    by: str


@dataclass(frozen=True)
class Result:
    """One test.

    Attributes:
        nodeid: pytest's name of it.
        requirements: ids that it proves.
        outcome: an error before or after the test counts as failed.
        seconds: everything that the test cost, with what was made for it.
        message: one line why it failed or was skipped.
        evidence: files that it left below `raw/`.
    """

    nodeid: str
    requirements: tuple[str, ...]
    outcome: Outcome
    seconds: float
    message: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The test's name as it would be said."""
        name, bracket, parameters = self.nodeid.rpartition("::")[2].partition("[")
        words = name.removeprefix("test_").replace("_", " ")
        return words[:1].upper() + words[1:] + (f" ({parameters.removesuffix(']')})" if bracket else "")

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return self.nodeid.partition("::")[0]


@dataclass(frozen=True)
class Observation:
    """One thing that an audit saw.

    Attributes:
        requirement: the id that it speaks to; empty: none.
        where: host, name or flow.
        what: what was seen.
        ok: None where it cannot be known; unknown is never ok.
        evidence: how it is known.
        reason: why it may be so although a standard asks for something else.
    """

    requirement: str
    where: str
    what: str
    ok: bool | None
    evidence: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Flow:
    """A connection that a role declares; every other one is refused.

    Attributes:
        host: who begins it.
        user: the user that the service runs as.
        to: addresses, networks, or `any`.
    """

    host: str
    role: str
    user: str
    to: tuple[str, ...]
    port: int
    protocol: str
    reason: str


@dataclass(frozen=True)
class Memory:
    """What a host's services hold in memory while nobody uses them.

    Attributes:
        units: (systemd unit, MiB), the largest first: proportional set size of its processes, so that what several
            share counts once.
        trouble: why it is not known.
    """

    host: str
    units: tuple[tuple[str, float], ...]
    trouble: str = ""

    @property
    def total(self) -> float:
        """All units, in MiB."""
        return sum(size for _, size in self.units)


@dataclass(frozen=True)
class Run:
    """One run of the smoke suite with all that a report says about it.

    Attributes:
        inventory: its name.
        started: local time with offset, ISO 8601.
        seconds: wall clock of the suite.
        commit: of the toolkit.
        hosts: name -> addresses.
        memory: of each host, before the first test.
        timings: what else took time, in its order: (what, seconds).
        complete: False when the run was broken off.
    """

    inventory: str
    environment: str
    domain: str
    started: str
    seconds: float
    commit: str
    results: tuple[Result, ...]
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flows: tuple[Flow, ...] = ()
    audit: tuple[Observation, ...] = ()
    memory: tuple[Memory, ...] = ()
    timings: tuple[tuple[str, float], ...] = ()
    complete: bool = True

    def count(self, outcome: Outcome) -> int:
        """How many tests ended like that."""
        return sum(result.outcome == outcome for result in self.results)

    def as_json(self) -> str:
        """Everything, and the verdicts."""
        document: dict[str, Any] = asdict(self) | {"requirements": verdicts(self.results, self.audit)}
        document["memory"] = [asdict(held) | {"total": held.total} for held in self.memory]
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def requirements() -> list[Requirement]:
    """All requirements in their order."""
    data = yaml.safe_load(_REQUIREMENTS.read_text(encoding="utf-8"))
    return [Requirement(group=group, **fields) for group, rows in data.items() for fields in rows]


def verdicts(results: Iterable[Result], audit: Sequence[Observation] = ()) -> dict[str, Verdict]:
    """The verdict on each requirement.

    `proven`: at least one test that names it passed, or the audit saw it, and nothing that speaks to it failed.
    A skipped test and an unknown observation prove nothing.
    """
    seen: dict[str, set[bool]] = {requirement.id: set() for requirement in requirements()}
    for result in results:
        if result.outcome != "skipped":
            for name in result.requirements:
                seen.setdefault(name, set()).add(result.outcome == "passed")
    for observation in audit:
        if observation.requirement and observation.ok is not None:
            seen.setdefault(observation.requirement, set()).add(observation.ok)
    unknown = {o.requirement for o in audit if o.ok is None}
    return {
        name: "failed" if False in found else "proven" if found and name not in unknown else "not covered"
        for name, found in seen.items()
    }
