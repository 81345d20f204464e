"""SOGo with directory, database and nginx, without portal and mail: what is open, to whom, what a password opens."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

CONFIGURATION = "/etc/sogo/sogo.conf"
PASSWORD = "een lang genoeg wachtwoord"
ASK = """
import base64, http.client, json, ssl, sys
port, method, path, body, headers, login = json.loads(sys.argv[1])
if port == 443:
    trust = ssl._create_unverified_context()
    c = http.client.HTTPSConnection("groupware.voorbeeld.test", 443, timeout=30, context=trust)
else:
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
if login:
    headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
if port == 443:
    import socket
    plain = socket.create_connection(("127.0.0.1", 443), 30)
    c.sock = trust.wrap_socket(plain, server_hostname="groupware.voorbeeld.test")
c.request(method, path, body.encode() or None, headers)
r = c.getresponse()
print(json.dumps([r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode("utf-8", "replace")]))
"""
EVENT = "\r\n".join((
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//proef//nl", "BEGIN:VEVENT", "UID:proef-1", "DTSTAMP:20260101T080000Z",
    "DTSTART:20260102T090000Z", "DTEND:20260102T100000Z", "SUMMARY:Overleg over ärchief", "END:VEVENT", "END:VCALENDAR",
    "",
))  # fmt: skip
PERSON = """dn: uid=bea,ou=people,dc=voorbeeld,dc=test
objectClass: inetOrgPerson
objectClass: bswPerson
uid: bea
cn: Bea Burger
sn: Burger
givenName: Bea
displayName: Bea Burger
mail: bea@voorbeeld.test
bswStatus: active
userPassword: {password}
"""


@pytest.fixture(scope="module")
def bea(host: Any) -> Iterator[tuple[str, str]]:
    """Somebody in the directory: name and password."""
    connect = "-Q -Y EXTERNAL -H ldapi:///"
    host.check_output("printf %%s %s | ldapadd " + connect, PERSON.format(password=PASSWORD))
    yield "bea", PASSWORD
    host.check_output(f"ldapdelete {connect} uid=bea,ou=people,dc=voorbeeld,dc=test")


def ask(
    host: Any, port: int, method: str, path: str, body: str = "", *, login: tuple[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], str]:  # fmt: skip
    """One request, made on the host itself; port 443 is nginx."""
    question = json.dumps([port, method, path, body, headers or {}, login])
    status, answered, text = json.loads(host.check_output("python3 -c %s %s", ASK, question))
    return status, answered, text


@pytest.fixture(scope="module")
def effective(host: Any) -> dict[str, str]:
    """Settings of the file, secrets left out."""
    text = host.check_output(f"sed -E 's,//[^@]*@,//,; /Secret|Password/d' {CONFIGURATION}")
    return {name: value.strip('"') for name, value in re.findall(r"^\s*(\w+) = (.*?);$", text, re.MULTILINE)}


def test_programs_need_a_password(host: Any, bea: tuple[str, str]) -> None:
    assert ask(host, 20001, "PROPFIND", "/SOGo/dav/")[0] == 401
    assert ask(host, 443, "PROPFIND", f"/SOGo/dav/{bea[0]}/")[0] == 401
    assert ask(host, 443, "PROPFIND", f"/SOGo/dav/{bea[0]}/", login=(bea[0], "niet het wachtwoord"))[0] == 401
    assert ask(host, 443, "PROPFIND", f"/SOGo/dav/{bea[0]}/", login=bea, headers={"Depth": "0"})[0] == 207


def test_an_event_is_kept_in_the_database(host: Any, bea: tuple[str, str]) -> None:
    path = "/SOGo/dav/bea/Calendar/personal/proef-1.ics"
    kind = {"Content-Type": "text/calendar; charset=utf-8"}
    assert ask(host, 443, "PUT", path, EVENT, login=bea, headers=kind)[0] == 201
    status, _, text = ask(host, 443, "GET", path, login=bea)
    assert (status, "SUMMARY:Overleg over ärchief" in text) == (200, True)
    count = "SELECT count(*) FROM sogo_store WHERE c_name = 'proef-1.ics' AND c_deleted IS NULL"
    assert host.check_output("runuser -u postgres -- psql -At sogo -c %s", count) == "1"
    assert ask(host, 443, "DELETE", path, login=bea)[0] in (200, 204)


def test_who_never_logged_in_has_a_calendar(host: Any) -> None:
    connect = "-Q -Y EXTERNAL -H ldapi:///"
    somebody = PERSON.format(password=PASSWORD).replace("bea", "cees")
    host.check_output("printf %%s %s | ldapadd " + connect, somebody)
    try:
        query = "SELECT c_foldername FROM sogo_folder_info WHERE c_path = '/Users/cees/Calendar/personal'"
        until = f'until runuser -u postgres -- psql -At sogo -c "{query}" | grep .; do sleep 0.1; done'
        assert host.check_output("timeout 10 sh -c %s", until) == "Persoonlijke agenda"
    finally:
        host.check_output(f"ldapdelete {connect} uid=cees,ou=people,dc=voorbeeld,dc=test")


def test_few_big_tables(host: Any) -> None:
    tables = host.check_output("runuser -u postgres -- psql -At sogo -c %s", "SELECT tablename FROM pg_tables "
                               "WHERE schemaname = 'public' ORDER BY 1").split()  # fmt: skip
    assert {"sogo_store", "sogo_acl", "sogo_cache_folder", "sogo_openid", "sogo_user_profile"} <= set(tables)
    assert len(tables) < 15


def test_a_telephone_finds_its_protocol(host: Any, bea: tuple[str, str]) -> None:
    status, headers, _ = ask(host, 443, "OPTIONS", "/Microsoft-Server-ActiveSync", login=bea)
    assert (status, "14.1" in headers["ms-asprotocolversions"]) == (200, True)
    assert ask(host, 443, "OPTIONS", "/SOGo/Microsoft-Server-ActiveSync", login=bea)[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "headers", "refused"),
    [
        ("POST", "/SOGo/so/bea/Mail/0/folderINBOX/expunge", {"Sec-Fetch-Site": "cross-site"}, True),
        ("POST", "/SOGo/so/bea/Mail/0/folderINBOX/expunge", {"Sec-Fetch-Site": "same-site"}, True),
        ("POST", "/SOGo/so/bea/Mail/0/folderINBOX/expunge", {"Origin": "https://voorbeeld.example"}, True),
        ("POST", "/SOGo/so/bea/Mail/0/folderINBOX/expunge", {"Origin": "null"}, True),
        ("GET", "/SOGo/so/bea/Mail/0/folderINBOX/expunge", {"Sec-Fetch-Site": "cross-site"}, True),
        ("DELETE", "/SOGo/dav/bea/Calendar/personal/x.ics", {"Sec-Fetch-Site": "cross-site"}, True),
        ("GET", "/SOGo/so/bea/Calendar/view", {"Sec-Fetch-Site": "cross-site"}, False),
        ("GET", "/SOGo/", {"Sec-Fetch-Site": "same-site"}, False),
        ("GET", "/SOGo/bea/view", {"Sec-Fetch-Site": "same-site"}, False),
        ("POST", "/SOGo/bea/view", {"Sec-Fetch-Site": "same-site"}, True),
        ("POST", "/SOGo/so/bea/Mail/0/folderINBOX/expunge", {"Origin": "https://groupware.voorbeeld.test"}, False),
        ("POST", "/SOGo/so/bea/Mail/0/folderINBOX/expunge", {"Sec-Fetch-Site": "same-origin"}, False),
    ],
)
def test_another_site_cannot_act_for_somebody(
    host: Any, method: str, path: str, headers: dict[str, str], refused: bool
) -> None:
    assert (ask(host, 443, method, path, headers=headers)[0] == 403) is refused


def test_pages_for_the_browser_s_eyes_come_from_nginx(host: Any) -> None:
    status, headers, _ = ask(host, 443, "GET", "/SOGo.woa/WebServerResources/js/vendor/angular.min.js")
    assert (status, headers["x-content-type-options"]) == (200, "nosniff")
    assert ask(host, 443, "GET", "/SOGo/WebServerResources/../../../../etc/passwd")[0] in (400, 404)


def test_nothing_listens_but_on_loopback(host: Any) -> None:
    lines = [line for line in host.check_output("ss -Hlntup").splitlines() if re.search(r"sogod|memcached", line)]
    assert {line.split()[4] for line in lines} == {"127.0.0.1:20000", "127.0.0.1:20001"}


def test_the_cache_is_for_sogo_alone(host: Any) -> None:
    socket = host.file("/run/memcached/sogo.sock")
    assert (socket.is_socket, socket.user, socket.group, socket.mode) == (True, "memcache", "memcache", 0o660)
    assert "memcache" in host.user("sogo").groups
    members = host.check_output("getent group memcache").rsplit(":", 1)[1]
    assert members == "sogo"


def test_the_configuration_is_for_sogo_alone(host: Any) -> None:
    file = host.file(CONFIGURATION)
    assert (file.user, file.group, file.mode) == ("root", "sogo", 0o640)


def test_no_secret_stands_on_a_command_line(host: Any) -> None:
    secrets = set(re.findall(r"(?:Password|Secret) = \"([^\"]+)\"", host.file(CONFIGURATION).content_string))
    assert len(secrets) == 2
    running = host.check_output("ps -eo args")
    assert not [secret for secret in secrets if secret in running]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SOGoExternalAvatarsEnabled", "NO"),
        ("SOGoGravatarEnabled", "NO"),
        ("SOGoCalendarEnableJitsiLink", "NO"),
        ("SOGoMailDisplayRemoteInlineImages", "never"),
        ("SOGoLanguage", "Dutch"),
        ("SOGoTimeZone", "Europe/Amsterdam"),
        ("SOGoFirstDayOfWeek", "1"),
        ("SOGoAuthenticationType", "openid"),
        ("NGImap4AuthMechanism", "xoauth2"),
        ("SOGoMailAuxiliaryUserAccountsEnabled", "NO"),
        ("SOGoDisableSharing", "(Mail)"),
        ("hostname", "ldapi:///"),
    ],
)
def test_effective_setting(effective: dict[str, str], setting: str, value: str) -> None:
    assert effective[setting] == value


def test_a_configuration_with_a_mistake_is_refused(host: Any) -> None:
    assert host.run(f"plparse {CONFIGURATION}").rc == 0
    spoiled = f"sed 's/SOGoLanguage =/SOGoLanguage/' {CONFIGURATION} > $f; plparse $f"
    assert host.run(f'f=$(mktemp); trap "rm $f" EXIT; {spoiled}').rc != 0


def test_a_stop_takes_seconds_and_is_no_failure(host: Any) -> None:
    try:
        host.check_output("timeout 10 systemctl stop sogo-clients.service")
        assert host.check_output("systemctl show -P Result sogo-clients.service") == "success"
        assert host.check_output("systemctl is-active sogo.service") == "active"
    finally:
        host.check_output("systemctl start sogo-clients.service")


def test_what_nobody_uses_is_cleared_away(host: Any) -> None:
    assert host.check_output("systemctl is-active sogo-sessions.timer") == "active"
