"""Reading mail."""

from __future__ import annotations

import email
import imaplib
import re
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.policy import default
from typing import Any

from smoke_tests.clients.tls import TIMEOUT, context
from smoke_tests.clients.waiting import PATIENCE, wait_until

imaplib._MAXLINE = 10_000_000  # type: ignore[attr-defined]  # a mail with a large attachment on one line
_LISTED = re.compile(rb'\((?P<flags>[^)]*)\) (?:"[^"]*"|NIL) (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<atom>\S+))')


class ImapError(Exception):
    """The server said NO or BAD."""


class Imap:
    """A user's connection to the mail store (IMAP4rev1 over TLS, port 993)."""

    def __init__(self, host: str, user: str, password: str = "", *, token: str = "") -> None:
        self._connection = imaplib.IMAP4_SSL(host, 993, ssl_context=context(), timeout=TIMEOUT)
        if token:  # of the portal (RFC 7628)
            said = f"n,a={user},\1auth=Bearer {token}\1\1".encode()
            self._ask(self._connection.authenticate, "OAUTHBEARER", lambda _: said)
        else:
            self._ask(self._connection.login, user, password)
        self._folder = ""

    def close(self) -> None:
        """Log out."""
        try:
            self._connection.logout()
        except (OSError, imaplib.IMAP4.error):
            self._connection.shutdown()

    @property
    def alive(self) -> bool:
        """Whether the server still listens to this connection."""
        try:
            return self._connection.noop()[0] == "OK"
        except (OSError, imaplib.IMAP4.error):
            return False

    @staticmethod
    def _ask(command: Callable[..., tuple[str, Any]], *arguments: Any) -> list[Any]:
        try:
            answer, data = command(*arguments)
        except imaplib.IMAP4.error as error:
            raise ImapError(str(error)) from error
        if answer != "OK":
            raise ImapError(str(data))
        return list(data)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the server can do, once logged in."""
        return tuple(self._ask(self._connection.capability)[0].decode().split())

    # -- folders ------------------------------------------------------------------------------------------------

    def folders(self, pattern: str = "*", *, subscribed: bool = False) -> dict[str, tuple[str, ...]]:
        """Folder -> flags such as `\\Sent`."""
        data = self._ask(self._connection.lsub if subscribed else self._connection.list, '""', f'"{pattern}"')
        found = {}
        for line in data:
            match = _LISTED.match(line) if isinstance(line, bytes) else None
            if match:
                found[(match["quoted"] or match["atom"]).decode()] = tuple(match["flags"].decode().split())
        return found

    def create(self, folder: str) -> None:
        """Make a folder."""
        self._ask(self._connection.create, f'"{folder}"')

    def rename(self, folder: str, to: str) -> None:
        """Give a folder another name."""
        self._ask(self._connection.rename, f'"{folder}"', f'"{to}"')

    def delete(self, folder: str) -> None:
        """Take a folder away with all that is in it."""
        self._ask(self._connection.delete, f'"{folder}"')

    def subscribe(self, folder: str, *, on: bool = True) -> None:
        """Subscribe to a folder, or no longer."""
        self._ask(self._connection.subscribe if on else self._connection.unsubscribe, f'"{folder}"')

    def quota(self) -> tuple[int, int]:
        """KiB in use and KiB allowed (RFC 9208)."""
        data = self._ask(self._connection.getquotaroot, "INBOX")
        match = re.search(r"STORAGE (\d+) (\d+)", str(data))
        if match is None:
            raise ImapError(f"no quota on storage: {data}")
        return int(match[1]), int(match[2])

    # -- mails --------------------------------------------------------------------------------------------------

    def select(self, folder: str = "INBOX") -> None:
        """Open a folder, or look again what is in it."""
        if folder == self._folder:
            self._ask(self._connection.noop)
        else:
            self._folder = ""
            self._ask(self._connection.select, f'"{folder}"')
            self._folder = folder

    def search(self, *criteria: str, folder: str = "INBOX") -> list[str]:
        """UIDs of the mails that match; strings that are not ASCII go as UTF-8."""
        self.select(folder)
        if all(word.isascii() for word in criteria):
            data = self._ask(self._connection.uid, "SEARCH", *criteria)
        else:
            self._connection.literal = criteria[-1].encode()  # type: ignore[assignment]
            data = self._ask(self._connection.uid, "SEARCH", "CHARSET", "UTF-8", *criteria[:-1])
        return (data[0] or b"").decode().split()

    def fetch_raw(self, uid: str, folder: str = "INBOX") -> bytes:
        """The bytes of a mail; it stays unread."""
        self.select(folder)
        for part in self._ask(self._connection.uid, "FETCH", uid, "(BODY.PEEK[])"):
            if isinstance(part, tuple):
                return bytes(part[1])
        raise ImapError(f"no mail {uid} in {folder}")

    def fetch(self, uid: str, folder: str = "INBOX") -> EmailMessage:
        """A mail."""
        return parse(self.fetch_raw(uid, folder))

    def append(self, content: bytes, folder: str = "INBOX") -> None:
        """Put a mail into a folder."""
        self._ask(self._connection.append, f'"{folder}"', "", "", content)

    def remove(self, *criteria: str, folder: str = "INBOX") -> int:
        """Remove the mails that match for good; how many."""
        uids = self.search(*criteria, folder=folder)
        if uids:
            self._ask(self._connection.uid, "STORE", ",".join(uids), "+FLAGS.SILENT", "(\\Deleted)")
            self._ask(self._connection.expunge)
        return len(uids)

    def flag(self, uid: str, flag: str, folder: str = "INBOX") -> None:
        """Set a flag such as `\\Seen`."""
        self.select(folder)
        self._ask(self._connection.uid, "STORE", uid, "+FLAGS.SILENT", f"({flag})")

    def wait_anywhere(self, *criteria: str, folders: Sequence[str] = ("INBOX", "Junk")) -> tuple[str, str]:
        """Folder and UID of the first mail that matches, wherever the filter put it."""

        def find() -> tuple[str, str] | None:
            return next(((f, uid) for f in folders for uid in self.search(*criteria, folder=f)), None)

        return wait_until(find, f"a mail with {' '.join(criteria)} in {' or '.join(folders)}")

    def wait_for(self, *criteria: str, folder: str = "INBOX", seconds: float = PATIENCE) -> str:
        """UID of the first mail that matches, as soon as it is there."""
        found = wait_until(
            lambda: self.search(*criteria, folder=folder),
            f"a mail with {' '.join(criteria)} in {folder}",
            seconds=seconds,
        )
        return found[0]


def parse(content: bytes) -> EmailMessage:
    """A mail from its bytes."""
    message = email.message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message
