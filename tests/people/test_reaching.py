"""How the directory is reached, and what the public functions leave behind."""

from __future__ import annotations

import csv
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import ldap3
import pytest
from ldap3.core.exceptions import LDAPSocketOpenError

from deploy import people
from deploy.errors import Refused
from deploy.hosts import ssh
from deploy.inventory import Inventory, load
from deploy.paths import REPOSITORY
from deploy.people import Directory, Group, Mailbox, Person, reaching
from deploy.people.reaching import authorities
from deploy.people.tunnel import forward

# Stands in for ssh: listens where `-L` says, until it is ended.
SSH = """
import socket, sys
spec = sys.argv[sys.argv.index("-L") + 1]
server = socket.create_server(("127.0.0.1", int(spec.split(":")[1])))
while True:
    connection = server.accept()[0]
    connection.sendall(spec.encode()[-40:])
    connection.close()
"""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, directory: Directory) -> Inventory:
    """An inventory whose directory is the one in memory."""

    @contextmanager
    def opened(inventory: Inventory, organisation: str | None = None) -> Iterator[Directory]:
        yield directory

    monkeypatch.setattr(people, "session", opened)
    monkeypatch.setattr(people, "CONFIG", tmp_path / "config")
    return cast(Inventory, SimpleNamespace(name="proef"))


def handed_over(file: Path | None) -> list[dict[str, str]]:
    assert file is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_an_import_hands_over_each_new_password_once(here: Inventory, connection: Any) -> None:
    sheet = REPOSITORY / "inventories/lab/people/rijk.csv"
    first = people.import_file(here, sheet)
    rows = handed_over(first.passwords)
    assert "zoe" in first.added
    assert [row["uid"] for row in rows] == [entry.uid for entry in people.entries(here) if isinstance(entry, Person)], (
        "every person, nobody else"
    )
    for row in rows:
        connection.search(f"uid={row['uid']},ou=people,dc=rijk,dc=test", "(objectClass=*)", attributes=["*"])
        assert connection.response[0]["raw_attributes"]["userPassword"] == [row["password"].encode()]
    second = people.import_file(here, sheet)
    assert (second.added, second.changed, second.passwords) == ((), (), None)
    assert second.unchanged == first.added


def test_a_bad_line_stops_an_import_before_the_first_change(here: Inventory, tmp_path: Path) -> None:
    sheet = tmp_path / "people.csv"
    sheet.write_text("kind,uid,given_name,surname\nperson,anna,Anna,A\nperson,BRAM,Bram,B\n")
    with pytest.raises(Refused, match=r"people\.csv:3"):
        people.import_file(here, sheet)
    assert people.entries(here) == []
    assert not (tmp_path / "config").exists()


def test_the_life_of_a_person(here: Inventory) -> None:
    people.add(here, Group("team", "Team"))
    people.add(here, Mailbox("balie", "Balie", "balie@rijk.test", groups=("team",)))
    initial = people.add(here, Person("anna", "Anna", "de Vries", "anna@rijk.test", groups=("team",)))
    assert [row["uid"] for row in handed_over(initial)] == ["anna"]
    assert people.disable(here, "anna").uid == "anna"
    people.enable(here, "anna")
    assert people.members(here, "team", remove=["anna"]).members == ()
    assert people.aliases(here, "anna", add=["vries@rijk.test"]).aliases == ("vries@rijk.test",)
    people.remove(here, "anna")
    assert [entry.uid for entry in people.entries(here)] == ["team", "balie"]


def test_a_reset_hands_over_a_new_password(here: Inventory, directory: Directory) -> None:
    directory.add(Person("anna", "Anna", "de Vries", "anna@rijk.test"), lambda: "the first password")
    directory.add(Group("team", "Team"))
    assert handed_over(people.reset_password(here, "anna"))[0]["mail"] == "anna@rijk.test"
    with pytest.raises(Refused, match="has no password"):
        people.reset_password(here, "team")


def test_a_forward_is_open_as_long_as_it_is_needed() -> None:
    with (
        forward([sys.executable, "-c", SSH], "stack", "198.18.10.11:636") as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
    ):
        assert connection.recv(100).endswith(b":198.18.10.11:636")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_what_ssh_says_is_passed_on() -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit('Permission denied (publickey).')"]
    with (
        pytest.raises(Refused, match=r"stack: no ssh connection: Permission denied \(publickey\)"),
        forward(failing, "stack", "198.18.10.11:636"),
    ):
        pass


def test_ssh_is_called_as_the_inventory_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inventory = load(REPOSITORY / "inventories/lab")
    assert ssh.login(inventory.hosts["stack"]) == ["ssh", "-l", "root", "-F", "/run/bsw/lab/ssh_config"]
    monkeypatch.setattr(reaching, "RUN", tmp_path)
    with pytest.raises(Refused, match="is not there yet"):
        authorities(inventory)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/ca-certificates.crt").touch()
    assert authorities(inventory) == tmp_path / "lab/ca-certificates.crt"


def test_a_session_is_bound_over_verified_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    @contextmanager
    def tunnel(ssh: list[str], destination: str, target: str) -> Iterator[int]:
        asked.update(destination=destination, target=target)
        yield 4636

    class Connection:
        def __init__(self, server: ldap3.Server, user: str, password: str, **options: Any) -> None:
            asked.update(port=server.port, ssl=server.ssl, tls=server.tls, user=user, password=password, **options)

        def unbind(self) -> None:
            asked["unbound"] = True

    secret = {"rijk": {"openldap_people_secret": "in memory only"}}
    monkeypatch.setattr(reaching, "forward", tunnel)
    monkeypatch.setattr("deploy.inventory.secrets.read", lambda inventory: secret)
    monkeypatch.setattr(reaching, "authorities", lambda inventory: "/etc/ssl/certs/ca-certificates.crt")
    monkeypatch.setattr(ldap3, "Connection", Connection)
    inventory = load(REPOSITORY / "inventories/lab")
    with reaching.session(inventory) as directory:
        assert (directory.base, directory.domain) == ("dc=rijk,dc=test", "rijk.test")
    assert (asked["destination"], asked["target"]) == ("198.18.10.11", "198.18.10.11:636")
    assert asked["user"] == "cn=people,ou=services,dc=rijk,dc=test"
    assert asked["ssl"]
    assert asked["raise_exceptions"]
    assert asked["tls"].valid_names == ["ldap.rijk.test"]
    assert asked["tls"].validate.name == "CERT_REQUIRED"
    assert asked["unbound"]

    def refuse(*_: Any, **__: Any) -> None:
        raise LDAPSocketOpenError("certificate verify failed")

    monkeypatch.setattr(ldap3, "Connection", refuse)
    with pytest.raises(Refused, match=r"ldap\.rijk\.test:636: no log-in to the directory"), reaching.session(inventory):
        pass


def test_an_organisation_that_is_not_there_or_has_no_directory_is_refused() -> None:
    inventory = load(REPOSITORY / "inventories/lab")
    with pytest.raises(Refused, match="one of: "), reaching.session(inventory, "elders"):
        pass
    with pytest.raises(Refused, match="has no directory"), reaching.session(inventory, "internet"):
        pass
