"""Dovecot with its directory: what is open, to whom, which password opens it, and what is really configured."""

import hashlib
import re
from collections.abc import Iterator
from shlex import quote
from typing import Any

import pytest

DECODE = "/usr/local/lib/bsw/decode2text"
BASE = "dc=voorbeeld,dc=test"
OWN, RANDOM = "een lang genoeg wachtwoord", "Kq7x-9dMe-Tt4w-ZbUy-hG2c"
PERSON = """dn: uid={uid},ou=people,{base}
objectClass: inetOrgPerson
objectClass: bswPerson
uid: {uid}
cn: {uid}
sn: {uid}
mail: {uid}@voorbeeld.test
bswStatus: active
userPassword: {own}
bswAppPassword: imap:{digest}
bswDevice: {digest} 2026-01-02 imap laptop

"""
GROUP = """dn: cn={cn},ou=groups,{base}
objectClass: groupOfNames
cn: {cn}
member: {member}

"""


@pytest.fixture(scope="module")
def effective(host: Any) -> dict[str, str]:
    """Every setting as Dovecot understands it, defaults included."""
    text = host.check_output("doveconf -a")
    return dict(re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE))


def test_only_encrypted_ports_are_open(host: Any) -> None:
    listening = host.check_output("ss -Hltnp").splitlines()
    ports = {line.split()[3].rsplit(":", 1)[1] for line in listening if "dovecot" in line or "imap" in line}
    assert ports == {"993", "4190"}


def test_managesieve_offers_tls(host: Any) -> None:
    # that it offers no login before, only a stranger sees: on the host itself every connection counts as protected
    assert host.run("openssl s_client -connect 127.0.0.1:4190 -starttls sieve </dev/null").rc == 0


def test_tls_is_modern(host: Any) -> None:
    connect = "openssl s_client -connect 127.0.0.1:993 </dev/null"
    assert host.run(f"{connect} -tls1_3").rc == 0
    assert host.run(f"{connect} -tls1_1 -cipher ALL:@SECLEVEL=0").rc != 0
    assert host.run(f"{connect} -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256").rc != 0


def test_the_sockets_for_postfix_are_for_mail_transport_alone(host: Any) -> None:
    for name in ("lmtp", "auth-postfix", "quota-status"):
        socket = host.file(f"/run/dovecot/{name}")
        assert (socket.is_socket, socket.group, socket.mode) == (True, "mail-transport", 0o660), name


@pytest.fixture(scope="module")
def people(host: Any) -> Iterator[None]:
    """Bea and Kees; Kees must have a second factor because a team that he is in must."""
    digest = hashlib.sha256(RANDOM.encode()).hexdigest()
    entries = "".join(PERSON.format(uid=uid, base=BASE, own=OWN, digest=digest) for uid in ("bea", "kees"))
    entries += GROUP.format(cn="team", base=BASE, member=f"uid=kees,ou=people,{BASE}")
    entries += GROUP.format(cn="beheerders", base=BASE, member=f"cn=team,ou=groups,{BASE}")
    connect = "-Q -Y EXTERNAL -H ldapi:///"
    host.check_output("printf %%s %s | ldapadd " + connect, entries)
    yield
    names = " ".join(re.findall("^dn: (.*)$", entries, re.MULTILINE))
    host.check_output(f"ldapdelete {connect} {names}")


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("uid", "password", "protocol", "good"),
    [
        ("bea", OWN, "imap", True),
        ("bea", RANDOM, "imap", True),
        ("bea@voorbeeld.test", RANDOM, "imap", True),
        ("bea", RANDOM, "smtp", False),
        ("bea", "", "imap", False),
        ("bea", "*", "imap", False),
        ("kees", RANDOM, "imap", True),
        ("kees", OWN, "imap", False),
        ("niemand", RANDOM, "imap", False),
    ],
)
def test_which_password_opens_what(host: Any, uid: str, password: str, protocol: str, good: bool) -> None:
    tried = host.run("doveadm auth test -x service=%s %s %s", protocol, uid, password)
    assert (tried.rc == 0) is good, tried.stdout


@pytest.mark.usefixtures("people")
def test_who_is_disabled_has_no_password(host: Any) -> None:
    change = f"dn: uid=bea,ou=people,{BASE}\nchangetype: modify\nreplace: bswStatus\nbswStatus: %s\n"
    modify = "printf %s | ldapmodify -Q -Y EXTERNAL -H ldapi:///"
    host.check_output(modify.replace("%s", quote(change % "disabled")))
    try:
        for password in (OWN, RANDOM):
            assert host.run("doveadm auth test -x service=imap bea %s", password).rc != 0
        assert host.run("doveadm user bea").rc == 0, "an administrator still finds the mail"
    finally:
        host.check_output(modify.replace("%s", quote(change % "active")))


def test_mail_is_on_disk_before_it_is_acknowledged(effective: dict[str, str]) -> None:
    assert effective["mail_fsync"] in ("optimized", "always")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ssl", "required"),
        ("auth_allow_cleartext", "no"),
        ("auth_verbose_passwords", "no"),
        ("mail_utf8_extensions", "yes"),
        ("fts_autoindex", "yes"),
        ("first_valid_uid", "480"),
        ("quota_full_tempfail", "no"),
        ("imap_id_retain", "no"),
    ],
)
def test_effective_setting(effective: dict[str, str], setting: str, value: str) -> None:
    assert effective[setting] == value


def test_the_password_for_the_directory_is_root_s(host: Any) -> None:
    account = host.file("/etc/dovecot/ldap-account.conf")
    assert (account.user, account.mode) == ("root", 0o600)


def test_the_mail_store_is_closed(host: Any) -> None:
    store = host.file("/var/vmail")
    assert (store.user, store.mode, host.user("vmail").uid) == ("vmail", 0o700, 480)


def test_rules_that_come_before_everybody_s_own_are_compiled(host: Any) -> None:
    assert host.file("/etc/dovecot/sieve/before.svbin").exists


def test_text_of_an_office_document_is_found(host: Any) -> None:
    make = (
        "import sys, zipfile, io; b = io.BytesIO(); z = zipfile.ZipFile(b, 'w'); "
        "z.writestr('word/document.xml', '<w:p><w:t>Zonne</w:t><w:t>paneel</w:t></w:p><w:p><w:t>dak</w:t></w:p>'); "
        "z.close(); sys.stdout.buffer.write(b.getvalue())"
    )
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert "Zonnepaneel dak" in host.check_output(f"python3 -c {quote(make)} | {DECODE} {kind}")


def test_a_broken_document_is_no_error(host: Any) -> None:
    for kind in ("application/pdf", "application/vnd.oasis.opendocument.text"):
        assert host.run(f"echo geen document | {DECODE} {kind}").rc == 0


def test_access_follows_the_directory(host: Any) -> None:
    assert host.service("dovecot-access").is_running
    assert host.file("/var/lib/dovecot-access/acl").exists
