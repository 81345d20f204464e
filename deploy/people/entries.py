"""What a directory holds for people: persons, functional mailboxes and groups."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["person", "mailbox", "room", "group"]

UID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
"""Lower case: a uid is a folder on disk and the left side of an address. No `+`: it starts the detail of an address."""

LOCAL_PART = re.compile(r"[^\W_](?:[\w.'-]{0,62}[\w])?")
"""Left side of an address, RFC 5321 length; letters of every script (RFC 6531), no quoting."""

QUOTA = re.compile(r"([1-9][0-9]{0,5})([MGT])")
MEBIBYTES = {"M": 1, "G": 1024, "T": 1024 * 1024}


@dataclass(frozen=True)
class Person:
    """Somebody who logs in.

    Attributes:
        uid: the login name.
        mail: the first address, the one that mail is sent from.
        aliases: further addresses; mail to them arrives, mail from them may be sent.
        groups: names of the groups, sorted.
        quota: size of the mailbox in MiB; None: the default of the mail role; 0: no limit.
        disabled: no log-in and no mail; everything is kept.
    """

    uid: str
    given_name: str
    surname: str
    mail: str
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    quota: int | None = None
    disabled: bool = False
    kind: Literal["person"] = "person"

    @property
    def name(self) -> str:
        """Given name and surname."""
        return f"{self.given_name} {self.surname}".strip()


@dataclass(frozen=True)
class Mailbox:
    """A functional mailbox: nobody logs in to it; the members of its groups read it and send as it.

    Attributes:
        kind: a `room` has a calendar too, and takes one meeting at a time; its mailbox gets the invitations.
    """

    uid: str
    name: str
    mail: str
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    quota: int | None = None
    disabled: bool = False
    kind: Literal["mailbox", "room"] = "mailbox"


@dataclass(frozen=True)
class Group:
    """People together: a team, and with an address also a mailing list.

    Attributes:
        uid: the name of the group.
        name: what it is for, in words.
        mail: address of the list; empty: no list.
        members: uids of persons, sorted.
    """

    uid: str
    name: str = ""
    mail: str = ""
    aliases: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    kind: Literal["group"] = "group"


Entry: TypeAlias = Person | Mailbox | Group


def addresses(entry: Entry) -> tuple[str, ...]:
    """Every address at which the entry receives mail, in lower case."""
    return tuple(a.lower() for a in (entry.mail, *entry.aliases) if a)


def mebibytes(size: str) -> int | None:
    """The size of a mailbox in MiB from `500M`, `5G`, `1T`; None from an empty string.

    Raises:
        ValueError: it is not such a size.
    """
    if not size:
        return None
    match = QUOTA.fullmatch(size.upper().removesuffix("B"))
    if match is None:
        raise ValueError(size)
    return int(match[1]) * MEBIBYTES[match[2]]
