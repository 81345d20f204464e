"""Large mail: as large as promised arrives whole, larger is refused before it is sent."""

from __future__ import annotations

import hashlib
import random

from smoke_tests.people import Account, MailboxOf, by_id, letter

SIZE = 25 * 1024 * 1024


def test_an_attachment_of_25_megabytes_arrives_whole(anna: Account, bram: Account, mailbox_of: MailboxOf) -> None:
    attachment = random.Random(0).randbytes(SIZE)
    message = letter(anna.address, bram.address)
    message.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="kaart.tif")
    reply = anna.send(message)
    assert reply.accepted, reply
    mailbox = mailbox_of(bram)
    received = mailbox.fetch(mailbox.wait_for(*by_id(message), seconds=30))
    arrived = next(received.iter_attachments()).get_content()
    assert hashlib.sha256(arrived).digest() == hashlib.sha256(attachment).digest()
    mailbox.remove(*by_id(message))


def test_what_is_too_large_is_refused_before_it_is_sent(anna: Account) -> None:
    connection = anna.outgoing()
    limit = int(connection.esmtp_features["size"])
    assert limit >= SIZE * 4 // 3, "an attachment of 25 MB is a third larger on the way"
    code, text = connection.mail(anna.address, [f"SIZE={limit + 1}"])
    connection.rset()
    assert code == 552, text
