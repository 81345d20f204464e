"""What a person hands to a parent zone or to a DNS provider."""

from __future__ import annotations

import pytest

from deploy.dns import show
from deploy.errors import Refused
from tests.dns.conftest import Declared, Edited


def test_a_zone_is_shown_with_what_its_parent_has_to_publish(declared: Declared) -> None:
    shown = show(*declared, "rijk.test")
    zone = declared.zones["rijk.test."]
    assert zone.ds is not None
    assert shown == zone.text + (
        "; For the parent zone:\n"
        "; rijk.test. IN NS ns1.rijk.test.\n"
        "; rijk.test. IN NS ns2.rijk.test.\n"
        "; ns1.rijk.test. IN A 198.18.10.11\n"
        "; ns1.rijk.test. IN AAAA fd00:18:10::11\n"
        "; ns2.rijk.test. IN A 198.18.10.13\n"
        "; ns2.rijk.test. IN AAAA fd00:18:10::13\n"
        f"; rijk.test. IN DS {zone.ds.to_text()}\n"
    )


def test_the_dot_at_the_end_makes_no_difference(declared: Declared) -> None:
    assert show(*declared, "rijk.test.") == show(*declared, "rijk.test")
    assert show(*declared, ".").startswith("$ORIGIN .\n")


def test_no_private_key_is_shown(declared: Declared) -> None:
    assert "PrivateKey" not in show(*declared, "rijk.test")


def test_a_domain_served_elsewhere_is_shown_with_what_its_provider_has_to_do(lab: Edited) -> None:
    lab.replace("hosts.yml", "[dns, certificates", "[certificates").replace("hosts.yml", "runs: [dns]", "runs: []")
    lab.replace("group_vars/rijk/main.yml", "dns: powerdns", "dns: off")
    lab.replace("group_vars/partner/main.yml", "dns: powerdns", "dns: off")
    last = show(*lab.declared(), "rijk.test").splitlines()[-1]
    assert last.startswith("; Its name servers are elsewhere: publish these records there, sign the zone")


def test_an_unknown_domain_is_refused(declared: Declared) -> None:
    with pytest.raises(Refused, match=r"^rijkk\.test: no such zone in lab; did you mean rijk\.test\.$"):
        show(*declared, "rijkk.test")
    with pytest.raises(Refused, match=r"^example\.org: no such zone in lab; there are test\. \. "):
        show(*declared, "example.org")
