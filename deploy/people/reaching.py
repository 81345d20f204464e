"""The way to an organisation's directory: ssh to the host, LDAP over TLS through it, bound as the account `people`."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import ldap3
from ldap3.core.exceptions import LDAPException

from deploy.errors import Finding, Refused
from deploy.hosts import ssh
from deploy.inventory import Inventory, Organisation, secrets
from deploy.paths import RUN
from deploy.people.directory import Directory
from deploy.people.tunnel import forward

_PORT = 636
_SECONDS = 20

# A directory that restarts while a session is open is waited for, some seconds.
ldap3.set_config_parameter("RESTARTABLE_TRIES", 5)
ldap3.set_config_parameter("RESTARTABLE_SLEEPTIME", 1)


@contextlib.contextmanager
def session(inventory: Inventory, organisation: str | None = None) -> Iterator[Directory]:
    """An open directory.

    Args:
        inventory: where the organisation stands.
        organisation: its id; None: the primary one.

    Raises:
        Refused: there is no such organisation, it has no directory, or the directory cannot be reached.
    """
    of = _organisation(inventory, organisation)
    hosts = of.running("directory")
    if not hosts:
        raise Refused(Finding(of.id, "has no directory", "let one of its hosts run `directory`"))
    name, account = of.public_names["ldap"], f"cn=people,ou=services,{of.base_dn}"
    password = secrets.read(inventory)[of.id]["openldap_people_secret"]
    with forward(ssh.login(hosts[0]), hosts[0].ansible_host or hosts[0].ipv4, f"{hosts[0].ipv4}:{_PORT}") as port:
        tls = ldap3.Tls(
            validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, valid_names=[name], sni=name,
            ca_certs_file=str(authorities(inventory)),
        )  # fmt: skip
        server = ldap3.Server("127.0.0.1", port, use_ssl=True, tls=tls, connect_timeout=_SECONDS, get_info=ldap3.NONE)
        try:
            connection = ldap3.Connection(
                server, account, password, receive_timeout=_SECONDS, raise_exceptions=True, auto_bind=True,
                client_strategy=ldap3.RESTARTABLE,
            )  # fmt: skip
        except LDAPException as error:
            remedy = "is it converged with the vault's secrets? run: bsw up"
            raise Refused(Finding(f"{name}:{_PORT}", f"no log-in to the directory: {error}", remedy)) from error
        try:
            yield Directory(connection, of.base_dn, of.domain)
        finally:
            with contextlib.suppress(LDAPException):
                connection.unbind()


def _organisation(inventory: Inventory, wanted: str | None) -> Organisation:
    if wanted is None:
        return inventory.primary
    if wanted not in inventory.organisations:
        known = ", ".join(inventory.organisations)
        raise Refused(Finding(wanted, "there is no such organisation in the inventory", f"one of: {known}"))
    return inventory.organisations[wanted]


def authorities(inventory: Inventory) -> Path:
    """The certificate authorities that are trusted: the machine's; in a lab also the lab's own.

    Raises:
        Refused: the lab has no authority yet.
    """
    if inventory.environment == "lab":
        bundle = RUN / "lab" / "ca-certificates.crt"
        if not bundle.exists():
            raise Refused(Finding(str(bundle), "the lab's certificate authority is not there yet", "run: bsw up"))
        return bundle
    return Path(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt")
