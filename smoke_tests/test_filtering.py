"""What comes from strangers: genuine mail is let in, forged, broken, unwanted and dangerous mail is not."""

from __future__ import annotations

import re
import smtplib
from email.message import EmailMessage

import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients import dns, smtp
from smoke_tests.clients.imap import parse
from smoke_tests.people import Account, MailboxOf, by_id, letter, verdicts
from smoke_tests.target import Organisation, Target

# The standard test patterns, in parts: in one piece they would make this file look dangerous itself.
UNWANTED = "-".join(("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE", "STANDARD", "ANTI", "UBE", "TEST", "EMAIL*C.34X"))
VIRUS = "".join(("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EI", "CAR-STANDARD-ANTI", "VIRUS-TEST-FILE!$H+H*"))


@pytest.fixture(scope="module")
def signed(pieter: Account, bram: Account, mailbox_of: MailboxOf) -> bytes:
    """A mail that the second organisation signed, as it arrived here."""
    message = letter(pieter.address, bram.address, body="Bedrag: 100 euro.\n")
    assert pieter.send(message).accepted
    inbox = mailbox_of(bram)
    return inbox.fetch_raw(inbox.wait_for(*by_id(message), seconds=30))


@pytest.fixture
def address(target: Target) -> str:
    """An address of nobody, under a domain that takes mail from anybody for its own."""
    return target.stranger


def test_mail_from_a_stranger_arrives(
    stranger: smtplib.SMTP, address: str, bram: Account, mailbox_of: MailboxOf
) -> None:
    message = letter(address, bram.address)
    reply = smtp.offer(stranger, address, [bram.address], message)
    assert reply.accepted, reply
    mailbox_of(bram).wait_anywhere(*by_id(message))


def test_unwanted_mail_is_refused(stranger: smtplib.SMTP, address: str, bram: Account, evidence: Evidence) -> None:
    reply = smtp.offer(stranger, address, [bram.address], letter(address, bram.address, body=f"{UNWANTED}\n"))
    evidence.keep("reply.txt", str(reply))
    assert (reply.command, reply.code) == ("DATA", 554), reply


def _with_virus(sender: str, recipient: str) -> EmailMessage:
    message = letter(sender, recipient)
    message.add_attachment(VIRUS.encode(), maintype="application", subtype="octet-stream", filename="factuur.bin")
    return message


def test_a_virus_from_a_stranger_is_refused(
    stranger: smtplib.SMTP, address: str, bram: Account, evidence: Evidence
) -> None:
    reply = smtp.offer(stranger, address, [bram.address], _with_virus(address, bram.address))
    evidence.keep("reply.txt", str(reply))
    assert (reply.command, reply.code) == ("DATA", 554), reply
    assert "virus" in reply.text.lower()


def test_a_virus_from_a_colleague_is_refused(anna: Account, bram: Account) -> None:
    reply = anna.send(_with_virus(anna.address, bram.address))
    assert (reply.command, reply.code) == ("DATA", 554), reply
    assert "virus" in reply.text.lower()


@pytest.mark.requirement("SOV-OPEN")
def test_signed_mail_that_a_stranger_passes_on_unchanged_is_genuine(
    *, stranger: smtplib.SMTP, address: str, signed: bytes, anna: Account, home: Organisation,
    mailbox_of: MailboxOf, evidence: Evidence,
) -> None:  # fmt: skip
    reply = smtp.offer(stranger, address, [anna.address], signed)
    assert reply.accepted, reply
    inbox = mailbox_of(anna)
    folder, uid = inbox.wait_anywhere(*by_id(parse(signed)))
    received = inbox.fetch(uid, folder)
    found = verdicts(received, home)
    evidence.keep("authentication-results.txt", str(received["Authentication-Results"]))
    assert (found["dkim"], found["dmarc"]) == ("pass", "pass")
    assert found.get("spf") != "pass", "the stranger is not the partner's server"


@pytest.mark.requirement("SOV-OPEN")
def test_signed_mail_with_one_byte_of_its_body_changed_is_refused(
    stranger: smtplib.SMTP, address: str, signed: bytes, anna: Account, evidence: Evidence
) -> None:
    broken = signed.replace(b"Bedrag: 100 euro.", b"Bedrag: 900 euro.")
    assert sum(a != b for a, b in zip(signed, broken, strict=True)) == 1
    reply = smtp.offer(stranger, address, [anna.address], broken)
    evidence.keep("reply.txt", str(reply))
    assert reply.command == "DATA"
    assert reply.refused, reply


@pytest.mark.requirement("SOV-OPEN")
def test_a_forged_sender_is_refused(stranger: smtplib.SMTP, pieter: Account, bram: Account, evidence: Evidence) -> None:
    reply = smtp.offer(stranger, pieter.address, [bram.address], letter(pieter.address, bram.address))
    evidence.keep("reply.txt", str(reply))
    assert reply.refused, reply


@pytest.mark.requirement("SOV-OPEN")
def test_a_stranger_who_writes_as_a_colleague_is_refused(
    stranger: smtplib.SMTP, anna: Account, bram: Account, evidence: Evidence
) -> None:
    reply = smtp.offer(stranger, anna.address, [bram.address], letter(anna.address, bram.address))
    evidence.keep("reply.txt", str(reply))
    assert reply.refused, reply


@pytest.mark.requirement("SOV-OPEN")
def test_a_stranger_who_hides_behind_another_envelope_is_refused(
    stranger: smtplib.SMTP, address: str, anna: Account, bram: Account
) -> None:
    for envelope in (address, ""):
        reply = smtp.offer(stranger, envelope, [bram.address], letter(anna.address, bram.address))
        assert reply.refused, reply


def test_mail_to_nobody_is_refused_at_once(stranger: smtplib.SMTP, address: str, home: Organisation) -> None:
    reply = smtp.offer(stranger, address, [f"rooktest-nobody@{home.domain}"], b"")
    assert reply.command.startswith("RCPT")
    assert reply.refused, reply


@pytest.mark.parametrize("name", ["postmaster", "abuse"])
def test_the_addresses_that_others_turn_to_exist(
    stranger: smtplib.SMTP, address: str, home: Organisation, name: str
) -> None:
    assert stranger.mail(address)[0] == 250
    code, text = stranger.rcpt(f"{name}@{home.domain}")
    assert code == 250, text


def test_the_addresses_that_we_publish_for_reports_exist(
    stranger: smtplib.SMTP, address: str, home: Organisation
) -> None:
    published = {home.contact}
    for name in (f"_dmarc.{home.domain}", f"_smtp._tls.{home.domain}"):
        published |= set(re.findall(r"mailto:([^\s,;!]+)", " ".join(dns.ask(name, "TXT").texts)))
    assert stranger.mail(address)[0] == 250
    refused = {name: code for name in published if (code := stranger.rcpt(name)[0]) != 250}
    assert refused == {}
