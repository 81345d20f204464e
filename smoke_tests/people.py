"""People that exist for one run of the suite."""

from __future__ import annotations

import contextlib
import datetime
import re
import secrets
import smtplib
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.utils import formatdate
from typing import TypeAlias

from deploy.errors import Refused
from deploy.people import USES, Directory, Entry, Group, Mailbox, Person, new_password
from smoke_tests.clients import smtp
from smoke_tests.clients.imap import Imap, ImapError
from smoke_tests.target import Organisation

PREFIX = "rooktest-"
_SEATS = 8
_STALE = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Account:
    """Somebody who can log in.

    Attributes:
        password: for the portal.
        app_password: for programs and telephones.
    """

    uid: str
    name: str
    address: str
    aliases: tuple[str, ...]
    password: str = field(repr=False)
    app_password: str = field(repr=False)
    organisation: Organisation = field(repr=False)
    _connections: dict[int, smtplib.SMTP] = field(default_factory=dict, repr=False, compare=False)

    def imap(self) -> Imap:
        """A new connection to the mailbox."""
        return Imap(self.organisation.mail, self.uid, self.app_password)

    def send(
        self, content: EmailMessage | bytes, *recipients: str, sender: str | None = None, port: int = smtp.SUBMISSIONS,
        mail_options: Sequence[str] = (), rcpt_options: Sequence[str] = (),
    ) -> smtp.Reply:  # fmt: skip
        """Hand a mail to the own server; recipients from the header `To` unless given."""
        if not recipients and isinstance(content, EmailMessage):
            recipients = tuple(address.addr_spec for address in content["To"].addresses)
        sender = self.address if sender is None else sender
        return smtp.offer(
            self.outgoing(port), sender, recipients, content, mail_options=mail_options, rcpt_options=rcpt_options
        )

    def outgoing(self, port: int = smtp.SUBMISSIONS) -> smtplib.SMTP:
        """The connection to the own server; one for the whole run: servers limit how often somebody logs in."""
        connection = self._connections.get(port)
        if connection is None or not smtp.alive(connection):
            connection = smtp.log_in(self.organisation.mail, self.uid, self.app_password, port)
            self._connections[port] = connection
        return connection

    def hang_up(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            smtp.close(connection)
        self._connections.clear()


MailboxOf: TypeAlias = Callable[[Account], Imap]
"""The IMAP connection of somebody; see the fixture `mailbox_of`."""


class People:
    """Makes people, and takes them and their mail away when the stack ends."""

    def __init__(self, stack: ExitStack, directory: Directory, organisation: Organisation, seat: str) -> None:
        self._stack = stack
        self._directory = directory
        self.organisation = organisation
        self.seat = seat

    def address(self, name: str) -> str:
        """An address of this run's."""
        return f"{self.seat}-{name}@{self.organisation.domain}"

    def add(self, entry: Entry, password: str | None = None) -> None:
        """Make an entry that goes when the run ends."""
        self._directory.add(entry, (lambda: password) if password else None)
        self._stack.callback(self._remove, entry.uid)

    def person(
        self, uid: str, given_name: str, surname: str, *, aliases: tuple[str, ...] = (), groups: tuple[str, ...] = (),
        quota: int | None = None,
    ) -> Account:  # fmt: skip
        """Make somebody who can log in."""
        uid = f"{self.seat}-{uid}"
        entry = Person(uid, given_name, surname, f"{uid}@{self.organisation.domain}", aliases, groups, quota)
        account = Account(uid, entry.name, entry.mail, aliases, new_password(), new_password(), self.organisation)
        self.add(entry, account.password)
        self.let_in(account)
        empty(account)
        self._stack.callback(empty, account)
        self._stack.callback(account.hang_up)
        return account

    def let_in(self, account: Account, device: str = "rooktest", uses: Collection[str] = tuple(USES)) -> Account:
        """Let a program of somebody in with the application password; for another device with another one.

        Returns:
            The account as that device knows it.
        """
        if device != "rooktest":
            account = replace(account, app_password=new_password(), _connections={})
        self._directory.add_device(account.uid, device, uses, account.app_password)
        return account

    def _remove(self, uid: str) -> None:
        with contextlib.suppress(Refused):  # a test may have removed it
            self._directory.remove(uid)


@dataclass(frozen=True)
class Staff:
    """The people of the organisation that is tested.

    Attributes:
        anna: member of the team; has an alias, and one with a letter outside ASCII.
        bram: not a member of anything.
        clara: not a member of anything; is disabled on the way.
        daan: has a mailbox of two MiB.
        team: name of the group whose mailbox `shared` is.
        shared: uid of the functional mailbox.
        shared_address: its address.
        list_address: address of the team as a mailing list.
    """

    anna: Account
    bram: Account
    clara: Account
    daan: Account
    team: str
    shared: str
    shared_address: str
    list_address: str

    @classmethod
    def hire(cls, stack: ExitStack, directory: Directory, organisation: Organisation, seat: str) -> Staff:
        """Make them all."""
        people = People(stack, directory, organisation, seat)
        team, shared = f"{seat}-team", f"{seat}-balie"
        people.add(Group(team, "Proefteam", people.address("team")))
        people.add(Mailbox(shared, "Proefbalie", people.address("balie"), groups=(team,)))
        return cls(
            anna=people.person(
                "anna", "Anna", "Proef", groups=(team,), aliases=(people.address("a.proef"), people.address("ännä"))
            ),
            bram=people.person("bram", "Bram", "Proef"),
            clara=people.person("clara", "Clara", "Proef"),
            daan=people.person("daan", "Daan", "Proef", quota=2),
            team=team, shared=shared, shared_address=people.address("balie"), list_address=people.address("team"),
        )  # fmt: skip


def empty(account: Account) -> None:
    """Remove every mail and every folder of somebody but those that all have."""
    with contextlib.suppress(OSError, ImapError), contextlib.closing(account.imap()) as imap:
        for folder, flags in sorted(imap.folders().items(), reverse=True):
            with contextlib.suppress(ImapError):
                imap.remove("ALL", folder=folder)
                if folder != "INBOX" and "/" not in folder and not _SPECIAL & set(flags):
                    imap.select()
                    imap.delete(folder)


_SPECIAL = {"\\Drafts", "\\Sent", "\\Archive", "\\Junk", "\\Trash", "\\Noselect", "\\NonExistent"}


def take_seat(stack: ExitStack, directory: Directory) -> str:
    """Take one of the few prefixes under which a run has its people; give it back when the stack ends.

    Few, because the mail server keeps a folder for everybody who ever was; several, because runs may overlap. A group
    of the prefix's name says since when it is taken; after an hour its run is dead and what it left is removed.
    """
    for number in range(_SEATS):
        seat = f"{PREFIX}{number}"
        now = datetime.datetime.now(datetime.UTC)
        taken = next((e for e in directory.entries() if isinstance(e, Group) and e.uid == seat), None)
        if taken and now - datetime.datetime.fromisoformat(taken.name) < _STALE:
            continue
        clear(directory, seat)
        try:
            directory.add(Group(seat, now.isoformat(timespec="seconds")))
        except Refused:  # somebody was quicker
            continue
        stack.callback(directory.remove, seat)
        return seat
    raise RuntimeError(f"{_SEATS} runs of the suite at once")


def clear(directory: Directory, seat: str) -> None:
    """Remove what a run left that was killed."""
    for entry in reversed(directory.entries()):  # groups last: they may be the team of a mailbox
        if entry.uid == seat or entry.uid.startswith(f"{seat}-"):
            directory.remove(entry.uid)


def letter(sender: str, to: str, *, subject: str = "", body: str = "", name: str = "") -> EmailMessage:
    """A mail of this suite; its Message-ID is unique.

    Args:
        sender: address in `From`.
        to: address in `To`.
        subject: what it is about.
        body: its text.
        name: of the sender, for people.
    """
    token = secrets.token_hex(8)
    message = EmailMessage()
    message["From"] = f"{name} <{sender}>" if name else sender
    message["To"] = to
    message["Subject"] = f"{subject or 'Rooktest'} {token}"
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = f"<{token}@{sender.rpartition('@')[2]}>"
    message.set_content(body or "Dit bericht hoort bij een rooktest en wordt weer verwijderd.\n")
    return message


def verdicts(message: EmailMessage, organisation: Organisation) -> dict[str, str]:
    """What a server says about where a mail came from (Authentication-Results, RFC 8601): method -> result."""
    for header in message.get_all("Authentication-Results", []):
        server, _, results = str(header).partition(";")
        if server.split()[0].lower() == organisation.mail:
            found = re.findall(r"(?:^|;)\s*(\w+)\s*=\s*(\w+)", results)
            return {method.lower(): result.lower() for method, result in found}
    return {}


def by_id(message: EmailMessage) -> tuple[str, str, str]:
    """Search criteria that find a mail again."""
    return ("HEADER", "Message-ID", f'"{message["Message-ID"]}"')
