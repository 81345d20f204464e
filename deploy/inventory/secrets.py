"""The secrets of each organisation: random, independent, made once, kept encrypted in its ``secrets.yml``."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.errors import Finding, Refused
from deploy.inventory.loading import load
from deploy.inventory.model import Inventory, Organisation
from deploy.inventory.source import readable
from deploy.inventory.variable_files import SECRETS_FILE
from deploy.inventory.vault import Vault

Secrets = Mapping[str, Mapping[str, str]]
"""Organisation id: name: value."""


def password() -> str:
    """A password: 256 random bits in letters, digits, hyphen and underscore."""
    return secrets.token_urlsafe(32)


def p256() -> str:
    """A private key on the curve P-256, PEM in PKCS#8."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def rsa2048() -> str:
    """An RSA private key of 2048 bits, PEM in PKCS#8; DKIM verifiers know no more (RFC 8301, 3.2)."""
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Kind(NamedTuple):
    """A kind of secret: what it is for people, and what makes a new one."""

    words: str
    make: Callable[[], str]


PASSWORD = Kind("password, 256 bits", password)
P256 = Kind("P-256 private key, PEM", p256)
RSA = Kind("RSA private key, 2048 bits, PEM", rsa2048)


class Secret(NamedTuple):
    """One secret: what it is for, its kind, and the roles that need it.

    Attributes:
        together: needed where all of its roles are, not where one is.
    """

    meaning: str
    kind: Kind
    roles: tuple[str, ...]
    together: bool = False


SECRETS: Mapping[str, Secret] = {
    "openldap_admin_secret": Secret("administrator of the directory", PASSWORD, ("openldap",)),
    "openldap_postfix_secret": Secret("Postfix reads the directory", PASSWORD, ("openldap", "postfix")),
    "openldap_dovecot_secret": Secret("Dovecot reads the directory", PASSWORD, ("openldap", "dovecot")),
    "openldap_people_secret": Secret("`bsw people` writes the directory", PASSWORD, ("openldap",)),
    "openldap_lemonldap_secret": Secret(
        "the portal reads the directory", PASSWORD, ("openldap", "lemonldap"), together=True
    ),
    "openldap_sogo_secret": Secret("SOGo reads the directory", PASSWORD, ("openldap", "sogo"), together=True),
    "postgresql_lemonldap_secret": Secret(
        "the portal's database", PASSWORD, ("postgresql", "lemonldap"), together=True
    ),
    "postgresql_sogo_secret": Secret("SOGo's database", PASSWORD, ("postgresql", "sogo"), together=True),
    "lemonldap_key_secret": Secret("encrypts the portal's cookies", PASSWORD, ("lemonldap",)),
    "lemonldap_signing_secret": Secret("signs the portal's first tokens", RSA, ("lemonldap",)),
    "lemonldap_sogo_secret": Secret("SOGo as a client of the portal", PASSWORD, ("lemonldap", "sogo"), together=True),
    "lemonldap_dovecot_secret": Secret(
        "Dovecot asks the portal about tokens", PASSWORD, ("lemonldap", "dovecot"), together=True
    ),
    "powerdns_api_secret": Secret("API of PowerDNS", PASSWORD, ("powerdns",)),
    "powerdns_dnssec_secret": Secret("signs the organisation's zones", P256, ("powerdns",)),
    "rspamd_controller_secret": Secret("controller of Rspamd", PASSWORD, ("rspamd",)),
    "rspamd_dkim_secret": Secret("signs outgoing mail", RSA, ("rspamd",)),
    "certificates_key_secret": Secret("TLS key of the organisation's servers", P256, ("certificates",)),
    "pebble_key_secret": Secret("TLS key of a lab's certificate authority", P256, ("pebble",)),
}
"""Every secret that is made. One that somebody else gives stands in the same files, by ``ansible-vault edit``."""


def needed(organisation: Organisation) -> tuple[str, ...]:
    """Names of the secrets that an organisation needs for the roles it has."""
    present = [(name, secret, organisation.roles.intersection(secret.roles)) for name, secret in SECRETS.items()]
    return tuple(name for name, secret, found in present if len(found) >= (len(secret.roles) if secret.together else 1))


def ensure(path: Path) -> list[str]:
    """Make the secrets that an inventory lacks; never change one that is there.

    Args:
        path: the inventory's directory.

    Returns:
        ``<organisation>/<name>`` of each one that was made.

    Raises:
        Refused: the inventory is wrong, or an encrypted file cannot be read.
    """
    inventory = load(path)
    vault = Vault(inventory.name)
    if not any(_file(inventory, organisation).exists() for organisation in inventory.organisations.values()):
        vault.make_key()
    made = []
    for organisation in inventory.organisations.values():
        present = _present(vault, inventory, organisation)
        lacking = {name: SECRETS[name].kind.make() for name in needed(organisation) if name not in present}
        if lacking:
            file = _file(inventory, organisation)
            file.parent.mkdir(parents=True, exist_ok=True)
            vault.write(file, _dump(present | lacking))
        made += [f"{organisation.id}/{name}" for name in lacking]
    return made


def read(inventory: Inventory) -> dict[str, dict[str, str]]:
    """Every secret of an inventory.

    Returns:
        Organisation id: name: value.

    Raises:
        Refused: one is missing, or an encrypted file cannot be read.
    """
    vault = Vault(inventory.name)
    found = {one.id: _present(vault, inventory, one) for one in inventory.organisations.values()}
    missing = [
        Finding(readable(_file(inventory, one)), f"missing secret {name}", "run `bsw inventory secrets`")
        for one in inventory.organisations.values()
        for name in needed(one)
        if name not in found[one.id]
    ]
    if missing:
        raise Refused(missing)
    return found


def _file(inventory: Inventory, organisation: Organisation) -> Path:
    return inventory.path / "group_vars" / organisation.id / SECRETS_FILE


def _present(vault: Vault, inventory: Inventory, organisation: Organisation) -> dict[str, str]:
    file = _file(inventory, organisation)
    if not file.exists():
        return {}
    content = yaml.safe_load(vault.read(file)) or {}
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise Refused(Finding(readable(file), "not a mapping of names to texts", "mend it with `ansible-vault edit`"))
    return content


class _Dumper(yaml.SafeDumper):
    """Writes keys as blocks, so that they can be read and edited."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else '"')


_Dumper.add_representer(str, _represent)


def _dump(content: Mapping[str, str]) -> bytes:
    return yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, encoding="utf-8")
