"""The directory's people, functional mailboxes and groups: the only way that they come, change and go.

Each function opens the directory of one organisation (`organisation=None`: the primary one) and closes it again.
Whoever has several things to do takes a `session`.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.inventory import Inventory
from deploy.paths import CONFIG
from deploy.people import sheet
from deploy.people.devices import USES, Device
from deploy.people.directory import Applied, Directory, new_password
from deploy.people.entries import Entry, Group, Mailbox, Person
from deploy.people.reaching import session

__all__ = [
    "USES", "Applied", "Device", "Directory", "Entry", "Group", "Imported", "Mailbox", "Person", "add",
    "add_app_password", "aliases", "app_passwords", "disable", "enable", "entries", "import_file", "members",
    "new_password", "remove", "reset_password", "session", "withdraw_app_password",
]  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """What happened, by uid, and the file with the initial passwords of the new persons (None: nobody is new)."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    passwords: Path | None


def import_file(inventory: Inventory, file: Path, *, organisation: str | None = None) -> Imported:
    """Make the directory hold what a sheet says; who is not in the sheet stays as he is.

    Whoever is in the sheet gets exactly its names, addresses, groups and quota. Passwords of those who are there
    already, and whether they are disabled, stay. A second import changes nothing.

    Args:
        inventory: where the organisation stands.
        file: the sheet, see `deploy.people.sheet`.
        organisation: its id.

    Raises:
        Refused: lines of the sheet are wrong, each is named and nothing was changed; or the directory is out of reach.
    """
    with ExitStack() as stack:
        directory = stack.enter_context(session(inventory, organisation))
        rows = sheet.read(file, directory.domain, directory.taken())
        handover = stack.enter_context(_Handover(inventory.name))
        applied = directory.apply([row.entry for row in rows], handover.password_for)
        return Imported(applied.added, applied.changed, applied.unchanged, handover.file)


def add(inventory: Inventory, entry: Entry, *, organisation: str | None = None) -> Path | None:
    """Make one person, functional mailbox or group; return the file with a person's initial password.

    Raises:
        Refused: the entry is wrong, or its name or an address of it is in use.
    """
    with session(inventory, organisation) as directory, _Handover(inventory.name) as handover:
        directory.add(entry, (lambda: handover.password_for(entry)) if isinstance(entry, Person) else None)
        return handover.file


def reset_password(inventory: Inventory, uid: str, *, organisation: str | None = None) -> Path | None:
    """Give a person a new random password; return the file that holds it."""
    with session(inventory, organisation) as directory, _Handover(inventory.name) as handover:
        person = directory.entry(uid)
        if isinstance(person, Person):
            directory.set_password(uid, handover.password_for(person))
        else:
            directory.set_password(uid, "")
        return handover.file


def disable(inventory: Inventory, uid: str, *, organisation: str | None = None) -> Entry:
    """No log-in and no mail for that person or mailbox from now on; everything is kept."""
    with session(inventory, organisation) as directory:
        return directory.disable(uid)


def enable(inventory: Inventory, uid: str, *, organisation: str | None = None) -> Entry:
    """Undo `disable`."""
    with session(inventory, organisation) as directory:
        return directory.enable(uid)


def remove(inventory: Inventory, uid: str, *, organisation: str | None = None) -> Entry:
    """Take a person, mailbox or group out of the directory; the mail stays on the mail host."""
    with session(inventory, organisation) as directory:
        return directory.remove(uid)


def entries(inventory: Inventory, *, organisation: str | None = None) -> list[Entry]:
    """Everybody: groups, mailboxes, persons."""
    with session(inventory, organisation) as directory:
        return directory.entries()


def members(
    inventory: Inventory, group: str, *, add: Collection[str] = (), remove: Collection[str] = (),
    organisation: str | None = None,
) -> Group:  # fmt: skip
    """Let persons join or leave a group; return the group as it is then."""
    with session(inventory, organisation) as directory:
        return directory.set_members(group, add=add, remove=remove)


def aliases(
    inventory: Inventory, uid: str, *, add: Collection[str] = (), remove: Collection[str] = (),
    organisation: str | None = None,
) -> Entry:  # fmt: skip
    """Give further addresses to an entry or take them away; return the entry as it is then."""
    with session(inventory, organisation) as directory:
        return directory.set_aliases(uid, add=add, remove=remove)


def app_passwords(inventory: Inventory, uid: str, *, organisation: str | None = None) -> list[Device]:
    """The programs and telephones of a person that have a password of their own."""
    with session(inventory, organisation) as directory:
        return directory.devices(uid)


def add_app_password(
    inventory: Inventory, uid: str, device: str, uses: Collection[str], *, organisation: str | None = None
) -> str:
    """Make the password of a program or telephone; it is returned this once and kept nowhere.

    Args:
        inventory: where the organisation stands.
        uid: the person.
        device: what the person calls it.
        uses: of `USES`.
        organisation: its id.

    Raises:
        Refused: there is no such person, no such use, or the device has one already.
    """
    with session(inventory, organisation) as directory:
        password = new_password()
        directory.add_device(uid, device, uses, password)
        return password


def withdraw_app_password(
    inventory: Inventory, uid: str, device: str, *, organisation: str | None = None
) -> Device:  # fmt: skip
    """End the password of a program or telephone, and with it what is open by it."""
    with session(inventory, organisation) as directory:
        return directory.remove_device(uid, device)


class _Handover:
    """A file of mode 0600 with initial passwords; it comes into being with the first one."""

    def __init__(self, inventory: str) -> None:
        self._path = CONFIG / "people" / inventory / time.strftime("%Y-%m-%dT%H%M%S.csv")
        while self._path.exists():  # two in one second
            self._path = self._path.with_stem(self._path.stem + "a")
        self._stack = ExitStack()
        self._write: Callable[[tuple[str, ...]], object] | None = None

    def __enter__(self) -> _Handover:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def file(self) -> Path | None:
        """The file, once there is a password in it."""
        return self._path if self._write else None

    def password_for(self, person: Person) -> str:
        """A random password; it stands in the file before anybody has it, so that a crash loses none."""
        if self._write is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_SYNC
            stream = self._stack.enter_context(os.fdopen(os.open(self._path, flags, 0o600), "w", newline=""))
            stream.reconfigure(write_through=True)
            self._write = csv.writer(stream).writerow
            self._write(("uid", "name", "mail", "password"))
        password = new_password()
        self._write((person.uid, person.name, person.mail, password))
        return password
