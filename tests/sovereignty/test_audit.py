from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.inventory import Host, Inventory
from deploy.report.results import Flow, Observation
from deploy.sovereignty import Attempt, audit, deviations, flows, phone_home, view
from deploy.sovereignty.asking import Answer, Question, Said
from tests.sovereignty import world
from tests.sovereignty.listing import ACCEPT, NOBODY_TO_4444, Firewall, counter

Change = Callable[[Answer], Answer | str]
Audit = Callable[..., list[Observation]]

NOBODY = Attempt("stack", "nobody", "198.18.10.1", "tcp", 4444)


@pytest.fixture
def asked() -> list[tuple[Host, Question]]:
    return []


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch, asked: list[tuple[Host, Question]]) -> Audit:
    """Audit one host, ``stack``, whose answer was changed; nothing is rendered and nobody is reached."""

    def look(change: Change = lambda answer: answer, *hosts: Host, **options: Any) -> list[Observation]:
        chosen = hosts or (world.host("stack"),)

        def render(_inventory: Inventory, to: Path, _variables: Mapping[str, Any]) -> None:
            for one in chosen:
                (to / one.name / "etc").mkdir(parents=True)
                (to / one.name / "etc/nftables.conf").write_text(world.RULES)

        def ask(questions: Iterable[tuple[Host, Question]]) -> dict[str, Answer | str]:
            asked.extend(questions)
            return {one.name: change(world.answer(question)) for one, question in asked}

        monkeypatch.setattr(view, "declared", lambda _: {one.name: world.DECLARED for one in chosen})
        monkeypatch.setattr(view, "render", render)
        monkeypatch.setattr(view, "ask", ask)
        monkeypatch.setattr(phone_home, "of_host", lambda _: ())
        return audit(world.inventory(*chosen), **options)

    return look


def firewall(change: Callable[[Firewall], object]) -> Change:
    live = Firewall(first_handle=60)
    change(live)
    return lambda answer: replace(answer, rules=Said(0, live.listed, ""))


def refusing(live: Firewall) -> None:
    live.refused4["elem"] = [NOBODY_TO_4444]
    live.reject["expr"][0] = counter(2)


def wrong(found: list[Observation]) -> list[tuple[str, str, bool | None]]:
    return [(seen.requirement, seen.what, seen.ok) for seen in found if not seen.ok]


def test_a_host_in_order_shows_each_thing_once(looking: Audit) -> None:
    found = looking()
    assert wrong(found) == []
    assert [seen.what for seen in found] == [
        "the firewall is exactly the declared one: 4 rules, everything else is refused",
        "no refused flow",
        "every listening socket is declared",
        "deployed by commit abc123",
    ]
    assert found[1].evidence == "connections that declared rules let out since Sat 2026-11-21 22:22:21 UTC: 7"
    assert found[3].evidence == "at 2026-11-21 22:00 UTC"
    assert {seen.where for seen in found} == {"stack"}


def test_the_declared_rules_are_sent_to_the_host(looking: Audit, asked: list[tuple[Host, Question]]) -> None:
    looking()
    assert asked[0][1].rules == world.RULES


def test_an_undeclared_rule_is_against_the_declared_egress(looking: Audit) -> None:
    found = looking(firewall(lambda live: live.rule("output", "tcp dport 25 accept", ACCEPT)))
    [(requirement, what, ok)] = wrong(found)
    assert (requirement, ok) == ("SOV-EGRESS", False)
    assert what.endswith("not declared: tcp dport 25 accept")


def test_a_refused_flow_names_the_user_the_destination_and_the_count(looking: Audit) -> None:
    assert wrong(looking(firewall(refusing))) == [
        ("SOV-EGRESS", "refused: user nobody to 198.18.10.1, port 4444/tcp, 2 packets", False)
    ]


def test_a_refused_flow_that_a_test_made_is_explained(looking: Audit) -> None:
    found = looking(firewall(refusing), explained=[NOBODY])
    assert wrong(found) == []
    assert "refused and explained: user nobody to 198.18.10.1, port 4444/tcp, 2 packets" in [s.what for s in found]


def test_an_explanation_holds_for_one_host_only(looking: Audit) -> None:
    assert wrong(looking(firewall(refusing), explained=[replace(NOBODY, host="partner")])) != []


