from __future__ import annotations

import pytest

from deploy.sovereignty.refused import Attempt, attempts, passed, unnamed
from deploy.sovereignty.ruleset import Ruleset
from tests.sovereignty.listing import ACCEPT, NOBODY_TO_4444, Firewall, counter

USERS = {"65534": "nobody"}


@pytest.fixture
def firewall() -> Firewall:
    return Firewall()


def test_a_refused_connection_has_a_user_a_destination_and_a_count(firewall: Firewall) -> None:
    firewall.refused4["elem"] = [NOBODY_TO_4444]
    found = attempts("stack", Ruleset.read(firewall.listed), USERS)
    assert found == {Attempt("stack", "nobody", "198.18.10.1", "tcp", 4444): 2}
    assert str(next(iter(found))) == "user nobody to 198.18.10.1, port 4444/tcp"


def test_ipv6_is_remembered_too_and_a_user_that_is_gone_keeps_its_number(firewall: Firewall) -> None:
    firewall.refused6["elem"] = [{"elem": {"val": {"concat": [997, "fd00::1", "udp", 53]}}}]
    found = attempts("stack", Ruleset.read(firewall.listed), USERS)
    assert found == {Attempt("stack", "997", "fd00::1", "udp", 53): 0}
    assert str(next(iter(found))) == "user 997 to [fd00::1], port 53/udp"


def test_a_quiet_host_has_none(firewall: Firewall) -> None:
    assert attempts("stack", Ruleset.read(firewall.listed), USERS) == {}


def test_packets_beyond_the_sets_are_not_forgotten(firewall: Firewall) -> None:
    firewall.refused4["elem"] = [NOBODY_TO_4444]
    firewall.reject["expr"][0] = counter(5)
    assert unnamed(Ruleset.read(firewall.listed)) == 3


def test_packets_that_stand_in_a_set_are_counted_once(firewall: Firewall) -> None:
    firewall.refused4["elem"] = [NOBODY_TO_4444]
    firewall.reject["expr"][0] = counter(2)
    assert unnamed(Ruleset.read(firewall.listed)) == 0


def test_what_declared_rules_let_out_is_counted_without_what_comes_in(firewall: Firewall) -> None:
    firewall.rule("output", "tcp dport 25 accept", counter(4), ACCEPT)
    assert passed(Ruleset.read(firewall.listed)) == 11
