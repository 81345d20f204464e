"""The view from inside every host, held against what its roles declare. Read-only."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.converge.declared import Declared, declared, render
from deploy.inventory import Host, Inventory
from deploy.report.results import Flow, Observation
from deploy.sovereignty import deviations, listening, phone_home, refused
from deploy.sovereignty.asking import Answer, Question, ask
from deploy.sovereignty.refused import Attempt
from deploy.sovereignty.ruleset import Ruleset, differences

EGRESS = "SOV-EGRESS"
INVENTORY = "SOV-INVENTORY"


def flows(inventory: Inventory) -> list[Flow]:
    """Every connection that a role of a host declares to begin; all others are refused.

    Raises:
        Refused: if a role does not render.
    """
    return [
        Flow(
            host=name, role=flow["role"], user=flow["user"], to=tuple(flow["to"]), port=int(flow["port"]),
            protocol=flow["protocol"], reason=flow["reason"],
        )
        for name, declaration in declared(inventory).items()
        for flow in declaration.flows
    ]  # fmt: skip


def audit(inventory: Inventory, explained: Iterable[Attempt] = ()) -> list[Observation]:
    """Look at every host from inside, all at once, and hold what is seen against what was declared.

    Args:
        explained: refused connections that somebody made on purpose, such as a test of the firewall.

    Returns:
        Observations in the order of the hosts; a host that does not answer is unknown, and unknown is never in order.

    Raises:
        Refused: if a role does not render, so that nothing can be expected.
    """
    known = frozenset(explained)
    declarations = declared(inventory)
    with _rendered(inventory) as tree:
        looks = [
            Look(host, declarations[name], tree / name, phone_home.of_host(host.roles), known)
            for name, host in inventory.hosts.items()
        ]
        answers = ask((look.host, look.question()) for look in looks)
        return [seen for look in looks for seen in look.observations(answers[look.host.name])]


@contextmanager
def _rendered(inventory: Inventory) -> Iterator[Path]:
    """Every file as declared now, for as long as it is needed: among them are keys, so they stay in memory."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  (ours alone: mode 0700)
    with tempfile.TemporaryDirectory(prefix="bsw-audit-", dir=memory) as directory:
        render(inventory, Path(directory), {})
        yield Path(directory)


@dataclass(frozen=True)
class Look:
    """One host: what was declared for it, and what follows from its answer.

    Attributes:
        tree: its files as declared, below this directory.
        checks: what to ask of its programs.
        explained: refused connections that do not count.
    """

    host: Host
    declaration: Declared
    tree: Path
    checks: tuple[phone_home.Check, ...]
    explained: Collection[Attempt]

    def question(self) -> Question:
        """What to ask the host; a command that several checks read is run once."""
        commands = dict.fromkeys(check.command for check in self.checks)
        if deviations.ROLE in self.host.roles:
            commands[deviations.COMMAND] = None
        return Question((self.tree / "etc/nftables.conf").read_text(encoding="utf-8"), tuple(commands))

    def observations(self, answer: Answer | str) -> Iterator[Observation]:
        """Everything that the answer shows."""
        if isinstance(answer, str):
            for requirement in (EGRESS, INVENTORY):
                yield self._seen(requirement, "could not be looked at", None, answer)
            return
        yield from self._firewall(answer)
        for check in self.checks:
            yield phone_home.judge(check, self.host.name, answer.commands[check.command], self.tree)
        if deviations.COMMAND in answer.commands:
            said = answer.commands[deviations.COMMAND]
            yield from deviations.judge(self.host.name, said, self.declaration.deviations)
        yield from self._sockets(answer)
        yield self._deployment(answer)

    def _seen(self, requirement: str, what: str, ok: bool | None, evidence: str = "") -> Observation:
        return Observation(requirement, self.host.name, what, ok, evidence)

    def _firewall(self, answer: Answer) -> Iterator[Observation]:
        if answer.rules.code:
            yield self._seen(EGRESS, "the firewall cannot be read", None, answer.rules.complaint)
            return
        live = Ruleset.read(answer.rules.out)
        if answer.declared_rules.code:
            what = "the declared firewall does not load there, so nothing can be said of the one that is"
            yield self._seen(EGRESS, what, None, answer.declared_rules.complaint)
        else:
            yield from self._rules(Ruleset.read(answer.declared_rules.out), live)
        yield from self._refused(live, answer)

    def _rules(self, wanted: Ruleset, live: Ruleset) -> Iterator[Observation]:
        evidence = "nft list ruleset, beside the declared rules as the same nft lists them"
        wrong = list(differences(wanted, live))
        for difference in wrong:
            yield self._seen(EGRESS, f"firewall: {difference}", False, evidence)
        if not wrong:
            what = f"the firewall is exactly the declared one: {len(live.rules)} rules, everything else is refused"
            yield self._seen(EGRESS, what, True, evidence)

    def _refused(self, live: Ruleset, answer: Answer) -> Iterator[Observation]:
        found = refused.attempts(self.host.name, live, answer.users)
        for attempt, packets in found.items():
            ok = attempt in self.explained
            what = f"refused{' and explained' * ok}: {attempt}, {packets} packet{'s' * (packets != 1)}"
            yield self._seen(EGRESS, what, ok, "remembered by the firewall")
        if others := refused.unnamed(live):
            what = f"refused: {others} packet{'s' * (others != 1)} that the firewall could not attribute"
            yield self._seen(EGRESS, what, False, "neither TCP nor UDP, or more flows than its sets hold")
        if not found and not others:
            evidence = (
                f"connections that declared rules let out since {answer.loaded.out.strip()}: {refused.passed(live)}"
            )
            yield self._seen(EGRESS, "no refused flow", True, evidence)

    def _sockets(self, answer: Answer) -> Iterator[Observation]:
        if answer.sockets.code:
            yield self._seen(INVENTORY, "who listens cannot be read", None, answer.sockets.complaint)
            return
        found = listening.sockets(answer.sockets.out)
        strange = listening.undeclared(found, self.declaration.listens, self.declaration.flows)
        for socket in strange:
            yield self._seen(INVENTORY, f"listens undeclared: {socket}", False, "ss -Hlntup")
        if not strange:
            ports = sorted({f"{socket.port}/{socket.protocol}" for socket in found})
            yield self._seen(INVENTORY, "every listening socket is declared", True, ", ".join(ports))

    def _deployment(self, answer: Answer) -> Observation:
        if answer.pending is not None:
            files = ", ".join(_record(answer.pending).get("files", []))
            return self._seen(INVENTORY, "a deployment did not finish", False, f"left to be activated: {files}")
        if not (record := _record(answer.converged)):
            return self._seen(INVENTORY, "was never deployed to its end", False, "no record in /var/lib/bsw")
        when = datetime.fromtimestamp(record["at"], UTC)
        return self._seen(INVENTORY, f"deployed by commit {record['commit']}", True, f"at {when:%Y-%m-%d %H:%M} UTC")


def _record(text: str | None) -> dict[str, Any]:
    """What the engine wrote down; empty if there is none, or if it is torn."""
    try:
        return dict(json.loads(text or "{}"))
    except ValueError:
        return {}
