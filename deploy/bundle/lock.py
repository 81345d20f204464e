"""The lock: exactly which versions a bundle holds, by hash; no addresses, so that any mirror may deliver them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.bundle.hashes import sha256
from deploy.errors import Finding, Refused

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A package's name (Debian Policy 5.6.7)."""

SHA256 = re.compile(r"[0-9a-f]{64}")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")
"""A file's own name: no folder, nothing hidden."""

_VERSION = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*")
_ARCHITECTURE = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, order=True)
class Package:
    """One Debian package in one version.

    Attributes:
        size: of the .deb, in bytes.

    Raises:
        ValueError: a field is not what its name says.
    """

    name: str
    version: str
    architecture: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        _check(NAME, self.name)
        _check(_VERSION, self.version)
        _check(_ARCHITECTURE, self.architecture)
        _check(SHA256, self.sha256)

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.architecture})"

    @property
    def file(self) -> str:
        """The file's name in the pool, as Debian names it: without the epoch."""
        return f"{self.name}_{self.version.rpartition(':')[2]}_{self.architecture}.deb"

    @property
    def pinned(self) -> str:
        """The package as apt's command line takes it."""
        return f"{self.name}:{self.architecture}={self.version}"


@dataclass(frozen=True, order=True)
class Archive:
    """One third-party file; its origin stands in sources.yml.

    Attributes:
        file: its name in the bundle's `files/`.
        size: in bytes.

    Raises:
        ValueError: a field is not what its name says.
    """

    name: str
    version: str
    file: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        _check(FILE, self.file)
        _check(SHA256, self.sha256)

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.file})"


def _check(form: re.Pattern[str], value: str) -> None:
    if not form.fullmatch(value):
        raise ValueError(f"'{value}' does not fit {form.pattern}")


@dataclass(frozen=True)
class Lock:
    """What a bundle is made from; the same lock gives the same bundle, byte for byte.

    Attributes:
        date: when it was resolved, UTC, whole seconds, `2025-11-21T21:30:00Z`.
        codename: the Debian release.
        architecture: of the hosts.
        base: SHA-256 over the packages that the hosts' base image has already.
        wanted: the packages that were asked for, sorted.
        packages: what has to be installed for them on top of the base, sorted.
        files: third-party files, sorted.
    """

    date: str
    codename: str
    architecture: str
    base: str
    wanted: tuple[str, ...]
    packages: tuple[Package, ...]
    files: tuple[Archive, ...] = ()

    @property
    def when(self) -> datetime:
        """The lock's date as a time."""
        return datetime.strptime(self.date, "%Y-%m-%dT%H:%M:%S%z")

    def dated_as(self, other: Lock | None) -> Lock:
        """Take the date of `other` if that is all they differ in: what has not changed has not been made anew."""
        return other if other and replace(self, date=other.date) == other else self

    def text(self) -> str:
        """Write the lock: JSON with one line per package, so that a difference between two locks can be read."""
        fields = asdict(self)
        lines = ",\n".join(f" {json.dumps(name)}: {_value(value)}" for name, value in fields.items())
        return f"{{\n{lines}\n}}\n"

    def digest(self) -> str:
        """Return the SHA-256 of the lock's text."""
        return sha256(self.text().encode())

    @classmethod
    def read(cls, path: Path) -> Lock:
        """Read a lock.

        Raises:
            Refused: the file is not a lock; the finding names its line where there is one.
            OSError: it cannot be read.
        """
        try:
            return cls._of(json.loads(path.read_bytes()))
        except json.JSONDecodeError as error:
            where, what = f"{path}:{error.lineno}", error.msg
        except KeyError as error:
            where, what = str(path), f"no field {error}"
        except (TypeError, ValueError, AttributeError) as error:
            where, what = str(path), str(error)
        raise Refused(
            Finding(
                where,
                f"not a bundle's lock: {what}",
                "put the right one back, or make one: `bsw bundle build --update`",
            )
        )

    @classmethod
    def _of(cls, fields: dict[str, Any]) -> Lock:
        lock = cls(
            date=fields["date"],
            codename=fields["codename"],
            architecture=fields["architecture"],
            base=fields["base"],
            wanted=tuple(fields["wanted"]),
            packages=tuple(Package(**package) for package in fields["packages"]),
            files=tuple(Archive(**archive) for archive in fields["files"]),
        )
        _check(_ARCHITECTURE, lock.architecture)
        if lock.when.utcoffset() is None:
            raise ValueError(f"date '{lock.date}' without a time zone")
        return lock


def now() -> str:
    """Return the last whole second that is over, as a lock writes it.

    Not the present one: gpg does not freeze its clock at a time that happens to be now, and would sign a second later.
    """
    return (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _value(value: object) -> str:
    if isinstance(value, tuple) and value:
        return "[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in value) + "\n ]"
    return json.dumps(value)
