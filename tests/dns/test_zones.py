"""What follows from the lab's inventory, record by record."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import cast

import dkim
import dns.dnssec
import dns.name
import dns.rdata
import dns.reversename
import dns.rrset
import dns.zone
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from dns.rdtypes.ANY.TXT import TXT

from deploy import paths
from deploy.dns import Zone, keys, mta_sts, mta_sts_id
from deploy.dns.zone import Record, ordered, text
from tests.dns.conftest import Declared, Edited

RIJK = "group_vars/rijk/main.yml"
STACK = ("198.18.10.11", "fd00:18:10::11")
RESERVE = ("198.18.10.13", "fd00:18:10::13")
REVERSE_4 = "18.198.in-addr.arpa."
REVERSE_6 = "0.0.0.0.0.1.0.0.8.1.0.0.0.0.d.f.ip6.arpa."
EVERY_ZONE = ["test.", ".", REVERSE_4, REVERSE_6, "rijk.test.", "partner.test."]


@pytest.fixture
def rijk(declared: Declared) -> Zone:
    return declared.zones["rijk.test."]


def strings(content: str) -> list[bytes]:
    """The strings of a TXT record."""
    return list(cast(TXT, dns.rdata.from_text("IN", "TXT", content)).strings)


def data(zone: Zone, name: str, kind: str) -> list[str]:
    """The data of a set of records; a name without a dot at its end is relative to the zone."""
    full = name if name.endswith(".") else f"{name}.{zone.name}".replace("@.", "").replace("..", ".")
    return [record.data for record in zone.records if (record.name, record.type) == (full, kind)]


# the zones


def test_every_organisation_serves_its_domain_and_the_zones_it_names(declared: Declared) -> None:
    assert list(declared.zones) == EVERY_ZONE


@pytest.mark.parametrize("name", EVERY_ZONE)
def test_a_zone_is_a_master_file_that_others_can_read(declared: Declared, name: str) -> None:
    zone = declared.zones[name]
    read = dns.zone.from_text(zone.text, origin=name, relativize=False)
    assert sum(len(rdataset) for _, rdataset in read.iterate_rdatasets()) == len(zone.records)


def test_an_unchanged_inventory_makes_unchanged_files(declared: Declared) -> None:
    assert [zone.text for zone in declared.zones.values()] == [zone.text for zone in declared.zones.values()]


def test_the_order_of_records_does_not_depend_on_how_they_came(rijk: Zone) -> None:
    assert ordered(reversed(rijk.records)) == rijk.records


def test_the_first_record_is_the_soa(declared: Declared) -> None:
    assert {zone.records[0].type for zone in declared.zones.values()} == {"SOA"}


def test_the_soa_names_the_first_name_server_and_the_contact(rijk: Zone) -> None:
    assert data(rijk, "@", "SOA") == ["ns1.rijk.test. security.rijk.test. 1 10800 3600 604800 60"]


def test_a_dot_in_the_contacts_mailbox_is_escaped(lab: Edited) -> None:
    zone = lab.replace(RIJK, "security@rijk.test", "csirt.team@rijk.test").declared().zones["rijk.test."]
    assert data(zone, "@", "SOA")[0].split()[1] == r"csirt\.team.rijk.test."


def test_denials_are_kept_five_minutes_at_most(lab: Edited) -> None:
    zone = lab.replace(RIJK, "ttl: 60", "ttl: 86400").declared().zones["rijk.test."]
    assert data(zone, "@", "SOA")[0].split()[-1] == "300"
    assert zone.text.splitlines()[1].startswith("rijk.test. 86400 IN SOA ")


# names and addresses


def test_each_name_server_has_a_name_with_both_addresses(rijk: Zone) -> None:
    assert data(rijk, "@", "NS") == ["ns1.rijk.test.", "ns2.rijk.test."]
    assert (*data(rijk, "ns1", "A"), *data(rijk, "ns1", "AAAA")) == STACK
    assert (*data(rijk, "ns2", "A"), *data(rijk, "ns2", "AAAA")) == RESERVE


@pytest.mark.parametrize("name", ["@", "mail", "ldap", "autoconfig", "autodiscover", "mta-sts", "www", "stack"])
def test_a_public_name_leads_to_the_host_that_runs_it(rijk: Zone, name: str) -> None:
    assert (*data(rijk, name, "A"), *data(rijk, name, "AAAA")) == STACK


def test_a_hosts_own_name_has_its_extra_addresses_too(declared: Declared) -> None:
    assert data(declared.zones["test."], "outside", "A") == ["198.18.10.14", "198.18.10.53"]
    assert data(declared.zones["test."], "acme", "A") == ["198.18.10.14"]


def test_a_domain_without_a_web_server_has_no_address(declared: Declared) -> None:
    assert data(declared.zones["test."], "@", "A") == []


def test_an_address_is_named_after_the_mail_server_or_its_host(declared: Declared) -> None:
    four, six = declared.zones[REVERSE_4], declared.zones[REVERSE_6]
    assert data(four, "11.10", "PTR") == ["mail.rijk.test."]
    assert data(four, "13.10", "PTR") == ["reserve.rijk.test."]
    assert data(four, "53.10", "PTR") == ["outside.test."]
    assert data(six, f"1.1{'.0' * 14}", "PTR") == ["mail.rijk.test."]


def test_every_address_leads_back_to_its_name(declared: Declared) -> None:
    everything = {(record.name, record.data) for zone in declared.zones.values() for record in zone.records}
    for host in declared.inventory.hosts.values():
        for address in host.addresses:
            pointer = dns.reversename.from_address(address).to_text()
            [name] = [data for name, data in everything if name == pointer]
            assert (name, address) in everything


def test_an_address_without_a_reverse_zone_is_not_named_in_the_root(lab: Edited) -> None:
    lab.replace("group_vars/internet/main.yml", f"    - {REVERSE_4} ", "    # ")
    found = lab.declared().zones
    assert not [record for record in found["."].records if record.type == "PTR"]


# mail


def test_mail_goes_to_the_mail_server(rijk: Zone) -> None:
    assert data(rijk, "@", "MX") == ["10 mail.rijk.test."]


@pytest.mark.parametrize("name", ["@", "mail"])
def test_only_the_mail_servers_addresses_may_send(rijk: Zone, name: str) -> None:
    assert data(rijk, name, "TXT") == ['"v=spf1 ip4:198.18.10.11 ip6:fd00:18:10::11 -all"']


def test_no_other_name_may_send(rijk: Zone) -> None:
    named = {record.name for record in rijk.records if record.type == "A"} - {"rijk.test.", "mail.rijk.test."}
    assert len(named) == 11
    assert all(data(rijk, name, "TXT") == ['"v=spf1 -all"'] for name in named)


def test_mail_that_proves_nothing_is_to_be_rejected(rijk: Zone) -> None:
    assert data(rijk, "_dmarc", "TXT") == ['"v=DMARC1; p=reject; rua=mailto:dmarc@rijk.test; adkim=s; aspf=s"']


def test_a_signature_by_the_secret_key_is_good_for_who_looks_it_up(declared: Declared, rijk: Zone) -> None:
    message = b"From: anna@rijk.test\r\nSubject: x\r\n\r\nhello\r\n"
    secret = declared.secrets["rijk"]["rspamd_dkim_secret"].encode()
    signature = dkim.sign(message, b"s1", b"rijk.test", secret)
    [published] = data(rijk, "s1._domainkey", "TXT")

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.rijk.test."
        return b"".join(strings(published))

    assert all(len(string) <= 255 for string in strings(published))
    assert dkim.verify(signature + message, dnsfunc=look_up)


def test_the_selector_is_the_one_that_rspamd_signs_with(lab: Edited) -> None:
    lab.replace(RIJK, "components:", "rspamd_dkim_selector: herfst\ncomponents:")
    zone = lab.declared().zones["rijk.test."]
    assert data(zone, "herfst._domainkey", "TXT")
    assert not data(zone, "s1._domainkey", "TXT")


def test_without_a_choice_the_selector_is_the_roles_default(rijk: Zone) -> None:
    defaults = yaml.safe_load((paths.ROLES / "rspamd/defaults/main.yml").read_text())
    assert data(rijk, f"{defaults['rspamd_dkim_selector']}._domainkey", "TXT")


def test_the_mta_sts_record_changes_with_the_policy_and_only_then(lab: Edited) -> None:
    before = lab.declared()
    policy = mta_sts(before.inventory.primary)
    assert policy == "version: STSv1\nmode: enforce\nmx: mail.rijk.test\nmax_age: 604800\n"
    [record] = data(before.zones["rijk.test."], "_mta-sts", "TXT")
    assert re.fullmatch(r'"v=STSv1; id=[0-9a-f]{32}"', record)
    assert mta_sts_id(before.inventory.primary) in record
    lab.replace(RIJK, "  contact:", "  names: {mail: mx.rijk.test}\n  contact:")
    assert data(lab.declared().zones["rijk.test."], "_mta-sts", "TXT") != [record]


def test_others_report_on_tls(rijk: Zone) -> None:
    assert data(rijk, "_smtp._tls", "TXT") == ['"v=TLSRPTv1; rua=mailto:tls-reports@rijk.test"']


@pytest.mark.parametrize(
    ("service", "wanted"),
    [
        ("_imaps", "0 1 993 mail.rijk.test."),
        ("_submissions", "0 1 465 mail.rijk.test."),
        ("_submission", "0 1 587 mail.rijk.test."),
        ("_sieve", "0 1 4190 mail.rijk.test."),
        ("_autodiscover", "0 1 443 autodiscover.rijk.test."),
        ("_imap", "0 0 0 ."),
        ("_pop3", "0 0 0 ."),
        ("_pop3s", "0 0 0 ."),
        ("_caldavs", "0 1 443 groupware.rijk.test."),
        ("_carddavs", "0 1 443 groupware.rijk.test."),
        ("_caldav", "0 0 0 ."),
        ("_carddav", "0 0 0 ."),
    ],
)
def test_clients_find_encrypted_services_and_no_others(rijk: Zone, service: str, wanted: str) -> None:
    assert data(rijk, f"{service}._tcp", "SRV") == [wanted]


@pytest.mark.parametrize("service", ["_caldavs", "_carddavs"])
def test_clients_find_where_calendars_and_contacts_begin(rijk: Zone, service: str) -> None:
    assert data(rijk, f"{service}._tcp", "TXT") == ['"path=/SOGo/dav/"']


def test_a_domain_without_groupware_offers_no_calendars(declared: Declared) -> None:
    assert not [record for record in declared.zones["partner.test."].records if "dav" in record.name]


def test_a_domain_without_mail_says_so(declared: Declared) -> None:
    zone = declared.zones["test."]
    assert data(zone, "@", "MX") == ["0 ."]
    assert data(zone, "@", "TXT") == ['"v=spf1 -all"']
    assert data(zone, "_dmarc", "TXT") == ['"v=DMARC1; p=reject; adkim=s; aspf=s"']
    assert not [record for record in zone.records if record.type in ("SRV", "TLSA") or "_mta-sts" in record.name]


# certificates


@pytest.mark.parametrize(
    "name",
    [
        *(f"_{port}._tcp.mail" for port in (25, 465, 587, 993)),
        *(f"_443._tcp.{label}" for label in ("www", "autoconfig", "autodiscover", "mta-sts", "@")),
        "_636._tcp.ldap",
    ],
)
def test_every_tls_service_has_the_digest_of_its_key(declared: Declared, rijk: Zone, name: str) -> None:
    assert data(rijk, name, "TLSA") == [keys.tlsa(declared.secrets["rijk"]["certificates_key_secret"])]


def test_only_the_platforms_authority_may_certify(rijk: Zone) -> None:
    wanted = ['0 iodef "mailto:security@rijk.test"', '0 issue "acme.test"', '0 issuewild ";"']
    assert data(rijk, "@", "CAA") == wanted


@pytest.mark.parametrize(
    ("directory", "more", "issuer"),
    [
        ("https://acme-v02.api.letsencrypt.org/directory", "", "letsencrypt.org"),
        ("https://acme.sectigo.com/v2/OV", "caa: sectigo.com", "sectigo.com"),
        ("https://acme.elders.example/dir", "caa: other.example", "other.example"),
    ],
)
def test_the_authority_is_known_by_its_domain_unless_told_otherwise(
    lab: Edited, directory: str, more: str, issuer: str
) -> None:
    lab.replace("group_vars/all/main.yml", "https://acme.test:14000/dir", f"{directory}\n    {more}")
    assert f'0 issue "{issuer}"' in data(lab.declared().zones["rijk.test."], "@", "CAA")


def test_nobody_may_certify_a_domain_that_needs_no_certificates(declared: Declared) -> None:
    assert '0 issue ";"' in data(declared.zones["test."], "@", "CAA")


# further records


def test_an_organisation_adds_records_of_its_own(lab: Edited) -> None:
    lab.replace(RIJK, "  contact:", "  records: ['blog A 192.0.2.10', '@ TXT \"site=1\"']\n  contact:")
    zone = lab.declared().zones["rijk.test."]
    assert data(zone, "blog", "A") == ["192.0.2.10"]
    assert '"site=1"' in data(zone, "@", "TXT")


def test_a_record_stands_in_the_zone_that_its_name_is_in(lab: Edited) -> None:
    records = f"  records: ['99.10.{REVERSE_4} PTR vreemd.test.', 'vreemd A 198.18.10.99']\n  contact:"
    found = lab.replace("group_vars/internet/main.yml", "  contact:", records).declared().zones
    assert data(found[REVERSE_4], "99.10", "PTR") == ["vreemd.test."]
    assert data(found["test."], "vreemd", "A") == ["198.18.10.99"]


# the chain of trust


def test_a_parent_delegates_to_each_child_with_name_servers_addresses_and_ds(declared: Declared) -> None:
    parent, child = declared.zones["test."], declared.zones["rijk.test."]
    assert child.ds is not None
    assert data(parent, "rijk.test.", "NS") == ["ns1.rijk.test.", "ns2.rijk.test."]
    assert data(parent, "ns2.rijk.test.", "AAAA") == ["fd00:18:10::13"]
    assert data(parent, "rijk.test.", "DS") == [child.ds.to_text()]


@pytest.mark.parametrize("name", ["test.", REVERSE_4, REVERSE_6])
def test_the_root_delegates_to_the_zones_below_it(declared: Declared, name: str) -> None:
    child = declared.zones[name]
    assert child.ds is not None
    assert data(declared.zones["."], name, "NS") == ["ns1.test."]
    assert data(declared.zones["."], name, "DS") == [child.ds.to_text()]
    assert data(declared.zones["."], "ns1.test.", "A") == ["198.18.10.14"]


def test_the_root_does_not_delegate_what_another_zone_delegates(declared: Declared) -> None:
    assert data(declared.zones["."], "rijk.test.", "NS") == []


def test_a_name_server_outside_the_parent_has_no_address_there(lab: Edited) -> None:
    lab.replace("group_vars/internet/main.yml", f"    - {REVERSE_4} ", f"    - 10.{REVERSE_4}\n    - {REVERSE_4} ")
    parent = lab.declared().zones[REVERSE_4]
    assert data(parent, f"10.{REVERSE_4}", "NS") == ["ns1.test."]
    assert {record.type for record in parent.records} == {"SOA", "NS", "DS"}


@pytest.mark.parametrize("name", EVERY_ZONE)
def test_a_signature_by_the_zones_key_is_good_under_the_parents_ds(declared: Declared, name: str) -> None:
    zone = declared.zones[name]
    assert zone.dnskey is not None
    assert zone.ds is not None
    owner = dns.name.from_text(name)
    pem = declared.secrets[zone.organisation]["powerdns_dnssec_secret"]
    rrset = dns.rrset.from_rdata(owner, 60, zone.dnskey)
    now = datetime.now(UTC)
    signature = dns.dnssec.sign(
        rrset,
        cast(EllipticCurvePrivateKey, load_pem_private_key(pem.encode(), None)),
        owner,
        zone.dnskey,
        inception=now,
        expiration=now + timedelta(days=1),
    )
    signed = dns.rrset.from_rdata(owner, 60, signature)
    dns.dnssec.validate(rrset, signed, {owner: rrset}, now=now.timestamp() + 1)
    assert dns.dnssec.make_ds(owner, rrset[0], "SHA256") == zone.ds


def test_every_organisation_signs_with_a_key_of_its_own(declared: Declared) -> None:
    tags = {zone.organisation: zone.dnskey.to_text() for zone in declared.zones.values() if zone.dnskey}
    assert len(set(tags.values())) == 3


# zones that are served elsewhere


def test_a_domain_served_elsewhere_has_records_but_neither_soa_nor_key(lab: Edited) -> None:
    lab.replace("hosts.yml", "runs: [dns, certificates", "runs: [certificates").replace(
        "hosts.yml", "runs: [dns]", "runs: []"
    ).replace(RIJK, "dns: powerdns", "dns: off")
    lab.replace("group_vars/partner/main.yml", "dns: powerdns", "dns: off")
    zone = lab.declared().zones["rijk.test."]
    assert (zone.dnskey, zone.ds, zone.private_key) == (None, None, "")
    assert not [record for record in zone.records if record.type in ("SOA", "NS", "DS")]
    assert data(zone, "@", "MX") == ["10 mail.rijk.test."]
    assert data(lab.declared().zones["test."], "rijk.test.", "NS") == []


# text


@pytest.mark.parametrize("length", [0, 1, 254, 255, 256, 600])
def test_a_long_text_is_split_and_reads_as_before(length: int) -> None:
    content = ("ab" * length)[:length]
    assert b"".join(strings(text(content))).decode() == content


def test_quotes_and_backslashes_survive() -> None:
    assert b"".join(strings(text('a"b\\c'))) == b'a"b\\c'


def test_a_record_is_equal_to_another_with_the_same_content() -> None:
    assert Record("a.", "A", "192.0.2.1") == Record("a.", "A", "192.0.2.1")
