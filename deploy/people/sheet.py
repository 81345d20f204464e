"""People from a spreadsheet: one row each, saved as CSV by any office program."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import Finding, Refused
from deploy.people.entries import LOCAL_PART, UID, Entry, Group, Mailbox, Person, addresses, mebibytes

COLUMNS = ("kind", "uid", "given_name", "surname", "mail", "aliases", "groups", "quota")
KINDS = ("person", "mailbox", "room", "group")


@dataclass(frozen=True)
class Row:
    """An entry and the line that it stands on."""

    line: int
    entry: Entry


@dataclass(frozen=True)
class Taken:
    """What the directory holds already, as far as a sheet can clash with it.

    Attributes:
        kinds: uid -> kind of each entry.
        addresses: address in lower case -> uid of the entry that receives it.
        groups: names of the groups.
    """

    kinds: dict[str, str]
    addresses: dict[str, str]
    groups: Container[str]


def read(file: Path, domain: str, taken: Taken) -> list[Row]:
    """Read and check a sheet.

    Comma or semicolon between the columns, with or without byte order mark; several aliases or groups in a cell are
    separated by a semicolon, a comma or a space. For a mailbox, a room or a group the column `surname` holds its name,
    for a mailbox or a room `groups` says whose it is.

    Args:
        file: the sheet.
        domain: the organisation's mail domain; every address must be in it.
        taken: what the directory holds already.

    Raises:
        Refused: with every line that is wrong, as ``file:line``.
    """
    wrong: list[Finding] = []
    rows = [row for line, cells in _cells(file, wrong) for row in _row(file, line, cells, domain, wrong)]
    _clashes(file, rows, taken, wrong)
    if wrong:
        raise Refused(list(set(wrong)))
    return rows


def _cells(file: Path, wrong: list[Finding]) -> Iterator[tuple[int, dict[str, str]]]:
    """The cells of each line under the names of their columns."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Refused(
            Finding(str(file), f"cannot be read ({error.strerror})", "give the path of a CSV file")
        ) from error
    text = _decode(file, raw, wrong)
    delimiter = ";" if (text.partition("\n")[0]).count(";") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if header is None:
                header = _header(file, line, stripped)
                continue
            if len(cells) != len(header):
                what = f"{len(cells)} columns where the first line has {len(header)}"
                wrong.append(Finding(f"{file}:{line}", what, "quote a cell that holds the separator"))
                continue
            yield line, dict(zip(header, stripped, strict=True))
    except csv.Error as error:
        wrong.append(Finding(f"{file}:{start}", f"not a line of CSV ({error})", "close the quotation mark"))
    if header is None:
        raise Refused(Finding(f"{file}:1", "the sheet is empty", f"the first line is: {','.join(COLUMNS)}"))


