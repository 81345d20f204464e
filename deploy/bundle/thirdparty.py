"""Third-party files: read and validate sources.yml, fetch what it names, refuse whatever differs."""

from __future__ import annotations

import difflib
import re
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from deploy.bundle.hashes import digest
from deploy.bundle.key import ForgedError, check_detached
from deploy.bundle.lock import FILE, NAME, SHA256, Archive
from deploy.errors import Finding, Refused

SOURCES = Path(__file__).with_name("sources.yml")
"""The one list of what comes from outside Debian."""

_TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True)
class Source:
    """One third-party file and where it comes from.

    Attributes:
        name: of the software.
        version: as its makers write it.
        address: http or https.
        sha256: of the file.
        licence: SPDX expression.
        steward: who maintains it.
        country: the steward's, ISO 3166-1, two letters.
        file: its name in the bundle; by default the address's last part.
        signature: address of a detached OpenPGP signature, if its makers give one.
        key: the makers' armored public key, a path relative to sources.yml.
        where: file:line of the entry.
    """

    name: str
    version: str
    address: str
    sha256: str
    licence: str
    steward: str
    country: str
    file: str
    signature: str
    key: str
    where: str

    def fits(self, archive: Archive) -> bool:
        """Say whether a locked file is this one."""
        ours = (self.name, self.version, self.file, self.sha256)
        return ours == (archive.name, archive.version, archive.file, archive.sha256)


@dataclass(frozen=True)
class _Field:
    """What a field has to look like, for the machine and for people."""

    form: re.Pattern[str]
    meaning: str
    required: bool = True


_ADDRESS = re.compile(r"https?://[^/\s]+/\S+")
_TEXT = re.compile(r"\S(?:.*\S)?")
_FIELDS = {
    "name": _Field(NAME, "lower-case letters, digits, '+', '.', '-'"),
    "version": _Field(re.compile(r"\S+"), "the version as its makers write it"),
    "address": _Field(_ADDRESS, "an http or https address of a file"),
    "sha256": _Field(SHA256, "64 hexadecimal digits in lower case, as sha256sum prints them"),
    "licence": _Field(_TEXT, "an SPDX expression, such as AGPL-3.0-or-later"),
    "steward": _Field(_TEXT, "who maintains it"),
    "country": _Field(re.compile(r"[A-Z]{2}"), "the steward's country, ISO 3166-1, two capitals, such as NL"),
    "file": _Field(FILE, "a file name without a folder", required=False),
    "signature": _Field(_ADDRESS, "the address of a detached OpenPGP signature", required=False),
    "key": _Field(_TEXT, "the path of an armored public key, relative to this file", required=False),
}


def read(path: Path = SOURCES) -> list[Source]:
    """Read and validate the list of third-party files.

    Raises:
        Refused: every bad entry, each with file and line.
    """
    entries = [_Entry(path, node) for node in _entries(path)]
    findings = [finding for entry in entries for finding in entry.findings()]
    if not findings:
        findings = list(_duplicates(entries))
    if findings:
        raise Refused(findings)
    return [entry.source() for entry in entries]


def _entries(path: Path) -> list[yaml.Node]:
    try:
        root = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    except OSError as error:
        raise Refused(Finding(str(path), error.strerror or str(error), "an empty list is: []")) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Refused(Finding(f"{path}:{line}", f"not YAML: {error.problem}", "mend the line")) from error
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise Refused(Finding(f"{path}:{root.start_mark.line + 1}", "not a list", "see the comment on top of the file"))
    return list(root.value)


