"""What the world reads about the organisation's mail in its signed zone."""

from __future__ import annotations

import re
import socket
import ssl

import pytest

from smoke_tests.clients import http, smtp
from smoke_tests.clients.dns import Answer, ask
from smoke_tests.clients.tls import context, served, spki_sha256
from smoke_tests.target import Organisation

pytestmark = pytest.mark.requirement("SOV-OPEN")


@pytest.fixture(autouse=True, scope="module")
def _resolver_verifies() -> None:
    if not ask(".", "SOA").verified:
        pytest.skip("this machine's resolver does not verify signatures")


def one_text(name: str, start: str) -> str:
    """The only text record of a name that starts like that; verified."""
    answer = ask(name, "TXT")
    assert answer.verified, f"{name} TXT is not verified"
    texts = [text for text in answer.texts if text.startswith(start)]
    assert len(texts) == 1, texts
    return texts[0]


@pytest.mark.parametrize("kind", ["SOA", "NS", "MX", "DNSKEY"])
def test_the_zone_is_signed(home: Organisation, kind: str) -> None:
    answer = ask(home.domain, kind)
    assert answer.records
    assert answer.verified


def test_that_a_name_does_not_exist_is_signed_too(home: Organisation) -> None:
    assert ask(f"rooktest-nobody.{home.domain}", "A") == Answer((), verified=True)


def test_there_are_two_name_servers_that_answer_over_both_families(home: Organisation) -> None:
    servers = [record.to_text() for record in ask(home.domain, "NS").records]
    assert len(servers) >= 2
    for server in servers:
        assert ask(server, "A").records
        assert ask(server, "AAAA").records


def test_mail_goes_to_the_mail_server_over_both_families(home: Organisation) -> None:
    assert ask(home.domain, "MX").texts == (f"10 {home.mail}.",)
    for kind, family in (("A", socket.AF_INET), ("AAAA", socket.AF_INET6)):
        (record,) = ask(home.mail, kind).records
        with socket.socket(family) as connection:
            connection.settimeout(10)
            connection.connect((record.to_text(), 25))
            assert connection.recv(4) == b"220 "


def test_spf_names_the_senders_and_nobody_else(home: Organisation) -> None:
    policy = one_text(home.domain, "v=spf1").split()
    assert policy[-1] == "-all"
    addresses = {record.to_text() for kind in ("A", "AAAA") for record in ask(home.mail, kind).records}
    assert {term.partition(":")[2] for term in policy[1:-1] if term.startswith(("ip4:", "ip6:"))} >= addresses


def test_the_key_of_the_signatures_is_published(home: Organisation) -> None:
    assert home.mail
    assert ask(f"_domainkey.{home.domain}", "TXT").verified
    key = one_text(f"{home.dkim_selector}._domainkey.{home.domain}", "v=DKIM1")
    assert len(re.sub(r".*p=", "", key)) > 300, "an RSA key of 2048 bits"


def test_dmarc_asks_to_refuse_forgeries(home: Organisation) -> None:
    assert home.mail
    policy = dict(
        part.strip().split("=", 1) for part in one_text(f"_dmarc.{home.domain}", "v=DMARC1").split(";") if part
    )
    assert policy["p"] == "reject"
    assert policy["rua"].startswith("mailto:")


def test_reports_about_encryption_are_asked_for(home: Organisation) -> None:
    assert home.mail
    assert "rua=mailto:" in one_text(f"_smtp._tls.{home.domain}", "v=TLSRPTv1")
    assert re.fullmatch(r"v=STSv1; id=[a-zA-Z0-9]{1,32};?", one_text(f"_mta-sts.{home.domain}", "v=STSv1"))


def test_it_is_said_who_may_certify(home: Organisation) -> None:
    answer = ask(home.domain, "CAA")
    assert answer.verified
    assert any(text.startswith("0 issue ") for text in answer.texts)
    assert f'0 iodef "mailto:{home.contact}"' in answer.texts


@pytest.mark.requirement("MBGROUPWARE-10")
@pytest.mark.parametrize(("name", "port"), [("mail", 25), ("mail", 465), ("mail", 587), ("mail", 993), ("www", 443)])
def test_the_key_that_is_served_is_the_one_in_dns(home: Organisation, name: str, port: int) -> None:
    host = home.served(name)
    answer = ask(f"_{port}._tcp.{host}", "TLSA")
    assert answer.verified
    certificate = _after_starttls(host, port) if port in (25, 587) else served(host, port)
    assert f"3 1 1 {spki_sha256(certificate)}" in answer.texts


def _after_starttls(host: str, port: int) -> bytes:
    with smtp.connect(host, port) as connection:
        assert isinstance(connection.sock, ssl.SSLSocket)
        certificate = connection.sock.getpeercert(binary_form=True)
    assert certificate
    return certificate


def test_clients_find_the_servers(home: Organisation) -> None:
    for service, port in (("_imaps", 993), ("_submissions", 465)):
        assert ask(f"{service}._tcp.{home.domain}", "SRV").texts == (f"0 1 {port} {home.mail}.",)
    assert ask(f"_imap._tcp.{home.domain}", "SRV").texts == ("0 0 0 .",), "unencrypted: not there, and it is said"
    assert context().check_hostname


@pytest.mark.requirement("MBGROUPWARE-01")
@pytest.mark.parametrize("service", ["caldav", "carddav"])
def test_programs_find_calendars_and_contacts_from_the_domain_alone(home: Organisation, service: str) -> None:
    host = home.served("groupware")
    encrypted = ask(f"_{service}s._tcp.{home.domain}", "SRV")
    assert encrypted.verified
    assert encrypted.texts == (f"0 1 443 {host}.",)
    assert ask(f"_{service}._tcp.{home.domain}", "SRV").texts == ("0 0 0 .",), "unencrypted: not there, and it is said"
    path = one_text(f"_{service}s._tcp.{home.domain}", "path=").removeprefix("path=")
    assert http.ask("PROPFIND", host, path).status == 401, "who has the name and the path still has to log in"
    well_known = http.ask("GET", host, f"/.well-known/{service}")
    assert well_known.status == 301
    assert well_known.headers["location"].removeprefix(f"https://{host}") == path, "the other way leads there too"
