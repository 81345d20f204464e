"""Knowing that a mail was delivered, and that it was read."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients.imap import Imap
from smoke_tests.people import Account, MailboxOf, by_id, letter
from smoke_tests.target import Organisation

pytestmark = pytest.mark.requirement("MBGROUPWARE-11")


def part(message: EmailMessage, content_type: str) -> str:
    """The text of the first part of that type."""
    for found in message.walk():
        if found.get_content_type() == content_type:
            content = found.get_payload()
            return "\n".join(str(block) for block in content) if isinstance(content, list) else str(content)
    raise AssertionError(f"no {content_type} in {[p.get_content_type() for p in message.walk()]}")


def report_about(mailbox: Imap, message: EmailMessage) -> EmailMessage:
    """The report that quotes a mail's Message-ID."""
    uid = mailbox.wait_for(
        "FROM", '"MAILER-DAEMON"', "TEXT", f'"{message["Message-ID"].strip("<>").partition("@")[0]}"'
    )
    return mailbox.fetch(uid)


def test_delivery_is_reported_to_who_asked(
    anna: Account, bram: Account, mailbox_of: MailboxOf, evidence: Evidence
) -> None:
    message = letter(anna.address, bram.address)
    reply = anna.send(message, mail_options=["RET=HDRS"], rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
    assert reply.accepted, reply
    report = report_about(mailbox_of(anna), message)
    evidence.keep("report.eml", report.as_bytes())
    assert report.get_content_type() == "multipart/report"
    status = part(report, "message/delivery-status").lower()
    assert bram.address in status
    assert "action: delivered" in status or "action: relayed" in status


def test_a_mail_that_cannot_be_delivered_comes_back(
    anna: Account, partner: Organisation, mailbox_of: MailboxOf
) -> None:
    message = letter(anna.address, f"rooktest-nobody@{partner.domain}")
    assert anna.send(message).accepted
    status = part(report_about(mailbox_of(anna), message), "message/delivery-status").lower()
    assert "action: failed" in status
    assert "status: 5." in status


def test_a_reader_can_confirm_and_the_sender_learns_it(
    anna: Account, bram: Account, mailbox_of: MailboxOf, evidence: Evidence
) -> None:
    message = letter(anna.address, bram.address)
    message["Disposition-Notification-To"] = anna.address
    assert anna.send(message).accepted
    reader = mailbox_of(bram)
    received = reader.fetch(reader.wait_for(*by_id(message)))
    assert received["Disposition-Notification-To"] == anna.address

    confirmation = _confirmation(received, bram)
    assert bram.send(confirmation, anna.address, sender="").accepted or bram.send(confirmation, anna.address).accepted
    inbox = mailbox_of(anna)
    arrived = inbox.fetch(inbox.wait_for(*by_id(confirmation)))
    evidence.keep("confirmation.eml", arrived.as_bytes())
    assert arrived.get_content_type() == "multipart/report"
    assert arrived.get_param("report-type") == "disposition-notification"
    told = part(arrived, "message/disposition-notification")
    assert str(message["Message-ID"]) in told
    assert "displayed" in told


def _confirmation(received: EmailMessage, reader: Account) -> EmailMessage:
    """What a mail program sends when its user agrees (RFC 8098)."""
    confirmation = letter(reader.address, str(received["Disposition-Notification-To"]), subject="Gelezen:")
    confirmation.make_mixed()
    fields = EmailMessage()
    fields["Content-Type"] = "message/disposition-notification"
    fields.set_payload(
        f"Final-Recipient: rfc822;{reader.address}\r\nOriginal-Message-ID: {received['Message-ID']}\r\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\r\n"
    )
    confirmation.attach(fields)
    confirmation.replace_header("Content-Type", 'multipart/report; report-type="disposition-notification"')
    return confirmation