class _Entry:
    """One entry of the list, with the line of each value."""

    def __init__(self, path: Path, node: yaml.Node) -> None:
        self._path = path
        self.line = node.start_mark.line + 1
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        self.lines = {key.value: key.start_mark.line + 1 for key, _ in pairs}
        # the text as it stands, so that version 1.10 does not become the number 1.1
        self.values = {key.value: value.value if isinstance(value, yaml.ScalarNode) else "" for key, value in pairs}

    def where(self, field: str = "") -> str:
        return f"{self._path}:{self.lines.get(field, self.line)}"

    def findings(self) -> Iterator[Finding]:
        for name in self.values.keys() - _FIELDS.keys():
            close = difflib.get_close_matches(name, _FIELDS, 1)
            remedy = f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(_FIELDS)}"
            yield Finding(self.where(name), f"unknown field '{name}'", remedy)
        for name, field in _FIELDS.items():
            if name not in self.values:
                if field.required:
                    yield Finding(self.where(), f"no field '{name}'", f"add {name}: {field.meaning}")
            elif not field.form.fullmatch(self.values[name]):
                yield Finding(self.where(name), f"{name} '{self.values[name]}' is not valid", f"write {field.meaning}")
        yield from self._belonging_together()

    def _belonging_together(self) -> Iterator[Finding]:
        if ("signature" in self.values) != ("key" in self.values):
            yield Finding(self.where("signature"), "signature and key go together", "give both, or neither")
        elif "key" in self.values and not (self._path.parent / self.values["key"]).is_file():
            yield Finding(self.where("key"), f"no file {self.values['key']}", "put the makers' public key there")
        if "address" in self.values and not FILE.fullmatch(self.file):
            yield Finding(self.where("address"), f"'{self.file}' cannot be a file's name", "give one as 'file'")

    @property
    def file(self) -> str:
        last = unquote(urlsplit(self.values.get("address", "")).path.rpartition("/")[2])
        return self.values.get("file") or last

    def source(self) -> Source:
        values = {"signature": "", "key": ""} | self.values | {"file": self.file}
        if values["key"]:
            values["key"] = str(self._path.parent / values["key"])
        return Source(**values, where=self.where())


def _duplicates(entries: Sequence[_Entry]) -> Iterator[Finding]:
    seen: dict[str, _Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.file, entry)
        if first is not entry:
            yield Finding(entry.where(), f"{entry.file} stands in line {first.line} already", "give another 'file'")


def fetch(sources: Sequence[Source], into: Path, progress: Callable[[str], None]) -> list[Archive]:
    """Fetch what is not in the folder yet; nothing whose hash differs ever gets its name there.

    Args:
        sources: what is wanted.
        into: the folder of the files.
        progress: is given one line per file fetched.

    Raises:
        Refused: every file that could not be had, or that differs.
    """
    into.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as threads:
        findings = [f for f in threads.map(lambda source: _fetch(source, into, progress), sources) if f]
    if findings:
        raise Refused(findings)
    return sorted(
        Archive(source.name, source.version, source.file, source.sha256, (into / source.file).stat().st_size)
        for source in sources
    )


def _fetch(source: Source, into: Path, progress: Callable[[str], None]) -> Finding | None:
    target = into / source.file
    if target.is_file() and digest(target) == source.sha256:
        return None
    progress(f"fetching {source.name} {source.version}")
    part = into / f".{source.file}.part"
    try:
        _download(source.address, part)
        if (found := digest(part)) != source.sha256:
            what = f"{source.file} has the hash {found}, not {source.sha256}"
            return Finding(source.where, what, "do not use it; ask its makers, then correct sha256 or address")
        if source.signature:
            _check_signature(source, part)
        part.replace(target)
    except (OSError, ValueError) as error:
        return Finding(source.where, f"{source.address}: {error}", "check the address and the network")
    except ForgedError:
        what = f"{source.file} is not signed by {Path(source.key).name}"
        return Finding(source.where, what, "do not use it; ask its makers")
    finally:
        part.unlink(missing_ok=True)
    return None


def _download(address: str, into: Path) -> None:
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer, into.open("wb") as out:  # noqa: S310  # http(s)
        while block := answer.read(1 << 20):
            out.write(block)


def _check_signature(source: Source, file: Path) -> None:
    with urllib.request.urlopen(source.signature, timeout=_TIMEOUT) as answer:  # noqa: S310  # http(s) by validation
        check_detached(file, answer.read(1 << 20), Path(source.key).read_bytes())