def _decode(file: Path, raw: bytes, wrong: list[Finding]) -> str:
    for number, line in enumerate(raw.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            what = f"not UTF-8 (byte {error.start + 1} of the line is 0x{line[error.start]:02x})"
            wrong.append(Finding(f"{file}:{number}", what, "save the sheet as 'CSV UTF-8'"))
    return raw.decode("utf-8", errors="replace").removeprefix("\ufeff")


def _header(file: Path, line: int, cells: list[str]) -> list[str]:
    names = [cell.lower() for cell in cells]
    wrong = []
    for name in names:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"the columns are: {', '.join(COLUMNS)}"
            wrong.append(Finding(f"{file}:{line}", f"unknown column {name!r}", remedy))
        elif names.count(name) > 1:
            wrong.append(Finding(f"{file}:{line}", f"column {name!r} stands there twice", "keep one of them"))
    lacking = [name for name in ("kind", "uid", "given_name", "surname") if name not in names]
    if lacking:
        what = f"missing column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}"
        wrong.append(Finding(f"{file}:{line}", what, f"the first line is: {','.join(COLUMNS)}"))
    if wrong:
        raise Refused(list(set(wrong)))
    return names


def split(cell: str) -> tuple[str, ...]:
    """The values of a cell that holds several, each once, in their order."""
    return tuple(dict.fromkeys(part for part in re.split(r"[;,\s]+", cell) if part))


def faults(entry: Entry, domain: str) -> Iterator[tuple[str, str]]:
    """What is wrong with an entry by itself: (what, remedy)."""
    if not UID.fullmatch(entry.uid):
        yield f"uid {entry.uid!r} is not one", "lower-case letters, digits, dot, hyphen and underscore; at most 64"
    if isinstance(entry, Person):
        if not entry.given_name or not entry.surname:
            yield "given_name and surname are both needed for a person", "fill in both cells"
    elif not entry.name:
        yield f"a {entry.kind} needs a name", "write it in the column surname"
    for address in (entry.mail, *entry.aliases):
        if not address:
            continue
        local, at, right = address.rpartition("@")
        if not at or not LOCAL_PART.fullmatch(local) or ".." in local:
            yield f"{address!r} is not a mail address", f"write it as somebody@{domain}"
        elif right.lower() != domain:
            yield f"{address!r} is not in the domain {domain}", f"write it as {local}@{domain}"
    if not entry.mail.isascii():
        yield (
            f"{entry.mail!r} cannot be the first address",
            "letters outside ASCII are for aliases; give a plain one too",
        )


def _row(file: Path, line: int, cells: dict[str, str], domain: str, wrong: list[Finding]) -> Iterator[Row]:
    where = f"{file}:{line}"
    kind, uid = cells["kind"].lower(), cells["uid"]
    mail = cells.get("mail", "").lower()
    aliases = tuple(sorted(a.lower() for a in split(cells.get("aliases", ""))))
    groups = tuple(sorted(split(cells.get("groups", ""))))
    try:
        quota = mebibytes(cells.get("quota", ""))
    except ValueError as error:
        wrong.append(Finding(where, f"quota '{error}' is not a size", "a number with its unit: 500M, 5G; or nothing"))
        quota = None
    given, surname = cells["given_name"], cells["surname"]
    entry: Entry
    match kind:
        case "person":
            entry = Person(uid, given, surname, mail or f"{uid}@{domain}", aliases, groups, quota)
        case "mailbox" | "room":
            name = f"{given} {surname}".strip()
            entry = Mailbox(uid, name, mail or f"{uid}@{domain}", aliases, groups, quota, kind=kind)
        case "group":
            entry = Group(uid, f"{given} {surname}".strip(), mail, aliases)
        case _:
            near = difflib.get_close_matches(kind, KINDS, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(KINDS)}"
            wrong.append(Finding(where, f"unknown kind {cells['kind']!r}", remedy))
            return
    if kind == "group" and (groups or cells.get("quota")):
        what = "a group has neither groups nor a quota"
        wrong.append(Finding(where, what, "name the group in the lines of its members"))
    wrong.extend(Finding(where, what, remedy) for what, remedy in faults(entry, domain))
    yield Row(line, entry)


def _clashes(file: Path, rows: Iterable[Row], taken: Taken, wrong: list[Finding]) -> None:
    """Names and addresses that two would have, and groups that nobody made."""
    rows = list(rows)
    uids: dict[str, int] = {}
    owners: dict[str, int] = {}
    made = {row.entry.uid for row in rows if row.entry.kind == "group"}
    for row in rows:
        entry, where = row.entry, f"{file}:{row.line}"
        if entry.uid in uids:
            wrong.append(Finding(where, f"uid {entry.uid!r} stands on line {uids[entry.uid]} already", "one line each"))
        uids.setdefault(entry.uid, row.line)
        if taken.kinds.get(entry.uid, entry.kind) != entry.kind:
            what = f"{entry.uid!r} is a {taken.kinds[entry.uid]} in the directory"
            wrong.append(Finding(where, what, f"choose another uid for this {entry.kind}"))
        for address in addresses(entry):
            line = owners.setdefault(address, row.line)
            if line != row.line:
                wrong.append(Finding(where, f"{address} stands on line {line} already", "an address has one owner"))
            owner = taken.addresses.get(address, entry.uid)
            if owner != entry.uid:
                what = f"{address} belongs to {owner!r} in the directory"
                wrong.append(Finding(where, what, "choose another, or take it away there first"))
        if not isinstance(entry, Group):
            for group in entry.groups:
                if group not in made and group not in taken.groups:
                    near = difflib.get_close_matches(group, made, 1)
                    remedy = f"did you mean {near[0]!r}?" if near else "add a line with kind 'group'"
                    wrong.append(Finding(where, f"unknown group {group!r}", remedy))
