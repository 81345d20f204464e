"""Application passwords: one for each program or telephone of a person, and for what it needs.

The meaning of the two attributes stands in roles/openldap/README.md; the portal writes the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

USES = {"mail": ("imap", "smtp", "sieve"), "calendar": ("dav",), "mobile": ("activesync",)}
"""What a password may be for, and the protocols that it opens then.

`calendar` is calendars and contacts; invitations that go out by mail are sent for whoever made them. `mobile` is
ActiveSync: mail, calendar and contacts in one.
"""

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Device:
    """A program or telephone that has an application password.

    Attributes:
        name: as the person knows it.
        protocols: what the password opens.
        since: the day it was made.
        digest: SHA-256 of the password, in hex.
    """

    name: str
    protocols: tuple[str, ...]
    since: date
    digest: str

    @classmethod
    def of(cls, name: str, uses: Collection[str], password: str) -> Device:
        """The device that gets this password today."""
        protocols = tuple(protocol for use, its in USES.items() if use in uses for protocol in its)
        return cls(" ".join(name.split()), protocols, date.today(), hashlib.sha256(password.encode()).hexdigest())

    @classmethod
    def read(cls, value: str) -> Device:
        """From a value of `bswDevice`."""
        digest, since, protocols, name = value.split(" ", 3)
        return cls(name, tuple(protocols.split(",")), date.fromisoformat(since), digest)

    @property
    def value(self) -> str:
        """The value of `bswDevice`."""
        return f"{self.digest} {self.since.isoformat()} {','.join(self.protocols)} {self.name}"

    @property
    def passwords(self) -> list[str]:
        """The values of `bswAppPassword`."""
        return [f"{protocol}:{self.digest}" for protocol in self.protocols]


def faults(name: str, uses: Collection[str]) -> list[tuple[str, str]]:
    """What is wrong with the wish for a password, each with what to do."""
    wrong = []
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        wrong.append((f"a device needs a name of 1 to {_LONGEST_NAME} characters", "for instance: telephone"))
    if unknown := sorted(set(uses) - set(USES)):
        wrong.append((f"a password cannot be for {', '.join(unknown)}", f"one or more of: {', '.join(USES)}"))
    if not uses:
        wrong.append(("nothing is said of what the password is for", f"one or more of: {', '.join(USES)}"))
    return wrong
