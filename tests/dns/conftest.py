"""The lab's inventory with secrets of its own, and a resolver that answers what a test wants."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from deploy import paths
from deploy.dns import Zone, zones
from deploy.inventory import Inventory, load
from deploy.inventory.secrets import SECRETS, Secrets, needed

LAB = paths.REPOSITORY / "inventories" / "lab"


class Declared(NamedTuple):
    """What an inventory says, and its secrets."""

    inventory: Inventory
    secrets: Secrets

    @property
    def zones(self) -> dict[str, Zone]:
        """Its zones by name."""
        return {zone.name: zone for zone in zones(self.inventory, self.secrets)}


class Edited:
    """A copy of the lab's inventory that a test changes."""

    def __init__(self, path: Path, keys: Secrets) -> None:
        self.path = path
        self.keys = keys

    def replace(self, file: str, old: str, new: str) -> Edited:
        text = (self.path / file).read_text()
        assert old in text, f"{old!r} is not in {file}"
        (self.path / file).write_text(text.replace(old, new))
        return self

    def declared(self) -> Declared:
        inventory = load(self.path)
        organisations = inventory.organisations.values()
        secrets = {one.id: {name: self.keys[one.id][name] for name in needed(one)} for one in organisations}
        return Declared(inventory, secrets)


@pytest.fixture(scope="session")
def keys() -> Secrets:
    """Every kind of secret for every organisation of the lab."""
    return {
        one: {name: secret.kind.make() for name, secret in SECRETS.items()} for one in ("rijk", "partner", "internet")
    }


@pytest.fixture
def lab(tmp_path: Path, keys: Secrets) -> Edited:
    """The lab's inventory, to be changed."""
    path = tmp_path / "lab"
    shutil.copytree(LAB, path, ignore=shutil.ignore_patterns("secrets.yml", "people"))
    return Edited(path, keys)


@pytest.fixture
def declared(lab: Edited) -> Declared:
    """The lab's inventory as it is."""
    return lab.declared()


class World:
    """A validating resolver: it answers what is in it, signed, until a test spoils that.

    Attributes:
        sets: the data by name and type.
        insecure: names that it cannot validate.
        broken: names for which it has only ``SERVFAIL``.
        expires: when the signatures end.
    """

    def __init__(self, found: Iterable[Zone]) -> None:
        self.sets: dict[tuple[str, str], set[str]] = {}
        self.insecure: set[str] = set()
        self.broken: set[str] = set()
        self.expires = datetime.now(UTC) + timedelta(days=14)
        for zone in found:
            for record in zone.records:
                self.sets.setdefault((record.name, record.type), set()).add(record.data)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]

    def serve(self) -> None:
        while True:
            packet, client = self.socket.recvfrom(4096)
            if not packet:
                return
            self.socket.sendto(self.answer(dns.message.from_wire(packet)).to_wire(), client)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        [question] = query.question
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        if name not in {known for known, _ in self.sets}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        assert query.ednsflags & dns.flags.DO
        if name not in self.insecure and query.flags & dns.flags.AD:
            response.flags |= dns.flags.AD
        if data := self.sets.get((name, kind)):
            signature = f"{kind} 13 2 60 {self.expires:%Y%m%d%H%M%S} 20200101000000 1 {name} aaaa"
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *sorted(data)))
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "RRSIG", signature))
        return response


@pytest.fixture
def world(declared: Declared) -> Iterator[World]:
    """A world that sees what the lab's inventory says."""
    world = World(declared.zones.values())
    thread = threading.Thread(target=world.serve)
    thread.start()
    yield world
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
        stop.sendto(b"", ("127.0.0.1", world.port))
    thread.join()
    world.socket.close()