def test_refused_packets_without_a_name_are_not_in_order(looking: Audit) -> None:
    def change(live: Firewall) -> None:
        live.reject["expr"][0] = counter(1)

    assert wrong(looking(firewall(change))) == [
        ("SOV-EGRESS", "refused: 1 packet that the firewall could not attribute", False)
    ]


def test_a_firewall_that_cannot_be_read_is_unknown(looking: Audit) -> None:
    found = looking(lambda answer: replace(answer, rules=Said(127, "", "sh: 1: nft: not found\n")))
    assert wrong(found) == [("SOV-EGRESS", "the firewall cannot be read", None)]


def test_declared_rules_that_do_not_load_there_leave_it_unknown(looking: Audit) -> None:
    found = looking(lambda answer: replace(answer, declared_rules=Said(1, "", "user does not exist\n")))
    [(requirement, _, ok)] = wrong(found)
    assert (requirement, ok) == ("SOV-EGRESS", None)
    assert "no refused flow" in [seen.what for seen in found]


def test_an_undeclared_socket_is_named_with_its_program(looking: Audit) -> None:
    line = 'tcp LISTEN 0 5 0.0.0.0:8099 0.0.0.0:* users:(("python3",pid=1,fd=3))\n'
    found = looking(lambda answer: replace(answer, sockets=Said(0, line, "")))
    assert wrong(found) == [("SOV-INVENTORY", "listens undeclared: python3 on port 8099/tcp of 0.0.0.0", False)]


def test_sockets_that_cannot_be_read_are_unknown(looking: Audit) -> None:
    found = looking(lambda answer: replace(answer, sockets=Said(127, "", "ss: not found")))
    assert wrong(found) == [("SOV-INVENTORY", "who listens cannot be read", None)]


def test_a_deployment_that_died_is_seen(looking: Audit) -> None:
    found = looking(lambda answer: replace(answer, pending=json.dumps({"files": ["/etc/postfix/main.cf"]})))
    assert wrong(found) == [("SOV-INVENTORY", "a deployment did not finish", False)]
    assert found[-1].evidence == "left to be activated: /etc/postfix/main.cf"


@pytest.mark.parametrize("record", [None, '{"commit": '])
def test_a_host_that_was_never_deployed_is_seen(looking: Audit, record: str | None) -> None:
    found = looking(lambda answer: replace(answer, converged=record))
    assert wrong(found) == [("SOV-INVENTORY", "was never deployed to its end", False)]


def test_a_host_that_does_not_answer_is_unknown_and_hides_no_other(looking: Audit) -> None:
    def silent(answer: Answer) -> Answer | str:
        return "No route to host"

    assert wrong(looking(silent)) == [
        ("SOV-EGRESS", "could not be looked at", None),
        ("SOV-INVENTORY", "could not be looked at", None),
    ]


def test_every_host_is_looked_at_in_the_order_of_the_inventory(looking: Audit) -> None:
    found = looking(lambda answer: answer, world.host("stack"), world.host("reserve"))
    assert list(dict.fromkeys(seen.where for seen in found)) == ["stack", "reserve"]


def test_programs_are_asked_what_they_send_and_each_command_once(
    looking: Audit, asked: list[tuple[Host, Question]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"role": "base", "program": "sshd", "leaves": "names", "to": "the world", "command": "sshd -T"}
    checks = phone_home.checks([fields | {"must": ["usedns no"]}, fields | {"must_not": ["usedns yes"]}])
    looking()
    monkeypatch.setattr(phone_home, "of_host", lambda _: checks)
    asked.clear()
    found = audit(world.inventory(world.host("stack")))
    assert asked[0][1].commands == ("sshd -T",)
    assert wrong(found) == [("SOV-EGRESS", "sshd may send names to the world", False)]


def test_the_portal_is_asked_what_it_demands_of_its_clients(looking: Audit, asked: list[tuple[Host, Question]]) -> None:
    def without_demands(answer: Answer) -> Answer:
        return replace(answer, commands={deviations.COMMAND: Said(0, '{"web": ["nonce"]}', "")})

    found = looking(without_demands, world.host("stack", "base", "lemonldap"))
    assert asked[0][1].commands == (deviations.COMMAND,)
    assert wrong(found) == [("SOV-OPEN", "OIDC NL GOV: client web need not use nonce", False)]


def test_declared_flows_say_who_may_begin_what_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "declared", lambda _: {"stack": world.DECLARED})
    assert flows(world.inventory(world.host("stack"))) == [
        Flow("stack", "unbound", "unbound", ("any",), 53, "udp", "resolving names")
    ]
