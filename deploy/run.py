"""The whole path: lab, deployment, people, smoke suite, report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from deploy import converge, lab, people, report
from deploy.converge.packages import Hear
from deploy.errors import Refused
from deploy.inventory import Inventory, load, secrets
from deploy.lab import plan, trust
from deploy.sovereignty import audit, flows, memory


def up(path: Path, *, hear: Hear = lambda *_: None) -> dict[str, Any]:
    """From nothing to a report: make the secrets and, in a lab, the hosts; deploy; create the people; smoke; audit.

    A second run finds everything in place and changes nothing but the report.

    Returns:
        What `smoke` returns.

    Raises:
        Refused: if a step cannot be done; those before it stay done.
    """
    timings: list[tuple[str, float]] = []
    secrets.ensure(path)
    inventory = load(path)
    if inventory.environment == "lab":
        with _timed(timings, "hosts up"):
            started = lab.up(plan.hosts([]))
        hear("lab", "up", f"started {', '.join(started)}" if started else "everything is up already")
    outcome = converge.deploy(inventory, hear=hear)
    if outcome.failures:
        raise Refused(outcome.failures)
    timings += [(f"deployment: {stage}", seconds) for stage, seconds in outcome.stages.items()]
    timings.append(("deployment", outcome.seconds))
    _trust(inventory)
    with _timed(timings, "people"):
        _import_people(inventory, hear)
    hear("controller", "smoke", "trying the stack as a user does")
    return smoke(inventory, timings=timings)


def smoke(
    inventory: Inventory, *, keyword: str | None = None, timings: list[tuple[str, float]] | None = None
) -> dict[str, Any]:
    """See what the idle hosts hold in memory, run the smoke suite, then the audit, and write the report of all."""
    _trust(inventory)
    return report.smoke(
        inventory, keyword=keyword, flows=flows(inventory), audit=lambda: audit(inventory),
        memory=lambda: memory(inventory), timings=timings or (),
    )  # fmt: skip


def _trust(inventory: Inventory) -> None:
    """Clients on this machine trust what the first host with the lab's authority trusts."""
    if inventory.environment == "lab":
        for host in [h for h in inventory.primary.hosts.values() if "certificates" in h.roles][:1]:
            trust.take_from(host.name)


def _import_people(inventory: Inventory, hear: Hear) -> None:
    for organisation in inventory.organisations:
        file = inventory.path / "people" / f"{organisation}.csv"
        if file.exists():
            done = people.import_file(inventory, file, organisation=organisation)
            counts = f"{len(done.added)} added, {len(done.changed)} changed, {len(done.unchanged)} as they were"
            hear("controller", "people", f"{organisation}: {counts}")
            if done.passwords:
                hear("controller", "people", f"initial passwords, to be handed over once: {done.passwords}")


class _timed:  # noqa: N801  (reads as a verb)
    """Adds what its block took to a list."""

    def __init__(self, timings: list[tuple[str, float]], what: str) -> None:
        self._timings, self._what = timings, what

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._timings.append((self._what, time.monotonic() - self._started))
