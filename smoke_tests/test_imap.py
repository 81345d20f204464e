"""Reading mail: folders, search, quota; and nothing without encryption."""

from __future__ import annotations

import io
import secrets
import zipfile

import pytest

from smoke_tests.clients.imap import Imap, ImapError
from smoke_tests.clients.tls import open_ports
from smoke_tests.conftest import WrongPasswords
from smoke_tests.people import Account, MailboxOf, Staff, by_id, letter
from smoke_tests.target import Organisation


@pytest.fixture
def mailbox(bram: Account, mailbox_of: MailboxOf) -> Imap:
    return mailbox_of(bram)


@pytest.mark.requirement("MBGROUPWARE-09")
def test_folders_are_made_renamed_subscribed_and_deleted(mailbox: Imap) -> None:
    mailbox.create("Dossiers")
    mailbox.create("Dossiers/2026")
    assert {"Dossiers", "Dossiers/2026"} <= set(mailbox.folders())
    mailbox.subscribe("Dossiers/2026")
    assert "Dossiers/2026" in mailbox.folders(subscribed=True)
    mailbox.subscribe("Dossiers/2026", on=False)
    assert "Dossiers/2026" not in mailbox.folders(subscribed=True)
    mailbox.rename("Dossiers", "Archief 2026")
    assert {"Archief 2026", "Archief 2026/2026"} <= set(mailbox.folders())
    mailbox.delete("Archief 2026/2026")
    mailbox.delete("Archief 2026")
    assert not [folder for folder in mailbox.folders() if folder.startswith(("Archief 2026", "Dossiers"))]


@pytest.mark.requirement("MBGROUPWARE-09")
def test_the_folders_that_every_mail_program_looks_for_are_there(mailbox: Imap) -> None:
    found = {flag for flags in mailbox.folders().values() for flag in flags}
    assert {"\\Drafts", "\\Sent", "\\Trash", "\\Junk"} <= found


@pytest.mark.requirement("MBGROUPWARE-04")
def test_search_finds_a_word_in_the_body(anna: Account, bram: Account, mailbox: Imap) -> None:
    word = f"woord{secrets.token_hex(6)}"
    message = letter(anna.address, bram.address, body=f"Het besluit over {word} staat in de bijlage.\n")
    assert anna.send(message).accepted
    uid = mailbox.wait_for(*by_id(message))
    assert mailbox.search("BODY", f'"{word}"') == [uid]
    assert mailbox.search("BODY", f'"{word}x"') == []


@pytest.mark.requirement("MBGROUPWARE-04")
@pytest.mark.parametrize("kind", ["text", "document"])
def test_search_finds_a_word_in_an_attachment(anna: Account, bram: Account, mailbox: Imap, kind: str) -> None:
    word = f"bijlage{secrets.token_hex(6)}"
    message = letter(anna.address, bram.address)
    if kind == "text":
        message.add_attachment(f"Hoofdstuk 1: {word}\n", filename="nota.txt")
    else:
        message.add_attachment(
            _document(word), maintype="application", subtype="vnd.oasis.opendocument.text", filename="nota.odt"
        )
    assert anna.send(message).accepted
    uid = mailbox.wait_for(*by_id(message))
    assert mailbox.search("TEXT", f'"{word}"') == [uid]


def _document(word: str) -> bytes:
    """The smallest OpenDocument text that has a word in it."""
    office = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    text = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="{office}" xmlns:text="{text}" '
        f'office:version="1.2"><office:body><office:text><text:p>{word}</text:p></office:text></office:body>'
        "</office:document-content>"
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", content)
    return file.getvalue()


def test_a_full_mailbox_takes_no_more_and_says_so(staff: Staff, mailbox_of: MailboxOf) -> None:
    daan = mailbox_of(staff.daan)
    assert daan.quota()[1] == 2 * 1024
    # Two MiB, and the grace that lets one last mail in.
    with pytest.raises(ImapError, match=r"(?i)quota|full"):
        daan.append(b"Subject: vol\r\n\r\n" + b"0123456789abcdef" * 64 * 1024 * 20 + b"\r\n")


def test_nobody_reads_with_a_wrong_password(wrong_passwords: WrongPasswords) -> None:
    assert "AUTHENTICATIONFAILED" in wrong_passwords["imap"]


def test_the_address_is_as_good_as_the_name_to_log_in(home: Organisation, bram: Account) -> None:
    mailbox = Imap(home.mail, bram.address, bram.app_password)
    mailbox.select()
    mailbox.close()


def test_what_could_leak_a_password_is_not_there(home: Organisation) -> None:
    hosts = (home.mail, home.names.get("ldap", home.mail))
    there = open_ports(
        [(home.mail, 993), (home.mail, 465), *((host, port) for host in hosts for port in (110, 143, 389, 995))]
    )
    assert there == {(home.mail, 993), (home.mail, 465)}
