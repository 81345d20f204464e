"""The lab's rendered configuration against itself, without a host: what one file names exists in another."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from passlib.hash import sha512_crypt

from deploy import paths
from deploy.converge import declared
from deploy.inventory import load, secrets
from deploy.inventory.components import ROLE_ORDER

MAIL_HOSTS = ("stack", "partner")

# Units and paths that come with Debian's packages, not with our files.
PACKAGED_UNITS = {
    "nftables.service", "systemd-journald.service", "ssh.service", "chrony.service", "unbound.service", "pdns.service",
    "pebble.service", "slapd.service", "nginx.service", "clamav-daemon.service", "clamav-daemon.socket",
    "clamav-freshclam.service", "clamav-freshclam-once.timer", "clamav-freshclam-once.service", "rspamd.service",
    "dovecot.service", "dovecot.socket", "postfix.service", "apt-daily.timer", "apt-daily-upgrade.timer",
    "systemd-timesyncd.service", "systemd-resolved.service", "sogo.service", "memcached.service",
    "postgresql@17-main.service", "lemonldap-ng-fastcgi-server.service", "liblemonldap-ng-portal-perl.timer",
    "liblemonldap-ng-handler-perl.timer",
}  # fmt: skip
PACKAGED_USERS = {
    "root", "adm", "www-data", "postfix", "openldap", "pdns", "_rspamd", "clamav", "unbound", "_chrony", "dovecot",
    "systemd-network", "ssl-cert", "_apt", "sogo", "postgres",
}  # fmt: skip


@dataclass(frozen=True)
class Host:
    """A host's rendered tree."""

    name: str
    root: Path

    def text(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def has(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists() or any(e["path"] == path and "link" in e for e in self.entries)

    @property
    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.root / "entries.json").read_text())
        return found

    @property
    def declared(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "declared.json").read_text())
        return found

    def files(self) -> Iterator[tuple[str, str]]:
        for entry in self.entries:
            if "sha256" in entry:
                yield entry["path"], self.text(entry["path"])


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Host]:
    """The lab's inventory with secrets made for this run, rendered."""
    directory = tmp_path_factory.mktemp("rendered")
    inventory = directory / "lab"
    shutil.copytree(paths.REPOSITORY / "inventories/lab", inventory, ignore=shutil.ignore_patterns("secrets.yml"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "CONFIG", directory / "config")
        secrets.ensure(inventory)
        loaded = load(inventory)
        declared.render(loaded, directory / "hosts", {})
    return {name: Host(name, directory / "hosts" / name) for name in loaded.hosts}


@pytest.fixture(params=MAIL_HOSTS)
def mail_host(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Host:
    return hosts[request.param]


def postfix(host: Host, name: str) -> str:
    """A parameter of main.cf, continued lines joined."""
    joined = re.sub(r"\n[ \t]+", " ", host.text("/etc/postfix/main.cf"))
    found = re.search(rf"^{name}\s*=\s*(.*)$", joined, re.M)
    assert found, name
    return found[1]


def test_every_role_is_rendered(hosts: dict[str, Host]) -> None:
    rendered = {entry["role"] for host in hosts.values() for entry in host.entries}
    assert rendered == set(ROLE_ORDER)


def test_every_notified_or_declared_unit_exists(hosts: dict[str, Host]) -> None:
    for host in hosts.values():
        own = {Path(path).name for path, _ in host.files() if path.startswith("/etc/systemd/system/")}
        named = {unit for entry in host.entries for kind in ("restart", "reload") for unit in entry.get(kind, [])}
        named |= {unit["name"] for unit in host.declared["units"]}
        assert named <= own | PACKAGED_UNITS, host.name


def test_every_notified_unit_is_one_that_is_declared(hosts: dict[str, Host]) -> None:
    for host in hosts.values():
        notified = {unit for entry in host.entries for kind in ("restart", "reload") for unit in entry.get(kind, [])}
        present = {entry["path"] for entry in host.entries if not entry.get("absent")}
        by_absent_only = {
            unit for entry in host.entries if entry["path"] not in present
            for kind in ("restart", "reload") for unit in entry.get(kind, [])
        }  # fmt: skip
        declared_units = {unit["name"] for unit in host.declared["units"]}
        assert notified - by_absent_only <= declared_units, host.name


def test_every_program_of_ours_that_a_file_names_is_there_and_can_be_run(hosts: dict[str, Host]) -> None:
    for host in hosts.values():
        modes = {entry["path"]: entry["mode"] for entry in host.entries if "sha256" in entry}
        for path, text in host.files():
            for program in re.findall(r"/usr/local/lib/bsw/[\w.-]+", text):
                assert modes.get(program) == "0755", f"{host.name}: {path} names {program}"


def test_every_owner_is_a_user_that_a_file_or_a_package_makes(hosts: dict[str, Host]) -> None:
    for host in hosts.values():
        made = set(PACKAGED_USERS)
        for path, text in host.files():
            if path.startswith("/etc/sysusers.d/"):
                made |= {line.split()[1] for line in text.splitlines() if line[:2] in ("u ", "g ")}
        named = {entry[kind] for entry in host.entries if "sha256" in entry for kind in ("owner", "group")}
        named |= {flow["user"] for flow in host.declared["flows"]}
        assert named <= made, host.name


def test_every_configuration_file_that_a_file_names_is_there(hosts: dict[str, Host]) -> None:
    ours = re.compile(
        r"/etc/(?:postfix/ldap|postfix/contacts|ssl/bsw|nginx/snippets|nginx/bsw\.d|powerdns/zones|powerdns/keys|dovecot/\w|rspamd/dkim|ldap/\w+\.ldif|unbound/root)[\w./-]*"
    )
    made_at_run_time = {"/etc/ssl/bsw/fullchain.pem", "/etc/ssl/bsw/request.pem", "/etc/ssl/bsw/csr.pem"}
    for host in hosts.values():
        directories = {str(parent) for entry in host.entries for parent in Path(entry["path"]).parents}
        for path, text in host.files():
            lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", "//")))
            for named in {name.rstrip("./") for name in ours.findall(lines)} - made_at_run_time:
                assert host.has(named) or named in directories, f"{host.name}: {path} names {named}"


def test_every_daemon_has_the_certificate_that_is_made_for_it(mail_host: Host) -> None:
    pair = ("/etc/ssl/bsw/key.pem", "/etc/ssl/bsw/fullchain.pem")
    for path in ("/etc/postfix/main.cf", "/etc/dovecot/dovecot.conf", "/etc/ldap/slapd.ldif", "/etc/nginx/nginx.conf"):
        for file in pair:
            assert file in mail_host.text(path), f"{path} does not use {file}"


def test_postfix_finds_the_filter_where_it_listens(mail_host: Host) -> None:
    milter = postfix(mail_host, "smtpd_milters").removeprefix("inet:")
    assert f'"{milter}"' in mail_host.text("/etc/rspamd/override.d/worker-proxy.inc")


def test_postfix_finds_dovecots_sockets_where_they_are(mail_host: Host) -> None:
    named = " ".join(
        postfix(mail_host, name) for name in ("virtual_transport", "smtpd_sasl_path", "smtpd_recipient_restrictions")
    )
    sockets = set(re.findall(r"/run/dovecot/([\w-]+)", named))
    assert sockets == {"lmtp", "auth-postfix", "quota-status"}
    opened = set(re.findall(r"unix_listener ([\w-]+)", mail_host.text("/etc/dovecot/dovecot.conf")))
    assert sockets <= opened


def test_the_filter_finds_the_scanner_where_it_listens(mail_host: Host) -> None:
    [socket] = re.findall(r'servers\s*=\s*"([^"]+)"', mail_host.text("/etc/rspamd/override.d/antivirus.conf"))
    assert f"LocalSocket {socket}\n" in mail_host.text("/etc/clamav/clamd.conf")


def test_every_ldap_map_of_postfix_exists_and_none_is_idle(mail_host: Host) -> None:
    texts = mail_host.text("/etc/postfix/main.cf") + mail_host.text("/etc/postfix/master.cf")
    named = set(re.findall(r"/etc/postfix/ldap/([\w-]+)\.cf", texts))
    there = {Path(path).stem for path, _ in mail_host.files() if path.startswith("/etc/postfix/ldap/")}
    assert named == there


def accounts(host: Host) -> dict[str, str]:
    """Service accounts of the directory with their hashed passwords."""
    found = re.findall(
        r"^dn: cn=(\w+),ou=services.*?^userPassword:+ (\S+)", host.text("/etc/ldap/services.ldif"), re.M | re.S
    )
    return {name: value if value.startswith("{") else base64.b64decode(value).decode() for name, value in found}


def fits(password: str, hashed: str) -> bool:
    """Whether a password has that hash."""
    return bool(sha512_crypt.verify(password, hashed.removeprefix("{CRYPT}")))


def test_every_service_knows_the_directory_password_that_the_directory_has(mail_host: Host) -> None:
    known = accounts(mail_host)
    for path, text in mail_host.files():
        if path.startswith("/etc/postfix/ldap/"):
            [password] = re.findall(r"^bind_pw = (\S+)$", text, re.M)
            assert fits(password, known["postfix"]), path
    [password] = re.findall(r"^ldap_auth_dn_password = (\S+)$", mail_host.text("/etc/dovecot/ldap-account.conf"), re.M)
    assert fits(password, known["dovecot"])
    assert not fits(password, known["postfix"])


def test_groupware_knows_the_passwords_of_directory_database_and_portal(hosts: dict[str, Host]) -> None:
    stack = hosts["stack"]
    said = stack.text("/etc/sogo/sogo.conf")
    [directory] = set(re.findall(r'bindPassword = "([^"]+)"', said))
    assert fits(directory, accounts(stack)["sogo"])
    [database] = set(re.findall(r"postgresql://sogo:([^@]+)@", said))
    assert database in stack.text("/etc/postgresql/bsw-databases.json")
    [client] = re.findall(r'SOGoOpenIdClientSecret = "([^"]+)"', said)
    assert client in stack.text("/etc/lemonldap-ng/bsw.json")
    [introspector] = re.findall(r"https://dovecot:([^@]+)@", stack.text("/etc/dovecot/portal.conf"))
    assert introspector in stack.text("/etc/lemonldap-ng/bsw.json")
    assert len({directory, database, client, introspector}) == 4


def test_the_door_of_groupware_leads_to_where_it_listens(hosts: dict[str, Host]) -> None:
    stack = hosts["stack"]
    led = set(re.findall(r"proxy_pass http://127\.0\.0\.1:(\d+)", stack.text("/etc/nginx/bsw.d/groupware.conf")))
    units = ("sogo.service.d/bsw.conf", "sogo-clients.service")
    listens = {
        re.findall(r"-WOPort 127\.0\.0\.1:(\d+)", stack.text(f"/etc/systemd/system/{unit}"))[0] for unit in units
    }
    assert led == listens


def test_every_listening_port_is_let_in_by_the_firewall_once(hosts: dict[str, Host]) -> None:
    for host in hosts.values():
        rules = host.text("/etc/nftables.conf").split("chain output")[0]
        for listen in host.declared["listens"]:
            assert re.search(rf"{listen['protocol']} dport {listen['port']} counter accept", rules), listen
        assert len(re.findall(r"dport \d+ counter accept", rules)) >= len(host.declared["listens"])


def test_every_flow_is_let_out_by_the_firewall_for_its_user_only(hosts: dict[str, Host]) -> None:
    for host in hosts.values():
        rules = host.text("/etc/nftables.conf").split("chain output")[1]
        wanted = {(flow["user"], flow["protocol"], str(flow["port"])) for flow in host.declared["flows"]}
        given = set(re.findall(r"meta skuid (\S+) (?:ip6? daddr \{[^}]*\} )?(\w+) dport (\d+) counter accept", rules))
        assert given == wanted, host.name


def test_the_published_tlsa_is_that_of_the_key(mail_host: Host) -> None:
    key = serialization.load_pem_private_key(mail_host.text("/etc/ssl/bsw/key.pem").encode(), None)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    [zone] = [text for path, text in mail_host.files() if path.startswith("/etc/powerdns/zones/")]
    published = set(re.findall(r"TLSA 3 1 1 ([0-9a-f]+)", zone))
    assert published == {hashlib.sha256(spki).hexdigest()}


def test_the_published_signing_key_is_that_of_the_filter(mail_host: Host) -> None:
    [private] = [text for path, text in mail_host.files() if path.startswith("/etc/rspamd/dkim/")]
    key = serialization.load_pem_private_key(private.encode(), None)
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    [zone] = [text for path, text in mail_host.files() if path.startswith("/etc/powerdns/zones/")]
    [record] = [line for line in zone.splitlines() if "_domainkey" in line]
    assert public in "".join(re.findall(r'"([^"]*)"', record))


def test_every_name_of_the_certificate_stands_in_the_zone(mail_host: Host) -> None:
    [zone] = [text for path, text in mail_host.files() if path.startswith("/etc/powerdns/zones/")]
    domain = {"stack": "rijk.test", "partner": "partner.test"}[mail_host.name]
    for name in re.findall(rf"[\w.-]*{re.escape(domain)}", mail_host.text("/etc/ssl/bsw/names")):
        assert re.search(rf"^{re.escape(name)}\.\s.*\sA\s", zone, re.M), name


def test_no_two_organisations_share_a_secret(hosts: dict[str, Host]) -> None:
    ours, theirs = (
        {
            entry["sha256"]
            for entry in hosts[name].entries
            if entry.get("secret") and entry["path"] != "/etc/dehydrated/config"
        }
        for name in MAIL_HOSTS
    )
    assert ours
    assert not ours & theirs


def test_what_holds_a_secret_is_not_for_everybodys_eyes(hosts: dict[str, Host]) -> None:
    for host in hosts.values():
        known = {password for path, text in host.files() for password in re.findall(r"bind_pw = (\S+)", text)}
        for entry in host.entries:
            if "sha256" in entry and (entry["secret"] or any(word in host.text(entry["path"]) for word in known)):
                assert entry["secret"], entry["path"]
                assert int(entry["mode"], 8) & 0o007 == 0, f"{entry['path']} has mode {entry['mode']}"
