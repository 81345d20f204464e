"""Each role alone on a bare lab host: converge, a second run that changes nothing, then its own tests."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy import converge
from deploy.converge.packages import Hear
from deploy.errors import Finding, Refused
from deploy.inventory import Inventory, load, secrets
from deploy.inventory.components import ROLE_ORDER
from deploy.lab import SSH_CONFIG, LabHost, down, up
from deploy.lab.network import CONTROLLER
from deploy.lab.plan import INVENTORY, bare
from deploy.paths import CACHE, CONFIG, ROLES

_COMPONENTS = {
    "dns": "powerdns", "certificates": "acme", "directory": "openldap",
    "mail": "postfix", "antivirus": "clamav", "web": "nginx", "database": "postgresql", "sso": "lemonldap",
    "groupware": "sogo",
}  # fmt: skip


_NEIGHBOURS = "alone_neighbours"
"""Of a role's own variables the one that names roles which it cannot do without on the same host."""


@dataclass(frozen=True)
class Verdict:
    """What became of a role; ``problems`` is empty if all is well."""

    role: str
    seconds: float
    problems: list[str]


def names() -> list[str]:
    """Every role, in converge order."""
    return [role for role in ROLE_ORDER if (ROLES / role).is_dir()]


def verify(role: str, *, keep: bool = False, hear: Hear = lambda *_: None) -> Verdict:
    """Try a role alone: the steps of `molecule test` without its overhead.

    Args:
        keep: leave the host running afterwards, to look at it.

    Raises:
        Refused: if there is no such role.
    """
    started = time.monotonic()
    _known(role)
    discard(role)
    try:
        prepare(role)
        problems = _converge_twice(role, hear) or _own_tests(role)
    finally:
        if not keep:
            discard(role)
    return Verdict(role, time.monotonic() - started, problems)


def prepare(role: str) -> None:
    """Start a bare host for the role, in a made-up organisation voorbeeld.test, with a TLS pair and an inventory."""
    _known(role)
    host = bare(host_name(role))
    path = _inventory(role)
    _write_inventory(path, role, host)
    secrets.ensure(path)
    if up([host]):
        _tls_pair(load(path), host)


def _known(role: str) -> None:
    if role not in names():
        raise Refused(Finding("test roles", f"no role named {role}", f"there are {', '.join(names())}"))


def run(role: str, *, hear: Hear = lambda *_: None) -> converge.Outcome:
    """Converge the role's prepared host once."""
    own = _own_variables(role)
    beside = {"base", role, *own.pop(_NEIGHBOURS, [])}
    variables = {"bsw_roles": [name for name in ROLE_ORDER if name in beside]} | own
    secrets.ensure(INVENTORY)  # the bundle holds the lab's packages too, so that it is made once for all roles
    return converge.deploy(load(_inventory(role)), variables=variables, bundle_also=[load(INVENTORY)], hear=hear)


def discard(role: str) -> None:
    """End the role's host and remove its inventory and key."""
    down([host_name(role)])
    shutil.rmtree(_inventory(role), ignore_errors=True)
    (CONFIG / "vault" / f"{host_name(role)}.key").unlink(missing_ok=True)


def host_name(role: str) -> str:
    """Name of the bare host that a role is tried on."""
    return f"role-{role}"


def _inventory(role: str) -> Path:
    return CACHE / "alone" / host_name(role)


def _converge_twice(role: str, hear: Hear) -> list[str]:
    first = run(role, hear=hear)
    if first.failures:
        return [str(finding) for finding in first.failures]
    second = run(role, hear=hear)
    return [str(finding) for finding in second.failures] + [
        f"{name}: the second run changed {what}"
        for name, host in second.hosts.items()
        for what in (*host.packages, *(f"{path} ({', '.join(why)})" for path, why in host.reasons.items()), *host.units)
    ]


def _own_tests(role: str) -> list[str]:
    tests = sorted((ROLES / role / "molecule/default").glob("test_*.py"))
    if not tests:
        return [f"roles/{role}/molecule/default has no test_*.py"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", f"--hosts=ssh://{host_name(role)}",
         f"--ssh-config={SSH_CONFIG}", *map(str, tests)],
        capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return [] if result.returncode == 0 else [result.stdout + result.stderr]


def _own_variables(role: str) -> dict[str, Any]:
    file = ROLES / role / "molecule/default/vars.yml"
    own = yaml.safe_load(file.read_text()) if file.exists() else {}
    return {name: value for name, value in (own or {}).items() if name != "bsw_roles"}


def _write_inventory(path: Path, role: str, host: LabHost) -> None:
    def put(name: str, content: dict[str, Any]) -> None:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    components = _COMPONENTS | ({"acme_authority": "pebble"} if role == "pebble" else {})
    entry = {"ansible_host": host.ipv4, "ipv4": host.ipv4, "ipv6": host.ipv6, "runs": list(components)}
    put("hosts.yml", {"all": {"children": {"voorbeeld": {"hosts": {host.name: entry}}}}})
    put("group_vars/all/main.yml", {
        "platform": {
            "environment": "lab", "primary": "voorbeeld", "management": list(CONTROLLER),
            "acme": {
                "directory": "https://acme.voorbeeld.test:14000/dir",
                "root_url": "https://acme.voorbeeld.test:15000/roots/0",
            },
        },
        "ansible_user": "root", "ansible_ssh_common_args": f"-F {SSH_CONFIG}",
        "ansible_python_interpreter": "/usr/bin/python3",
        "base_dhcp": False, "base_time_servers": [],
    })  # fmt: skip
    put("group_vars/voorbeeld/main.yml", {
        "organisation": {"name": "Voorbeeld", "domain": "voorbeeld.test", "contact": "security@voorbeeld.test"},
        "components": components,
    })  # fmt: skip


def _tls_pair(inventory: Inventory, host: LabHost) -> None:
    """Put a self-signed certificate where the role `certificates` would: every daemon can start without it."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"mail.{inventory.domain}")])
    names = x509.SubjectAlternativeName([x509.DNSName(f"*.{inventory.domain}"), x509.DNSName(inventory.domain)])
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + datetime.timedelta(2))
        .add_extension(names, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    script = (
        "getent group ssl-cert >/dev/null || groupadd --system ssl-cert; "
        "mkdir -p /etc/ssl/bsw; cd /etc/ssl/bsw; umask 077; "
        f"head -c {len(pem)} > key.pem; chgrp ssl-cert key.pem; chmod 640 key.pem; umask 022; cat > fullchain.pem"
    )
    subprocess.run(
        ["ssh", "-F", str(SSH_CONFIG), host.name, script],
        input=pem + certificate.public_bytes(serialization.Encoding.PEM), check=True, capture_output=True,
    )  # fmt: skip
