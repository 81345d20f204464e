"""Mail from one organisation to another and back: encrypted, signed, and found to be genuine."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import dkim
import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients.imap import parse
from smoke_tests.clients.waiting import wait_until
from smoke_tests.conftest import LabHost
from smoke_tests.people import Account, MailboxOf, by_id, letter, verdicts

GENUINE = {"spf": "pass", "dkim": "pass", "dmarc": "pass"}


@dataclass(frozen=True)
class Exchange:
    """A mail, how it arrived, and when it was sent (by this machine's clock, which a lab's hosts have too)."""

    sender: Account
    recipient: Account
    content: bytes
    sent: float


@pytest.fixture(scope="module")
def exchanges(anna: Account, pieter: Account, mailbox_of: MailboxOf) -> dict[str, Exchange]:
    """A mail there and one back."""
    now = time.time()
    sent = {}
    for direction, sender, recipient in (("there", anna, pieter), ("back", pieter, anna)):
        message = letter(sender.address, recipient.address, body="Goedendag,\n\nhierbij de stukken.\n")
        reply = sender.send(message)
        assert reply.accepted, reply
        sent[direction] = (sender, recipient, message)
    arrived = {}
    for direction, (sender, recipient, message) in sent.items():
        inbox = mailbox_of(recipient)
        uid = inbox.wait_for(*by_id(message), seconds=30)
        arrived[direction] = Exchange(sender, recipient, inbox.fetch_raw(uid), now)
    return arrived


@pytest.fixture(params=["there", "back"])
def exchange(exchanges: dict[str, Exchange], request: pytest.FixtureRequest) -> Exchange:
    return exchanges[request.param]


@pytest.mark.requirement("SOV-OPEN")
def test_mail_is_found_to_be_genuine_by_spf_dkim_and_dmarc(exchange: Exchange, evidence: Evidence) -> None:
    evidence.keep("received.eml", exchange.content)
    assert verdicts(parse(exchange.content), exchange.recipient.organisation) == GENUINE


@pytest.mark.requirement("MBGROUPWARE-10")
def test_mail_travels_encrypted_between_servers(exchange: Exchange, evidence: Evidence) -> None:
    hops = [" ".join(str(header).split()) for header in parse(exchange.content).get_all("Received", [])]
    evidence.keep("received-headers.txt", "\n\n".join(hops))
    sender, recipient = exchange.sender.organisation.mail, exchange.recipient.organisation.mail
    between = [hop for hop in hops if f"from {sender}" in hop and f"by {recipient}" in hop]
    assert len(between) == 1, hops
    assert "using TLSv1.3" in between[0]
    assert re.search(r"with (UTF8)?E?SMTPS", between[0])


@pytest.mark.requirement("SOV-OPEN")
def test_a_signature_covers_what_a_reader_sees(exchange: Exchange) -> None:
    assert dkim.verify(exchange.content)
    header = str(parse(exchange.content)["DKIM-Signature"])
    fields = dict(part.strip().split("=", 1) for part in header.split(";") if "=" in part)
    assert fields["d"] == exchange.sender.organisation.domain
    assert {"from", "to", "subject", "date", "message-id"} <= set("".join(fields["h"].split()).lower().split(":"))
    assert "l" not in fields, "something could be added behind the signed part"


@pytest.mark.lab
@pytest.mark.requirement("MBGROUPWARE-10", "SOV-OPEN")
def test_each_server_verifies_the_other_by_dane(exchange: Exchange, lab_host: LabHost, evidence: Evidence) -> None:
    host = exchange.sender.organisation.hosts["mail"][0]
    wanted = f"Verified TLS connection established to {exchange.recipient.organisation.mail}"

    def verified() -> list[str]:
        log = lab_host(host, f"journalctl -q -o cat -t postfix/smtp -S @{exchange.sent:.0f}")
        return [line for line in log.splitlines() if wanted in line]

    evidence.keep("log.txt", "\n".join(wait_until(verified, f"{host}: {wanted}")[-3:]))
