"""What the suite runs against: `target.json`, written by `deploy.report.run`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Organisation:
    """An organisation as the outside sees it.

    Attributes:
        names: public names by what they are for (`mail`, `autoconfig`).
        addresses: addresses of each host.
        hosts: hosts by capability.
        people: it has a directory.
        dkim_selector: of the key that its mail is signed with.
        second_factor_groups: groups whose members need a second factor.
        directory_password: programs may say the person's own password too.
    """

    id: str
    name: str
    domain: str
    contact: str
    names: Mapping[str, str]
    addresses: Mapping[str, list[str]]
    hosts: Mapping[str, list[str]]
    people: bool
    dkim_selector: str
    second_factor_groups: list[str]
    directory_password: bool

    def served(self, key: str) -> str:
        """A public name; a test that needs one that the organisation does without is skipped."""
        if key not in self.names:
            pytest.skip(f"{self.id} does without {key}")
        return self.names[key]

    @property
    def mail(self) -> str:
        """Name of the mail server."""
        return self.served("mail")


@dataclass(frozen=True)
class Target:
    """The whole target."""

    inventory: Path
    environment: str
    primary: Organisation
    organisations: Mapping[str, Organisation]

    @property
    def stranger(self) -> str:
        """An address under a domain that publishes nothing about its senders and that mail can be sent to."""
        outside = [o for o in self.organisations.values() if not o.people and o.addresses]
        return f"iemand@{next(iter(outside[0].addresses))}.{outside[0].domain}" if outside else "iemand@[192.0.2.1]"

    @property
    def elsewhere(self) -> str:
        """A domain that is not ours and takes mail."""
        others = [o for o in self.organisations.values() if o.id != self.primary.id and "mail" in o.names]
        return others[0].domain if others else "internet.nl"

    @classmethod
    def read(cls, file: Path) -> Target:
        """A target from its file."""
        data = json.loads(file.read_text(encoding="utf-8"))
        organisations = {id_: Organisation(id_, **fields) for id_, fields in data["organisations"].items()}
        return cls(Path(data["inventory"]), data["environment"], organisations[data["primary"]], organisations)
