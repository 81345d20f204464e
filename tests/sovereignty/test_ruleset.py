from __future__ import annotations

import pytest

from deploy.sovereignty.ruleset import Ruleset, differences
from tests.sovereignty.listing import ACCEPT, NOBODY_TO_4444, Firewall, counter, match


@pytest.fixture
def declared() -> Firewall:
    return Firewall()


@pytest.fixture
def live() -> Firewall:
    """The same, loaded on another day: other handles."""
    return Firewall(first_handle=40)


def between(declared: Firewall, live: Firewall) -> list[str]:
    return list(differences(Ruleset.read(declared.listed), Ruleset.read(live.listed)))


def test_handles_counters_and_what_was_refused_are_no_difference(declared: Firewall, live: Firewall) -> None:
    live.refused4["elem"] = [NOBODY_TO_4444]
    live.resolving["expr"][1] = counter(1234)
    assert between(declared, live) == []


def test_an_undeclared_rule_is_named_in_the_words_of_nft(declared: Firewall, live: Firewall) -> None:
    live.rule("output", 'meta skuid "nobody" accept', {"match": "nobody"}, ACCEPT)
    assert between(declared, live) == [
        'chain output of table inet bsw has a rule that was not declared: meta skuid "nobody" accept'
    ]


def test_a_rule_without_words_is_shown_as_data(declared: Firewall, live: Firewall) -> None:
    live.rule("output", "", ACCEPT)
    [difference] = between(declared, live)
    assert difference.endswith('not declared: [{"accept": null}]')


def test_a_lacking_rule_is_named(declared: Firewall, live: Firewall) -> None:
    live.remove(live.reject)
    assert between(declared, live) == ["chain output of table inet bsw lacks a declared rule: counter reject"]


def test_a_changed_port_is_one_rule_too_few_and_one_too_many(declared: Firewall, live: Firewall) -> None:
    live.resolving["expr"][0] = match("udp", "dport", 5353)
    assert [difference.split(":")[0] for difference in between(declared, live)] == [
        "chain output of table inet bsw lacks a declared rule",
        "chain output of table inet bsw has a rule that was not declared",
    ]


def test_the_order_of_rules_counts(declared: Firewall, live: Firewall) -> None:
    live.remove(live.reject)
    live.objects.insert(6, {"rule": live.reject})
    [difference] = between(declared, live)
    assert "stands in another place than declared" in difference


def test_the_order_inside_a_set_does_not_count(declared: Firewall, live: Firewall) -> None:
    declared.rule("input", "a", match("tcp", "dport", {"set": [80, 443]}))
    live.rule("input", "a", match("tcp", "dport", {"set": [443, 80]}))
    assert between(declared, live) == []


def test_an_undeclared_table_is_one_finding(declared: Firewall, live: Firewall) -> None:
    live.table("evil", family="ip")
    live.chain("c", table="evil", family="ip", hook="postrouting")
    live.rule("c", "masquerade", {"masquerade": None}, table="evil", family="ip")
    assert between(declared, live) == ["table ip evil was not declared; it has 1 rule"]


def test_without_any_firewall_the_table_is_missing(declared: Firewall) -> None:
    nothing = Ruleset.read('{"nftables": [{"metainfo": {}}]}')
    assert list(differences(Ruleset.read(declared.listed), nothing)) == ["table inet bsw is not there"]


def test_a_dormant_table_is_a_difference(declared: Firewall, live: Firewall) -> None:
    live.objects[0]["table"]["flags"] = ["dormant"]
    assert between(declared, live) == ['table inet bsw: flags is ["dormant"], declared is null']


def test_a_chain_that_accepts_by_default_is_a_difference(declared: Firewall, live: Firewall) -> None:
    live.objects[2]["chain"]["policy"] = "accept"
    assert between(declared, live) == ["chain forward of table inet bsw: policy is accept, declared is drop"]


def test_chains_and_sets_that_are_lacking_or_too_many_are_named(declared: Firewall, live: Firewall) -> None:
    live.remove(live.refused6)
    live.chain("side")
    live.rule("side", "accept", ACCEPT)
    live.add("map", name="verdicts", type="ipv4_addr")
    assert between(declared, live) == [
        "chain side of table inet bsw was not declared; it has 1 rule",
        "map verdicts of table inet bsw was not declared",
        "set refused6 of table inet bsw is not there",
    ]


def test_members_of_any_other_set_count(declared: Firewall, live: Firewall) -> None:
    declared.add("set", name="friends", elem=["198.18.10.1"])
    live.add("set", name="friends", elem=["198.18.10.1", "203.0.113.9"])
    [difference] = between(declared, live)
    assert difference.startswith("set friends of table inet bsw: elem is")


def test_the_name_of_a_counter_counts(declared: Firewall, live: Firewall) -> None:
    declared.rule("input", "", {"counter": "ours"})
    live.rule("input", "", {"counter": "theirs"})
    assert len(between(declared, live)) == 2


def test_what_is_no_listing_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        Ruleset.read("nft: command not found")
