"""The directory alone: what it takes, what it refuses, who sees what."""

import re
from shlex import quote
from typing import Any

import pytest

BASE = "dc=voorbeeld,dc=test"
LDAPI = "-H ldapi:///"
ROOT = f"-Q -Y EXTERNAL {LDAPI}"
PASSWORD = "een-lang-wachtwoord"  # of made-up people who live as long as this test


def person(uid: str, *, status: str = "active", mail: str = "", extra: str = "") -> str:
    return (
        f"dn: uid={uid},ou=people,{BASE}\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: bswPerson\n"
        f"uid: {uid}\ncn: {uid}\nsn: {uid}\nmail: {mail or uid + '@voorbeeld.test'}\nbswStatus: {status}\n"
        f"userPassword: {PASSWORD}\n{extra}\n"
    )


def modify(host: Any, ldif: str) -> Any:
    return host.run(f"printf '%s' {quote(ldif)} | ldapmodify {ROOT}")


def change(host: Any, dn: str, what: str) -> Any:
    return modify(host, f"dn: {dn},{BASE}\nchangetype: modify\n{what}\n")


def bind(host: Any, dn: str, password: str = PASSWORD, uri: str = "ldapi:///") -> bool:
    who = f"LDAPTLS_REQCERT=never ldapwhoami -x -H {uri} -D {quote(f'{dn},{BASE}')} -y $f"
    return bool(host.run(f"f=$(mktemp); printf '%s' {quote(password)} > $f; {who}; r=$?; rm $f; exit $r").rc == 0)


def search(host: Any, what: str) -> str:
    return str(host.check_output(f"ldapsearch {ROOT} -LLL -o ldif-wrap=no -b {BASE} {what}"))


@pytest.fixture(scope="module", autouse=True)
def people(host: Any) -> Any:
    entries = [
        "uid=anna,ou=people",
        "uid=bram,ou=people",
        "uid=bert,ou=people",
        "uid=carla,ou=people",
        "cn=team,ou=groups",
        "uid=loket,ou=mailboxes",
    ]
    added = modify(
        host,
        person("anna", extra="bswMailAlias: a.nna@voorbeeld.test\n")
        + person("bram")
        + person("bert", status="disabled")
        + person("carla", status="disabled")
        + f"dn: cn=team,ou=groups,{BASE}\nchangetype: add\nobjectClass: groupOfNames\ncn: team\n"
        f"member: uid=anna,ou=people,{BASE}\n\n"
        f"dn: uid=loket,ou=mailboxes,{BASE}\nchangetype: add\nobjectClass: bswSharedMailbox\nuid: loket\ncn: Loket\n"
        f"mail: loket@voorbeeld.test\nbswStatus: active\nbswMailboxGroup: cn=team,ou=groups,{BASE}\n\n",
    )
    assert added.rc == 0, added.stderr
    yield
    for entry in entries:
        modify(host, f"dn: {entry},{BASE}\nchangetype: delete\n\n")


def test_only_ldaps_and_the_local_socket_are_open(host: Any) -> None:
    listening = host.check_output("ss -Hltnp")
    ports = {line.split()[3].rsplit(":", 1)[1] for line in listening.splitlines() if "slapd" in line}
    assert ports == {"636"}
    assert host.file("/run/slapd/ldapi").is_socket


def test_slapd_has_no_privileges(host: Any) -> None:
    (slapd,) = host.process.filter(comm="slapd")
    assert slapd.user == "openldap"


def test_tls_is_modern(host: Any) -> None:
    old = host.run("openssl s_client -connect 127.0.0.1:636 -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null")
    assert old.rc != 0
    weak = host.run(
        "openssl s_client -connect 127.0.0.1:636 -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA </dev/null"
    )
    assert weak.rc != 0
    assert host.run("openssl s_client -connect 127.0.0.1:636 -tls1_3 </dev/null").rc == 0


def test_a_person_logs_in_over_both_ways(host: Any) -> None:
    assert bind(host, "uid=anna,ou=people")
    assert bind(host, "uid=anna,ou=people", uri="ldaps://127.0.0.1")
    assert not bind(host, "uid=anna,ou=people", "iets-heel-anders")


def test_a_disabled_person_cannot_log_in(host: Any) -> None:
    assert not bind(host, "uid=carla,ou=people")
    assert change(host, "uid=carla,ou=people", "replace: bswStatus\nbswStatus: active\n").rc == 0
    assert bind(host, "uid=carla,ou=people")
    assert (
        change(host, "uid=carla,ou=people", "replace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n").rc
        == 0
    )
    assert not bind(host, "uid=carla,ou=people")


def test_passwords_are_hashed_with_argon2_and_cannot_be_read(host: Any) -> None:
    assert "userPassword" not in search(host, "uid=anna '*' '+'")
    stored = host.check_output(
        f"slapcat -F /run/slapd/config -n 2 -s uid=anna,ou=people,{BASE} -o ldif-wrap=no | "
        "sed -n 's/^userPassword:: //p' | base64 -d"
    )
    assert stored.startswith("{ARGON2}$argon2id$")


