"""What the world sees, held against the inventory."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import dns.resolver
import pytest

from deploy.dns import check
from deploy.dns import world as module
from tests.dns.conftest import Declared, World


def lines(declared: Declared, world: World) -> list[str]:
    return [str(finding) for finding in check(*declared, "127.0.0.1", port=world.port)]


def test_a_world_that_sees_all_of_it_is_as_it_should_be(declared: Declared, world: World) -> None:
    assert lines(declared, world) == []


def test_a_missing_record_is_found(declared: Declared, world: World) -> None:
    del world.sets["rijk.test.", "MX"]
    assert lines(declared, world) == ["rijk.test. MX: missing: 10 mail.rijk.test.; publish it"]


def test_a_missing_name_is_found(declared: Declared, world: World) -> None:
    del world.sets["_dmarc.rijk.test.", "TXT"]
    [line] = lines(declared, world)
    assert line.startswith('_dmarc.rijk.test. TXT: missing: "v=DMARC1; p=reject;')


def test_a_different_record_is_found(declared: Declared, world: World) -> None:
    world.sets["www.rijk.test.", "A"] = {"198.18.10.99"}
    assert lines(declared, world) == ["www.rijk.test. A: is 198.18.10.99, not 198.18.10.11; publish it"]


def test_a_record_too_much_is_found(declared: Declared, world: World) -> None:
    world.sets["rijk.test.", "MX"].add("20 old.rijk.test.")
    line = "has more than the inventory says: 20 old.rijk.test.; remove it, or name it in `organisation.records`"
    assert lines(declared, world) == [f"rijk.test. MX: {line}"]


def test_a_name_server_that_is_lacking_is_found(declared: Declared, world: World) -> None:
    world.sets["rijk.test.", "NS"].discard("ns2.rijk.test.")
    assert lines(declared, world) == ["rijk.test. NS: is ns1.rijk.test., not ns2.rijk.test.; publish it"]


def test_a_ds_that_does_not_fit_the_key_is_found(declared: Declared, world: World) -> None:
    world.sets["rijk.test.", "DS"] = {f"1 13 2 {'0' * 64}"}
    [line] = lines(declared, world)
    assert line.startswith(f"rijk.test. DS: is 1 13 2 {'0' * 64}, not ")


def test_a_name_that_does_not_resolve_is_found(declared: Declared, world: World) -> None:
    world.broken.add("www.rijk.test.")
    wanted = "no answer (SERVFAIL); see that its name servers answer and that the parent has the right DS"
    assert lines(declared, world) == [f"www.rijk.test. {kind}: {wanted}" for kind in ("A", "AAAA", "TXT")]


def test_a_zone_that_is_not_validated_is_found_once(declared: Declared, world: World) -> None:
    names = {name for name, _ in world.sets if name.endswith("partner.test.")}
    world.insecure |= names
    [line] = lines(declared, world)
    assert line.startswith("partner.test.: not validated (no AD): ")


@pytest.mark.parametrize(("days", "found"), [(2.9, True), (3.1, False), (-1, True)])
def test_signatures_that_end_within_three_days_are_found(
    declared: Declared, world: World, days: float, found: bool
) -> None:
    world.expires = datetime.now(UTC) + timedelta(days=days)
    wanted = f"signatures expire at {world.expires:%Y-%m-%d %H:%M} UTC; see that its name servers renew them"
    assert lines(declared, world) == ([f"{zone}: {wanted}" for zone in sorted(declared.zones)] if found else [])


def test_the_ds_is_asked_for_although_the_inventory_does_not_serve_the_parent(declared: Declared) -> None:
    alone = [zone for zone in declared.zones.values() if zone.name == "rijk.test."]
    questions = {str(question) for question in module._questions(alone)}
    assert "rijk.test. DS" in questions


def test_a_resolver_that_does_not_answer_is_one_line(declared: Declared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        [finding] = check(*declared, "127.0.0.1", port=silent.getsockname()[1])
    line = "127.0.0.1: no answer from the resolver (time-out); name another one, or see that it runs"
    assert str(finding) == line


def test_a_resolver_that_is_not_there_is_one_line(declared: Declared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    [finding] = check(*declared, "127.0.0.1", port=port)
    assert str(finding).startswith("127.0.0.1: no answer from the resolver (")


def test_a_machine_without_a_resolver_is_one_line(declared: Declared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", _nothing)
    [finding] = check(*declared)
    assert str(finding) == "/etc/resolv.conf: this machine has no resolver; name a validating one there"


def _nothing(*_: object) -> None:
    raise dns.resolver.NoResolverConfiguration


def test_without_an_address_the_machines_own_resolver_is_asked(declared: Declared) -> None:
    assert module._resolver(None, 53).nameservers
