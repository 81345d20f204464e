"""What mail programs, other servers and finders of weaknesses look up on the web."""

from __future__ import annotations

import datetime
import re
import ssl
from xml.etree import ElementTree

import pytest

from smoke_tests.clients import http
from smoke_tests.clients.tls import open_port, refusal, served
from smoke_tests.target import Organisation, Target

WEB = ("autoconfig", "autodiscover", "mta-sts", "www")


@pytest.fixture
def address(home: Organisation) -> str:
    return f"postmaster@{home.domain}"


def test_thunderbird_finds_its_settings(home: Organisation, address: str) -> None:
    response = http.get(home.served("autoconfig"), f"/mail/config-v1.1.xml?emailaddress={address}")
    assert response.status == 200
    provider = ElementTree.fromstring(response.text).find("emailProvider")
    assert provider is not None
    assert [domain.text for domain in provider.findall("domain")] == [home.domain]
    found = set()
    for server in [*provider.findall("incomingServer"), *provider.findall("outgoingServer")]:
        assert server.findtext("hostname") == home.mail
        assert server.findtext("socketType") in ("SSL", "STARTTLS")
        found.add((server.get("type"), int(server.findtext("port") or 0)))
        assert open_port(home.mail, int(server.findtext("port") or 0))
    assert {("imap", 993), ("smtp", 465)} <= found


def test_outlook_finds_its_settings(home: Organisation, address: str) -> None:
    schema = "http://schemas.microsoft.com/exchange/autodiscover/outlook"
    question = (
        f'<Autodiscover xmlns="{schema}/requestschema/2006"><Request><EMailAddress>{address}</EMailAddress>'
        f"<AcceptableResponseSchema>{schema}/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
    )
    path = "/autodiscover/autodiscover.xml"
    response = http.post(home.served("autodiscover"), path, question.encode(), "text/xml; charset=utf-8")
    assert response.status == 200
    protocols = ElementTree.fromstring(response.text).iter(f"{{{schema}/responseschema/2006a}}Protocol")
    found = {
        protocol.findtext("{*}Type"): (protocol.findtext("{*}Server"), protocol.findtext("{*}Port"))
        for protocol in protocols
        if protocol.findtext("{*}SSL") == "on"
    }
    assert found == {"IMAP": (home.mail, "993"), "SMTP": (home.mail, "465")}


@pytest.mark.requirement("SOV-OPEN")
def test_others_are_told_to_encrypt_mail_to_us(home: Organisation) -> None:
    response = http.get(home.served("mta-sts"), "/.well-known/mta-sts.txt")
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/plain")
    pairs = [line.split(": ", 1) for line in response.text.splitlines()]
    fields = dict(pairs)
    assert (fields["version"], fields["mode"]) == ("STSv1", "enforce")
    assert [value for key, value in pairs if key == "mx"] == [home.mail]
    assert 604800 <= int(fields["max_age"]) <= 31557600


@pytest.mark.requirement("SOV-OPEN")
def test_finders_of_weaknesses_know_whom_to_tell(home: Organisation) -> None:
    response = http.get(home.served("www"), "/.well-known/security.txt")
    assert response.status == 200
    assert response.headers["content-type"].replace(" ", "").lower() == "text/plain;charset=utf-8"
    fields = [line.split(": ", 1) for line in response.text.splitlines() if ": " in line and not line.startswith("#")]
    assert ["Contact", f"mailto:{home.contact}"] in fields
    (expires,) = (value for key, value in fields if key == "Expires")
    left = datetime.datetime.fromisoformat(expires) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=7) < left < datetime.timedelta(days=366)


@pytest.mark.requirement("SOV-OPEN")
@pytest.mark.parametrize("name", WEB)
def test_every_page_is_encrypted_and_says_so(home: Organisation, name: str) -> None:
    host = home.served(name)
    plain = http.get(host, "/", tls=False)
    assert plain.status in (301, 302, 307, 308)
    assert plain.headers["location"].startswith(f"https://{host}/")
    response = http.get(host, "/")
    age = dict(part.strip().partition("=")[::2] for part in response.headers["strict-transport-security"].split(";"))
    assert int(age["max-age"]) >= 31536000
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in response.headers


@pytest.mark.requirement("SOV-OPEN")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_old_encryption_is_refused(home: Organisation, version: ssl.TLSVersion) -> None:
    for host, port in ((home.mail, 993), (home.mail, 465), (home.served("www"), 443)):
        assert "ALERT" in refusal(host, port, version), f"{host}:{port}"
        assert refusal(host, port, ssl.TLSVersion.TLSv1_2) == "", "the counterpart: 1.2 is spoken"


def test_certificates_are_valid_for_another_week(home: Organisation) -> None:
    from cryptography import x509  # noqa: PLC0415

    for host, port in ((home.mail, 993), (home.served("www"), 443)):
        left = x509.load_der_x509_certificate(served(host, port)).not_valid_after_utc
        assert left - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=7)


def test_the_page_for_people_says_how_to_set_up_a_device(home: Organisation, target: Target) -> None:
    if target.environment != "lab":
        pytest.skip("the organisation's own page may stand there")
    page = http.get(home.served("www")).text
    assert {home.mail, home.served("groupware"), f"https://{home.served('sso')}/devices"} <= set(
        re.findall(r"https://[\w./-]+/devices|[\w-]+(?:\.[\w-]+)+", page)
    )
