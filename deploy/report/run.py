"""Run the smoke suite against what an inventory describes, and leave a report behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.dns.organisation import DKIM_SELECTOR
from deploy.errors import Finding, Refused
from deploy.inventory import Inventory
from deploy.paths import REPOSITORY, RUN
from deploy.report.evidence import RESULTS
from deploy.report.page import smoke_result, write
from deploy.report.results import Flow, Memory, Observation, Result, Run

REPORTS = REPOSITORY / "reports"
SUITE = "smoke_tests"
_CLEANING_SECONDS = 60


def smoke(
    inventory: Inventory,
    *,
    keyword: str | None = None,
    flows: Sequence[Flow] = (),
    audit: Callable[[], Sequence[Observation]] | None = None,
    memory: Callable[[], Sequence[Memory]] | None = None,
    timings: Sequence[tuple[str, float]] = (),
    reports: Path = REPORTS,
    suite: str = SUITE,
) -> dict[str, Any]:
    """Run the suite and write `<reports>/<inventory>/<time>/`.

    Args:
        inventory: what is there.
        keyword: only the tests that match, as pytest's `-k`.
        flows: what the roles declare, for the picture.
        audit: looks at the hosts once the suite is done; what it sees counts for the verdicts.
        memory: looks at the hosts before the first test, while nobody uses them.
        timings: what took time before it: (what, seconds).
        reports: where reports are kept; the newest one is also `<reports>/<inventory>/latest`.
        suite: the directory with the tests.

    Returns:
        `passed`, `failed`, `skipped`, `seconds`, `requirements` (id: verdict), `report` (path of the page).

    Raises:
        Refused: the suite could not run at all.
    """
    with _alone(inventory):
        started = datetime.now().astimezone().replace(microsecond=0)
        directory = reports / inventory.name / started.strftime("%Y-%m-%dT%H%M%S")
        directory.mkdir(parents=True)
        (directory / "target.json").write_text(json.dumps(target(inventory), indent=1), encoding="utf-8")
        held = tuple(memory()) if memory else ()
        code = _pytest(inventory, directory, keyword, suite)
    try:
        found = json.loads((directory / RESULTS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(Finding(suite, f"pytest could not run (exit code {code})", "what it said stands above")) from None
    if not found["results"]:
        remedy = "no test has that keyword" if keyword else "what pytest said stands above"
        raise Refused(Finding(suite, "no test ran", remedy))
    (directory / RESULTS).unlink()
    run = Run(
        inventory=inventory.name, environment=inventory.environment, domain=inventory.domain,
        started=started.isoformat(), seconds=found["seconds"], commit=commit(), complete=found["complete"],
        results=tuple(_result(fields) for fields in found["results"]),
        hosts={host.name: host.addresses for host in inventory.hosts.values()},
        flows=tuple(flows), audit=tuple(audit()) if audit else (), memory=held, timings=tuple(timings),
    )  # fmt: skip
    page = write(directory, run)
    _point(directory.parent / "latest", directory.name)
    return smoke_result(run, page)


def target(inventory: Inventory) -> dict[str, Any]:
    """What the suite has to know of an inventory; no secret is in it."""
    return {
        "inventory": str(inventory.path.resolve()),
        "environment": inventory.environment,
        "domain": inventory.domain,
        "primary": inventory.primary.id,
        "organisations": {
            organisation.id: {
                "name": organisation.name,
                "domain": organisation.domain,
                "contact": organisation.contact,
                "names": dict(organisation.public_names),
                "addresses": {host.name: list(host.addresses) for host in organisation.hosts.values()},
                "hosts": {c: [h.name for h in organisation.running(c)] for c in organisation.components},
                "people": bool(organisation.running("directory")),
                "dkim_selector": next((h.variables.get(*DKIM_SELECTOR) for h in organisation.running("mail")), ""),
                "second_factor_groups": [
                    group
                    for h in organisation.running("sso")
                    for group in h.variables.get("lemonldap_second_factor_groups", [])
                ],
                "directory_password": any(
                    h.variables.get("dovecot_directory_password", "sso" not in h.runs)
                    for h in organisation.running("mail")
                ),
            }
            for organisation in inventory.organisations.values()
        },
    }


def commit() -> str:
    """The toolkit's commit, with `+` where files differ from it; empty outside a repository."""
    describe = ["git", "-C", str(REPOSITORY), "describe", "--always", "--abbrev=12", "--dirty=+"]
    with contextlib.suppress(OSError):
        return subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip()
    return ""


def _pytest(inventory: Inventory, directory: Path, keyword: str | None, suite: str) -> int:
    command = [
        *_prefix(inventory), sys.executable, "-m", "pytest", suite, "-q", "--tb=short", "--no-header",
        "-W", "ignore::DeprecationWarning",
        "-p", "deploy.report.evidence", "-p", "no:cacheprovider", "--evidence", str(directory),
        "--target", str(directory / "target.json"), "--junitxml", str(directory / "junit.xml"),
    ]  # fmt: skip
    if keyword:
        command += ["-k", keyword]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr
    ) as suite_:
        try:
            return suite_.wait()
        except KeyboardInterrupt:
            # The terminal told the suite as well: it takes its people away before it ends.
            with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
                suite_.wait(_CLEANING_SECONDS)
            suite_.terminate()
            raise


@contextlib.contextmanager
def _alone(inventory: Inventory) -> Iterator[None]:
    """In a lab one run at a time: it kills servers on purpose. Elsewhere runs do not disturb each other."""
    lab = RUN / "lab"  # goes with the lab
    if inventory.environment != "lab" or not lab.is_dir():
        yield
        return
    with (lab / "smoke.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("smoke: waiting for another run in this lab", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prefix(inventory: Inventory) -> list[str]:
    """In a lab the suite runs inside the lab's network."""
    if inventory.environment != "lab":
        return []
    from deploy.lab import exec_prefix  # noqa: PLC0415  (only a lab needs it)

    return exec_prefix()


def _result(fields: Mapping[str, Any]) -> Result:
    lists = {name: tuple(fields[name]) for name in ("requirements", "evidence")}
    return Result(**{**fields, **lists})


def _point(link: Path, name: str) -> None:
    """Let a link name the newest report, in one step."""
    unfinished = link.with_name(f".{link.name}.{time.monotonic_ns()}")
    unfinished.symlink_to(name)
    unfinished.replace(link)
