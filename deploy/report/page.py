"""What a run leaves behind: a page for people, the same as data, and the evidence."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2

from deploy.report.picture import draw, place
from deploy.report.results import Observation, Requirement, Result, Run, Verdict, requirements, verdicts

_GROUPS = (
    ("programme", "What the programme asks of the workplace (Open BSW / MijnBureau)"),
    ("sovereignty", "What the cabinet and the sector asked for in 2025"),
)


@dataclass(frozen=True)
class _Row:
    """A requirement as the page shows it."""

    requirement: Requirement
    verdict: Verdict
    results: tuple[Result, ...]
    observations: tuple[Observation, ...]

    @property
    def summary(self) -> str:
        count = len(self.results) + len(self.observations)
        what = "test" if not self.observations else "observation" if not self.results else "test or observation"
        return f"{count} {what}{'s' if count > 1 and not (self.results and self.observations) else ''}"


@dataclass(frozen=True)
class _Screen:
    """A screenshot that a test kept.

    Attributes:
        title: what it shows: the name of its file.
        sentence: what the test says.
        source: the picture itself, as an address that asks nobody.
    """

    title: str
    sentence: str
    source: str


def headline(run: Run) -> str:
    """The run in one sentence."""
    failed, passed = run.count("failed"), run.count("passed")
    against = sum(seen.ok is False for seen in run.audit)
    if not run.results:
        return "Nothing was tested"
    if failed or against:
        parts = [f"{failed} of {failed + passed} tests failed"] * bool(failed)
        parts += [f"the audit found {against} thing{'s' if against > 1 else ''} that should not be"] * bool(against)
        return " and ".join(parts)[:1].upper() + " and ".join(parts)[1:]
    if not run.complete:
        return "Broken off before the end; nothing had failed until then"
    return "Everything that was tested works"


def render(run: Run, raw: Path | None = None) -> str:
    """The report as one page of HTML that loads nothing.

    Args:
        run: what was found.
        raw: directory of what the tests kept; its pictures become part of the page.
    """
    verdict = verdicts(run.results, run.audit)
    rows = [
        _Row(
            requirement, verdict[requirement.id],
            tuple(result for result in run.results if requirement.id in result.requirements),
            tuple(seen for seen in run.audit if seen.requirement == requirement.id),
        )
        for requirement in requirements()
    ]  # fmt: skip
    failures = [result for result in run.results if result.outcome == "failed"]
    screens = {result.nodeid: _screens(result, raw) for result in run.results} if raw else {}
    seen = [screen for result in run.results if result.outcome == "passed" for screen in screens.get(result.nodeid, ())]
    sections = [("failures", "What failed")] * bool(failures) + [("requirements", "What is proven")]
    sections += [("screens", "What people see")] * bool(seen)
    sections += [("flows", "Hosts and flows")] * bool(run.hosts) + [("audit", "What the audit saw")] * bool(run.audit)
    sections += [("memory", "Idle memory")] * bool(run.memory)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("report.html.j2").render(
        run={**_shallow(run), "flows": _flows(run)}, headline=headline(run), rows=rows, failures=failures,
        screens=screens, seen=seen,
        counts={kind: sum(row.verdict == kind for row in rows) for kind in ("proven", "failed", "not covered")},
        groups=_GROUPS, sections=[*sections, ("timings", "How long it took")], picture=draw(run.hosts, run.flows),
    )  # fmt: skip


def _screens(result: Result, raw: Path) -> list[_Screen]:
    """The pictures that a test kept, in its order."""
    files = [raw / name for name in result.evidence if name.endswith(".png")]
    return [
        _Screen(
            file.stem.replace("-", " ").capitalize(), result.sentence,
            f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}",
        )
        for file in files if file.is_file()
    ]  # fmt: skip


def _shallow(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__dataclass_fields__} | {"count": run.count}


def _flows(run: Run) -> list[dict[str, Any]]:
    """The flows with names instead of addresses."""
    return [
        asdict(flow) | {"places": ", ".join(dict.fromkeys(place(to, run.hosts) for to in flow.to))}
        for flow in run.flows
    ]


def write(directory: Path, run: Run) -> Path:
    """Write report.html and report.json beside what the tests left; return the page."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_text(run.as_json(), encoding="utf-8")
    page = directory / "report.html"
    page.write_text(render(run, directory / "raw"), encoding="utf-8")
    return page


def smoke_result(run: Run, page: Path) -> dict[str, Any]:
    """The run as the command line's JSON says it."""
    return {
        "passed": run.count("passed"),
        "failed": run.count("failed"),
        "skipped": run.count("skipped"),
        "seconds": round(run.seconds, 1),
        "requirements": verdicts(run.results, run.audit),
        "report": str(page),
    }