def test_a_short_or_hashed_password_is_refused(host: Any) -> None:
    for password in ("kort", "{SSHA}MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"):
        refused = change(host, "uid=anna,ou=people", f"replace: userPassword\nuserPassword: {password}\n")
        assert refused.rc != 0
        assert "quality" in refused.stderr


def test_guessing_locks_the_entry(host: Any) -> None:
    assert bind(host, "uid=bram,ou=people")
    for _ in range(10):
        bind(host, "uid=bram,ou=people", "verkeerd")
    assert not bind(host, "uid=bram,ou=people")
    assert change(host, "uid=bram,ou=people", "delete: pwdAccountLockedTime\n").rc == 0
    assert bind(host, "uid=bram,ou=people")


@pytest.mark.parametrize(
    "entry",
    [
        person("dora", mail="anna@voorbeeld.test"),
        person("dora", extra="bswMailAlias: A.Nna@voorbeeld.test\n"),
        person("loket", mail="dora@voorbeeld.test"),
        person("dora", status="weg"),
        person("Dora"),
        person("dora", mail="geen adres"),
    ],
    ids=["address in use", "alias in use", "uid in use", "unknown status", "bad uid", "no address"],
)
def test_a_wrong_entry_is_refused(host: Any, entry: str) -> None:
    refused = modify(host, entry)
    assert refused.rc != 0
    assert "Constraint violation" in refused.stderr


def test_membership_follows_from_the_groups(host: Any) -> None:
    assert f"memberOf: cn=team,ou=groups,{BASE}" in search(host, "uid=anna memberOf")
    assert search(host, f"'(memberOf=cn=team,ou=groups,{BASE})' dn").strip() == f"dn: uid=anna,ou=people,{BASE}"


def test_a_group_that_loses_its_last_member_keeps_the_placeholder(host: Any) -> None:
    assert (
        modify(
            host,
            person("weg") + f"dn: cn=leeg,ou=groups,{BASE}\nchangetype: add\nobjectClass: groupOfNames\ncn: leeg\n"
            f"member: uid=weg,ou=people,{BASE}\n\ndn: uid=weg,ou=people,{BASE}\nchangetype: delete\n\n",
        ).rc
        == 0
    )
    assert f"member: cn=nobody,ou=services,{BASE}" in search(host, "cn=leeg member")
    assert modify(host, f"dn: cn=leeg,ou=groups,{BASE}\nchangetype: delete\n\n").rc == 0


@pytest.mark.parametrize(
    ("who", "entry", "access", "allowed"),
    [
        ("cn=postfix,ou=services", "uid=anna,ou=people", "mail/read", True),
        # asked about, so that mail is refused with the reason; not read, so that lists go on without them
        ("cn=postfix,ou=services", "uid=bert,ou=people", "mail/search", True),
        ("cn=postfix,ou=services", "uid=bert,ou=people", "mail/read", False),
        ("cn=postfix,ou=services", "uid=anna,ou=people", "cn/read", False),
        ("cn=dovecot,ou=services", "uid=anna,ou=people", "bswMailQuota/read", True),
        ("cn=dovecot,ou=services", "uid=anna,ou=people", "bswStatus/write", False),
        ("cn=people,ou=services", "uid=anna,ou=people", "bswStatus/write", True),
        ("cn=people,ou=services", "uid=anna,ou=people", "userPassword/read", False),
        ("uid=anna,ou=people", "uid=anna,ou=people", "userPassword/write", True),
        ("uid=anna,ou=people", "uid=anna,ou=people", "mail/write", False),
        ("uid=anna,ou=people", "uid=bram,ou=people", "mail/read", False),
    ],
)
def test_who_may_what(host: Any, *, who: str, entry: str, access: str, allowed: bool) -> None:
    told = host.run(f"slapacl -F /run/slapd/config -D {who},{BASE} -b {entry},{BASE} {access} 2>&1").stdout
    assert ("ALLOWED" in told, "DENIED" in told) == (allowed, not allowed), told


def test_nobody_reads_anonymously(host: Any) -> None:
    assert host.run(f"ldapsearch -x {LDAPI} -LLL -b {BASE}").rc != 0


def test_nobody_removes_the_branches(host: Any) -> None:
    assert modify(host, f"dn: ou=mailboxes,{BASE}\nchangetype: delete\n\n").rc != 0


def test_the_secrets_are_hashed_and_for_slapd_alone(host: Any) -> None:
    accounts = host.file("/etc/ldap/services.ldif")
    assert (accounts.user, accounts.mode) == ("openldap", 0o600)
    assert set(re.findall(r"^userPassword: (\{CRYPT\}\$6\$)", accounts.content_string, re.MULTILINE)) == {"{CRYPT}$6$"}


def test_what_was_written_is_there_after_a_kill(host: Any) -> None:
    assert change(host, "uid=anna,ou=people", "replace: displayName\ndisplayName: Anna\n").rc == 0
    host.check_output(
        "systemctl kill -s KILL slapd.service; for i in $(seq 50); do sleep 0.2; "
        f"ldapwhoami {ROOT} >/dev/null 2>&1 && exit 0; done; exit 1"
    )
    assert "displayName: Anna" in search(host, "uid=anna displayName")
