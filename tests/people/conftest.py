"""A directory in memory: ldap3's own mock server, with the tree that the role makes."""

from __future__ import annotations

from typing import Any

import ldap3
import pytest

from deploy.people.directory import Directory

BASE = "dc=rijk,dc=test"


@pytest.fixture
def connection() -> Any:
    connection: Any = ldap3.Connection(
        ldap3.Server("directory"), client_strategy=ldap3.MOCK_SYNC, raise_exceptions=True,
        user=f"cn=people,ou=services,{BASE}", password="in memory only",
    )  # fmt: skip
    connection.strategy.add_entry(
        f"cn=people,ou=services,{BASE}", {"objectClass": "applicationProcess", "userPassword": "in memory only"}
    )
    for branch in ("people", "groups", "mailboxes", "rooms"):
        connection.strategy.add_entry(f"ou={branch},{BASE}", {"objectClass": "organizationalUnit", "ou": branch})
    connection.bind()
    return connection


@pytest.fixture
def directory(connection: ldap3.Connection) -> Directory:
    return Directory(connection, BASE, "rijk.test")
