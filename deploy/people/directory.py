"""The people of one organisation in its LDAP directory; the schema is that of roles/openldap/README.md."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPNoSuchObjectResult, LDAPOperationResult
from ldap3.utils.dn import parse_dn

from deploy.errors import Finding, Refused
from deploy.people import devices
from deploy.people.devices import Device
from deploy.people.entries import Entry, Group, Mailbox, Person, addresses
from deploy.people.sheet import Taken, faults

_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))
_LOCKED = "000001010000Z"
"""RFC draft-behera-ldap-password-policy, 5.3.3: locked until an administrator unlocks."""

_ATTRIBUTES = [
    "objectClass", "uid", "cn", "sn", "givenName", "mail", "description", "member",
    "bswMailAlias", "bswMailQuota", "bswMailboxGroup", "bswStatus",
]  # fmt: skip


@dataclass(frozen=True)
class Applied:
    """What an import did: uids in the order of the sheet, and the initial passwords of those who are new."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


def new_password() -> str:
    """Twenty letters and digits (116 bits), none that looks like another, in five groups for the hand."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(5))


class Directory:
    """People, functional mailboxes and groups of one organisation.

    Args:
        connection: bound as the account `people`, with `raise_exceptions=True`.
        base: the organisation's base DN.
        domain: its mail domain.
    """

    def __init__(self, connection: ldap3.Connection, base: str, domain: str) -> None:
        self._ldap: Any = connection  # the calls that write have no types in the stubs
        self.base = base
        self.domain = domain

    # -- reading ------------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """Everybody, sorted by kind (groups, mailboxes, persons, rooms) and uid."""
        found: list[dict[str, Any]] = []
        for branch in ("people", "mailboxes", "rooms", "groups"):
            with _refusing(f"ou={branch},{self.base}"):
                found += self._ldap.extend.standard.paged_search(
                    f"ou={branch},{self.base}", "(objectClass=*)", ldap3.LEVEL, attributes=_ATTRIBUTES, paged_size=500,
                    generator=False,
                )  # fmt: skip
        return sorted(self._entries(found), key=lambda entry: (entry.kind, entry.uid))

    def _entries(self, found: list[dict[str, Any]]) -> Iterator[Entry]:
        records = [record["raw_attributes"] for record in found]
        people = [r for r in records if b"inetOrgPerson" in r["objectClass"]]
        groups = [r for r in records if b"groupOfNames" in r["objectClass"]]
        members = {_one(r, "cn"): tuple(sorted(u for u in map(_uid_of, _all(r, "member")) if u)) for r in groups}
        for r in people:
            uid = _one(r, "uid")
            mine = tuple(sorted(name for name, uids in members.items() if uid in uids))
            yield Person(uid, _one(r, "givenName"), _one(r, "sn"), groups=mine, **_receiving(r))
        for r in records:
            if b"bswSharedMailbox" in r["objectClass"]:
                its = tuple(sorted(_rdn(dn) for dn in _all(r, "bswMailboxGroup")))
                kind: Literal["mailbox", "room"] = "room" if b"bswRoom" in r["objectClass"] else "mailbox"
                yield Mailbox(_one(r, "uid"), _one(r, "cn"), groups=its, kind=kind, **_receiving(r))
        for r in groups:
            uid = _one(r, "cn")
            aliases = tuple(sorted(_all(r, "bswMailAlias")))
            yield Group(uid, _one(r, "description"), _one(r, "mail"), aliases, members[uid])

    def entry(self, uid: str) -> Entry:
        """The entry with that uid.

        Raises:
            Refused: nobody has it.
        """
        for entry in self.entries():
            if entry.uid == uid:
                return entry
        raise Refused(Finding(uid, "nobody in the directory has this name", "bsw people list shows who is there"))

    def taken(self) -> Taken:
        """What a sheet can clash with."""
        entries = self.entries()
        return Taken(
            kinds={entry.uid: entry.kind for entry in entries},
            addresses={address: entry.uid for entry in entries for address in addresses(entry)},
            groups={entry.uid for entry in entries if entry.kind == "group"},
        )

    # -- writing ------------------------------------------------------------------------------------------------

    def apply(self, wanted: Iterable[Entry], password_for: Callable[[Person], str]) -> Applied:
        """Make the directory hold these entries as they are; others stay as they are.

        Groups first, because persons and mailboxes name them. Whether somebody is disabled and who has which password
        is not part of it. Applied twice, the second time changes nothing.

        Args:
            wanted: checked entries (see `deploy.people.sheet.read`).
            password_for: called once for each new person, before the person exists.
        """
        wanted = list(wanted)
        present = {entry.uid: entry for entry in self.entries()}
        added: list[str] = []
        changed: list[str] = []
        for entry in sorted(wanted, key=lambda e: e.kind != "group"):
            before = present.get(entry.uid)
            if before is None:
                self._add(entry, password_for(entry) if isinstance(entry, Person) else None)
                added.append(entry.uid)
            elif self._change(before, entry):
                changed.append(entry.uid)
        for group, (joining, leaving) in self._membership(wanted, present).items():
            self._members(group, joining, leaving)
            changed += [uid for uid in (*joining, *leaving) if uid not in added]
        order = [entry.uid for entry in wanted]
        return Applied(
            tuple(uid for uid in order if uid in added),
            tuple(uid for uid in order if uid in changed),
            tuple(uid for uid in order if uid not in added and uid not in changed),
        )

    def add(self, entry: Entry, password: Callable[[], str] | None = None) -> None:
        """Make one entry.

        Args:
            entry: the person, mailbox or group.
            password: makes the one of a person; called when nothing speaks against the entry any more.

        Raises:
            Refused: the entry is wrong, or its name or an address of it is in use.
        """
        taken = self.taken()
        wrong = [Finding(entry.uid, what, remedy) for what, remedy in faults(entry, self.domain)]
        if entry.uid in taken.kinds:
            wrong.append(Finding(entry.uid, f"there is a {taken.kinds[entry.uid]} of that name", "choose another"))
        for address in addresses(entry):
            if address in taken.addresses:
                wrong.append(Finding(entry.uid, f"{address} belongs to {taken.addresses[address]!r}", "choose another"))
        if not isinstance(entry, Group):
            unknown = [group for group in entry.groups if group not in taken.groups]
            remedy = "make it first: bsw people group add"
            wrong += [Finding(entry.uid, f"unknown group {group!r}", remedy) for group in unknown]
        if wrong:
            raise Refused(wrong)
        self._add(entry, password() if password else None)
        for group in entry.groups if isinstance(entry, Person) else ():
            self._members(group, [entry.uid], [])

    def disable(self, uid: str) -> Entry:
        """No log-in and no mail for that person or mailbox from now on; everything is kept."""
        return self._status(uid, disabled=True)

    def enable(self, uid: str) -> Entry:
        """Undo `disable`; the password is the one from before."""
        return self._status(uid, disabled=False)

    def remove(self, uid: str) -> Entry:
        """Take an entry away; it leaves its groups. The mail of it stays on the mail host."""
        entry = self.entry(uid)
        if entry.kind == "group":
            users = [e.uid for e in self.entries() if isinstance(e, Mailbox) and uid in e.groups]
            if users:
                what = f"group {uid!r} is the team of {', '.join(users)}"
                raise Refused(Finding(uid, what, "remove the mailbox first, or give it another group"))
        with _refusing(self._dn(entry)):
            self._ldap.delete(self._dn(entry))
        return entry

    def set_password(self, uid: str, password: str) -> None:
        """Give a person another password; a lock because of wrong passwords ends."""
        person = self._person(uid)
        changes: dict[str, Any] = {"userPassword": [(ldap3.MODIFY_REPLACE, [password])]}
        if not person.disabled:
            changes["pwdAccountLockedTime"] = [(ldap3.MODIFY_REPLACE, [])]
        self._modify(self._dn(person), changes)

    # -- application passwords ----------------------------------------------------------------------------------

    def devices(self, uid: str) -> list[Device]:
        """The programs and telephones of a person that have a password of their own, by name.

        Raises:
            Refused: there is no such person.
        """
        dn = self._dn(self._person(uid))
        with _refusing(dn):
            self._ldap.search(dn, "(objectClass=*)", ldap3.BASE, attributes=["bswDevice"])
        found = map(Device.read, _all(self._ldap.response[0]["raw_attributes"], "bswDevice"))
        return sorted(found, key=lambda device: device.name.casefold())

    def add_device(self, uid: str, name: str, uses: Collection[str], password: str) -> Device:
        """Let a program or telephone of a person in with a password of its own.

        Args:
            uid: the person.
            name: what the person calls the device; has no other yet.
            uses: what the password is for, see `devices.USES`.
            password: a random one (`new_password`); only its digest is kept.

        Raises:
            Refused: there is no such person, or no such use, or the device has one already.
        """
        device = Device.of(name, uses, password)
        wrong = [Finding(uid, what, remedy) for what, remedy in devices.faults(name, uses)]
        if any(device.name.casefold() == other.name.casefold() for other in self.devices(uid)):
            remedy = f"withdraw it first: bsw people app-password withdraw {uid} {device.name!r}"
            wrong.append(Finding(uid, f"{device.name!r} has a password already", remedy))
        if wrong:
            raise Refused(wrong)
        self._devices(uid, ldap3.MODIFY_ADD, device)
        return device

    def remove_device(self, uid: str, name: str) -> Device:
        """Withdraw the password of a program or telephone.

        Raises:
            Refused: there is no such person, or no such device.
        """
        for device in self.devices(uid):
            if device.name.casefold() == " ".join(name.split()).casefold():
                self._devices(uid, ldap3.MODIFY_DELETE, device)
                return device
        remedy = f"bsw people app-password list {uid}"
        raise Refused(Finding(uid, f"no device {name!r} has a password", remedy))

    def _devices(self, uid: str, verb: str, device: Device) -> None:
        changes = {"bswAppPassword": [(verb, device.passwords)], "bswDevice": [(verb, [device.value])]}
        self._modify(f"uid={uid},ou=people,{self.base}", changes)

    def _person(self, uid: str) -> Person:
        entry = self.entry(uid)
        if not isinstance(entry, Person):
            raise Refused(Finding(uid, f"a {entry.kind} has no password", "name a person"))
        return entry

    # -- more of an entry ---------------------------------------------------------------------------------------

    def set_aliases(self, uid: str, *, add: Collection[str] = (), remove: Collection[str] = ()) -> Entry:
        """Give further addresses to an entry, or take them away.

        Raises:
            Refused: an address is wrong or in use, or one to remove is not there.
        """
        entry, taken = self.entry(uid), self.taken()
        joining = {a.lower() for a in add}
        leaving = {a.lower() for a in remove}
        wrong = [Finding(uid, f"{a} is not an alias of it", "") for a in sorted(leaving - set(entry.aliases))]
        for address in sorted(joining):
            owner = taken.addresses.get(address)
            if owner not in (None, uid) or address == entry.mail:
                wrong.append(Finding(uid, f"{address} belongs to {owner!r}", "choose another"))
        after = replace(entry, aliases=tuple(sorted((set(entry.aliases) | joining) - leaving)))
        wrong += [Finding(uid, what, remedy) for what, remedy in faults(after, self.domain)]
        if wrong:
            raise Refused(wrong)
        self._change(entry, after)
        return after

    def set_members(self, group: str, *, add: Collection[str] = (), remove: Collection[str] = ()) -> Group:
        """Let persons join or leave a group.

        Raises:
            Refused: there is no such group or person.
        """
        entries = {entry.uid: entry for entry in self.entries()}
        found = entries.get(group)
        if not isinstance(found, Group):
            raise Refused(Finding(group, "there is no such group", "bsw people list shows them"))
        wrong = [Finding(uid, "there is no such person", "") for uid in add if not isinstance(entries.get(uid), Person)]
        wrong += [Finding(uid, f"is not in {group!r}", "") for uid in remove if uid not in found.members]
        if wrong:
            raise Refused(wrong)
        joining = [uid for uid in add if uid not in found.members]
        self._members(group, joining, list(remove))
        return replace(found, members=tuple(sorted((set(found.members) | set(joining)) - set(remove))))

    # -- LDAP ---------------------------------------------------------------------------------------------------

    def _dn(self, entry: Entry) -> str:
        branch = {"person": "people", "mailbox": "mailboxes", "room": "rooms", "group": "groups"}[entry.kind]
        return f"{'cn' if entry.kind == 'group' else 'uid'}={entry.uid},ou={branch},{self.base}"

    def _group_dn(self, group: str) -> str:
        return f"cn={group},ou=groups,{self.base}"

    def _attributes(self, entry: Entry) -> dict[str, list[str]]:
        """Every attribute that says what the entry is; an empty list where there is none."""
        common = {"mail": [entry.mail] if entry.mail else [], "bswMailAlias": sorted(entry.aliases)}
        if isinstance(entry, Group):
            return {**common, "description": [entry.name] if entry.name else []}
        common["bswMailQuota"] = [] if entry.quota is None else [str(entry.quota)]
        if isinstance(entry, Mailbox):
            return {**common, "cn": [entry.name], "bswMailboxGroup": sorted(map(self._group_dn, entry.groups))}
        return {**common, "cn": [entry.name], "sn": [entry.surname], "givenName": [entry.given_name]}

    def _add(self, entry: Entry, password: str | None) -> None:
        attributes: dict[str, Any] = {name: values for name, values in self._attributes(entry).items() if values}
        if isinstance(entry, Group):
            classes = ["groupOfNames", "bswMailGroup"] if entry.mail else ["groupOfNames"]
            attributes |= {"cn": entry.uid, "member": self._member_dns(entry.members) or [self._nobody]}
        elif isinstance(entry, Mailbox):
            classes = ["bswSharedMailbox"]
            attributes |= {"uid": entry.uid, "bswStatus": "active"}
            if entry.kind == "room":
                classes.append("bswRoom")
                attributes |= {"bswKind": "location", "bswBookings": "1"}
        else:
            classes = ["inetOrgPerson", "bswPerson"]
            attributes |= {"uid": entry.uid, "bswStatus": "active", "displayName": entry.name}
            if password is not None:
                attributes["userPassword"] = password
        with _refusing(self._dn(entry)):
            self._ldap.add(self._dn(entry), classes, attributes)

    def _change(self, before: Entry, after: Entry) -> bool:
        old, new = self._attributes(before), self._attributes(after)
        changes: dict[str, Any] = {
            name: [(ldap3.MODIFY_REPLACE, values)] for name, values in new.items() if values != old[name]
        }
        if "cn" in changes and isinstance(after, Person):
            changes["displayName"] = [(ldap3.MODIFY_REPLACE, [after.name])]
        if isinstance(after, Group) and bool(before.mail) != bool(after.mail):
            verb = ldap3.MODIFY_ADD if after.mail else ldap3.MODIFY_DELETE
            changes = {"objectClass": [(verb, ["bswMailGroup"])], **changes}
        if changes:
            self._modify(self._dn(after), changes)
        return bool(changes)

    def _membership(self, wanted: Iterable[Entry], present: dict[str, Entry]) -> dict[str, tuple[list[str], list[str]]]:
        """Who joins and who leaves each group."""
        result: dict[str, tuple[list[str], list[str]]] = {}
        for entry in wanted:
            if not isinstance(entry, Person):
                continue
            before = present.get(entry.uid)
            had = set(before.groups) if isinstance(before, Person) else set()
            for group in sorted(set(entry.groups) ^ had):
                joining, leaving = result.setdefault(group, ([], []))
                (joining if group in entry.groups else leaving).append(entry.uid)
        return result

    def _member_dns(self, uids: Iterable[str]) -> list[str]:
        return [f"uid={uid},ou=people,{self.base}" for uid in uids]

    @property
    def _nobody(self) -> str:
        """The placeholder of a group without members: groupOfNames must have one (RFC 4519, 3.5)."""
        return f"cn=nobody,ou=services,{self.base}"

    def _members(self, group: str, joining: Collection[str], leaving: Collection[str]) -> None:
        dn = self._group_dn(group)
        if joining:
            self._modify(dn, {"member": [(ldap3.MODIFY_ADD, self._member_dns(joining))]})
        if leaving:
            with _refusing(dn):
                self._ldap.search(dn, "(objectClass=*)", ldap3.BASE, attributes=["member"])
                members = [m.decode() for m in self._ldap.response[0]["raw_attributes"]["member"]]
            gone = {dn.lower() for dn in self._member_dns(leaving)}
            changes: list[tuple[str, list[str]]] = [(ldap3.MODIFY_DELETE, self._member_dns(leaving))]
            if all(m.lower() in gone for m in members):
                changes.insert(0, (ldap3.MODIFY_ADD, [self._nobody]))
            self._modify(dn, {"member": changes})

    def _status(self, uid: str, *, disabled: bool) -> Entry:
        entry = self.entry(uid)
        if isinstance(entry, Group):
            raise Refused(Finding(uid, "a group cannot be disabled", "name a person or a mailbox"))
        changes: dict[str, Any] = {"bswStatus": [(ldap3.MODIFY_REPLACE, ["disabled" if disabled else "active"])]}
        if isinstance(entry, Person):
            changes["pwdAccountLockedTime"] = [(ldap3.MODIFY_REPLACE, [_LOCKED] if disabled else [])]
        self._modify(self._dn(entry), changes)
        return replace(entry, disabled=disabled)

    def _modify(self, dn: str, changes: dict[str, Any]) -> None:
        with _refusing(dn):
            self._ldap.modify(dn, changes)


def _all(record: dict[str, list[bytes]], name: str) -> list[str]:
    return [value.decode() for value in record.get(name, [])]


def _one(record: dict[str, list[bytes]], name: str) -> str:
    return next(iter(_all(record, name)), "")


def _receiving(record: dict[str, list[bytes]]) -> dict[str, Any]:
    """What persons and functional mailboxes have in common."""
    quota = _one(record, "bswMailQuota")
    return {
        "mail": _one(record, "mail"),
        "aliases": tuple(sorted(_all(record, "bswMailAlias"))),
        "quota": int(quota) if quota else None,
        "disabled": _one(record, "bswStatus") == "disabled",
    }


def _rdn(dn: str) -> str:
    """The value of the first part of a DN."""
    return str(parse_dn(dn)[0][1])


def _uid_of(dn: str) -> str:
    """The uid that a DN of a person begins with; nothing for the placeholder of an empty group."""
    attribute, value, _ = parse_dn(dn)[0]
    return str(value) if attribute.lower() == "uid" else ""


@contextmanager
def _refusing(dn: str) -> Iterator[None]:
    """Turn what the server says no to into words for people; the values written are not part of them."""
    try:
        yield
    except LDAPNoSuchObjectResult as error:
        raise Refused(Finding(dn, "is not in the directory", "bsw up makes the tree of the directory")) from error
    except LDAPOperationResult as error:
        raise Refused(Finding(dn, f"the directory refuses: {error.message or error.description}")) from error
    except LDAPException as error:
        raise Refused(Finding(dn, f"the directory does not answer: {error}", "is slapd running there?")) from error
