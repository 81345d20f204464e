"""pytest plugin: what each test proved, how long it took, why it failed, and what it kept as evidence.

`pytest -p deploy.report.evidence --evidence DIRECTORY` writes `results.json` and `raw/` there. Tests keep evidence
through the fixture `evidence`; without the option it goes nowhere.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from deploy.report.results import Outcome, Result, requirements

RESULTS = "results.json"
_RECORDER = pytest.StashKey["Recorder"]()


class Evidence:
    """What a test saw, kept below `raw/` beside the report. Never give it a secret."""

    def __init__(self, directory: Path | None, nodeid: str) -> None:
        name = nodeid.partition("::")[0].rpartition("/")[2].removesuffix(".py") + "-" + nodeid.rpartition("::")[2]
        self._folder = re.sub(r"[^\w.-]+", "-", name).strip("-")[:120]
        self._directory = directory
        self.files: list[str] = []

    def keep(self, name: str, content: str | bytes) -> None:
        """Keep a text or a message under a file name."""
        if self._directory is None:
            return
        file = Path(self._folder) / re.sub(r"[^\w.-]+", "-", name)
        target = self._directory / "raw" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", errors="replace"))
        self.files.append(str(file))


class Recorder:
    """Collects the phases of every test."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self.started = time.time()
        self.results: dict[str, Result] = {}

    def record(self, report: pytest.TestReport, ids: tuple[str, ...], files: tuple[str, ...]) -> None:
        """Add a phase (setup, call, teardown); the worst outcome of the three stays."""
        before = self.results.get(report.nodeid) or Result(report.nodeid, ids, "passed", 0.0)
        outcome: Outcome = before.outcome
        if report.outcome == "failed" or before.outcome == "passed":
            outcome = report.outcome
        message = before.message or ("" if report.outcome == "passed" else one_line(report))
        self.results[report.nodeid] = replace(
            before, outcome=outcome, seconds=before.seconds + report.duration, message=message, evidence=files
        )

    def write(self, exitstatus: int) -> None:
        """Write `results.json`."""
        if self.directory is None:
            return
        document = {
            "seconds": time.time() - self.started,
            "complete": exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED),
            "results": [asdict(result) for result in self.results.values()],
        }
        self.directory.mkdir(parents=True, exist_ok=True)
        unfinished = self.directory / f"{RESULTS}.new"
        unfinished.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
        unfinished.replace(self.directory / RESULTS)


def one_line(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test failed or was skipped, in one line."""
    if isinstance(report.longrepr, tuple):
        text = report.longrepr[2].removeprefix("Skipped: ")
    else:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash is not None else str(report.longrepr or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("E ").strip() for line in lines if line.startswith("E ")]  # of a file, not of a test
    return (errors[-1:] or lines[:1] or ["no reason given"])[0][:500]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--evidence`."""
    parser.addoption("--evidence", type=Path, help="directory for results.json and raw evidence")


def pytest_configure(config: pytest.Config) -> None:
    """Start recording."""
    config.stash[_RECORDER] = Recorder(config.getoption("--evidence"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that names a requirement which is not in the table: its verdict would be lost."""
    known = {requirement.id for requirement in requirements()}
    for item in items:
        unknown = set(_ids(item)) - known
        if unknown:
            raise pytest.UsageError(f"{item.nodeid}: no such requirement: {', '.join(sorted(unknown))}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record each phase of a test."""
    report = yield
    kept = item.funcargs.get("evidence") if hasattr(item, "funcargs") else None
    files = tuple(kept.files) if isinstance(kept, Evidence) else ()
    item.config.stash[_RECORDER].record(report, _ids(item), files)
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file that cannot be read fails like a test."""
    if report.failed and _active is not None:
        _active.results[report.nodeid] = Result(report.nodeid, (), "failed", 0.0, one_line(report))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember who records: collection reports come without their configuration."""
    global _active  # noqa: PLW0603
    _active = session.config.stash[_RECORDER]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write down what was found, also after Ctrl-C."""
    session.config.stash[_RECORDER].write(exitstatus)


_active: Recorder | None = None


def _ids(item: pytest.Item) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(name) for mark in item.iter_markers("requirement") for name in mark.args))


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Any:
    """Where a test keeps what it saw: `evidence.keep("headers.txt", text)`."""
    return Evidence(request.config.stash[_RECORDER].directory, request.node.nodeid)
