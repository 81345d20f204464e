"""The portal on a host with directory, database and web server: who gets in, and what stays when it restarts."""

import base64
import json
import re
from shlex import quote
from typing import Any

import pytest

PASSWORD = "een-lange-proefzin-1"

BROWSER = """
import base64, json, ssl, sys, urllib.error, urllib.parse, urllib.request
from http.cookiejar import CookieJar
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None
jar = CookieJar()
context = ssl._create_unverified_context()
way = urllib.request.HTTPSHandler(context=context)
browser = urllib.request.build_opener(way, Stay, urllib.request.HTTPCookieProcessor(jar))
def page(path, form=None, **headers):
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    request = urllib.request.Request('https://sso.voorbeeld.test' + path, data, headers)
    try:
        with browser.open(request) as answer: return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error: return error.code, dict(error.headers), error.read().decode()
import re, socket
socket.getaddrinfo = lambda host, port, *a, **k: [(socket.AF_INET, socket.SOCK_STREAM, 6, '', ('127.0.0.1', port))]
def log_in(user, password):
    token = re.search('name="token" value="([^"]+)"', page('/')[2])[1]
    return page('/', {'user': user, 'password': password, 'token': token})
"""


def browse(host: Any, script: str) -> Any:
    """Run a script with a browser on the host; what it gives to `say` comes back."""
    whole = BROWSER + "\ndef say(value): print('SAID' + json.dumps(value))\n" + script
    text = host.check_output(f"echo {base64.b64encode(whole.encode()).decode()} | base64 -d | python3 -")
    return json.loads(text.partition("SAID")[2])


def log_in(host: Any, user: str, password: str) -> str:
    """The page after a log-in: the portal leads from the form to the menu."""
    script = f"answer = log_in({user!r}, {password!r}); say(page('/')[2] if answer[0] == 302 else answer[2])"
    return str(browse(host, script))


@pytest.fixture(scope="module", autouse=True)
def people(host: Any) -> None:
    """Anna; Bram, who is disabled; Carla, who is an administrator."""
    base = "dc=voorbeeld,dc=test"
    entries = [
        f"dn: uid={uid},ou=people,{base}\nobjectClass: inetOrgPerson\nobjectClass: bswPerson\nuid: {uid}\n"
        f"cn: {uid.title()} Proef\nsn: Proef\ngivenName: {uid.title()}\ndisplayName: {uid.title()} Proef\n"
        f"mail: {uid}@voorbeeld.test\nbswStatus: {status}\nuserPassword: {PASSWORD}\n"
        for uid, status in (("anna", "active"), ("bram", "disabled"), ("carla", "active"))
    ]
    group = f"dn: cn=beheerders,ou=groups,{base}\nobjectClass: groupOfNames\ncn: beheerders\n"
    entries.append(group + f"member: uid=carla,ou=people,{base}\n")
    given = quote("\n".join(entries))
    host.run(f"printf %s {given} | ldapadd -c -Q -Y EXTERNAL -H ldapi:///")


def test_the_log_in_page_is_dutch(host: Any) -> None:
    status, headers, text = browse(host, "say(page('/'))")
    assert status == 200
    assert 'lang="nl"' in text
    assert '"language": "nl"' in text
    assert "maxcdn" not in text
    words = json.loads(browse(host, "say(page('/static/languages/nl.json'))")[2])
    assert words["connect"] == "Aanmelden"
    assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_the_page_is_mended_for_who_uses_no_mouse(host: Any) -> None:
    page = browse(host, "say(page('/'))")[2]
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    for name in ("portal.css", "portal.js"):
        assert f"/static/bsw/{name}" in page
        assert browse(host, f"say(page('/static/bsw/{name}'))")[0] == 200


def test_the_package_has_no_text_that_lacks_a_translation(host: Any) -> None:
    languages = "/usr/share/lemonldap-ng/portal/htdocs/static/languages"
    english = json.loads(host.file(f"{languages}/en.json").content_string)
    assert set(english) <= set(json.loads(host.file("/usr/local/share/bsw/lemonldap/nl.json").content_string))


def test_an_active_person_logs_in_and_sees_the_menu(host: Any) -> None:
    for name in ("anna", "anna@voorbeeld.test"):
        assert "Anna Proef" in log_in(host, name, PASSWORD)
    assert "Hulp bij instellen" in log_in(host, "anna", PASSWORD)


def test_a_wrong_password_and_a_disabled_person_are_refused(host: Any) -> None:
    assert 'trmsg="5"' in log_in(host, "anna", "verkeerd-verkeerd")
    refused = log_in(host, "bram", PASSWORD)
    assert 'id="lform"' in refused
    assert "Bram Proef" not in refused


def test_who_must_have_a_second_factor_is_led_to_its_registration(host: Any) -> None:
    _, headers, text = browse(host, f"say(log_in('carla', {PASSWORD!r}))")
    assert "2fregisters" in headers.get("Location", "") + text
    assert "Hulp bij instellen" not in text


def test_a_person_changes_the_own_password(host: Any) -> None:
    new = PASSWORD + "-nieuw"
    change = """
log_in('anna', {0!r})
token = re.search('name="token" value="([^"]+)"', page('/')[2])
form = {{'oldpassword': {0!r}, 'newpassword': {1!r}, 'confirmpassword': {1!r}}}
say(page('/', form | ({{'token': token[1]}} if token else {{}}))[2])
"""
    assert 'trmsg="35"' in browse(host, change.format(PASSWORD, new))
    try:
        assert "Anna Proef" in log_in(host, "anna", new)
    finally:
        browse(host, change.format(new, PASSWORD))


def test_a_converged_portal_gets_no_new_configuration(host: Any) -> None:
    before = host.check_output("ls /var/lib/lemonldap/conf")
    host.check_output("systemctl restart lemonldap-ng-fastcgi-server.service")
    assert host.check_output("ls /var/lib/lemonldap/conf") == before
    assert "unchanged" in host.check_output(
        "journalctl -b --no-pager -u lemonldap-ng-fastcgi-server.service | tail -20"
    )


def test_a_new_key_logs_nobody_out(host: Any) -> None:
    def keys() -> list[str]:
        found = json.loads(browse(host, "say(page('/oauth2/jwks')[2])"))
        return [key["kid"] for key in found["keys"]]

    host.check_output("systemctl start bsw-lemonldap-keys.service")
    host.check_output("systemctl restart lemonldap-ng-fastcgi-server.service")
    before = keys()
    host.check_output("systemctl start bsw-lemonldap-keys.service")
    host.check_output("systemctl restart lemonldap-ng-fastcgi-server.service")
    after = keys()
    assert len(after) == 3
    assert set(before) < set(after)


def test_the_key_in_the_clear_is_refused_and_a_client_must_prove_itself(host: Any) -> None:
    ask = (
        "/oauth2/authorize?response_type=code&client_id=proef&scope=openid&state=s&nonce=n"
        "&redirect_uri=https%3A%2F%2Fproef.voorbeeld.test%2Fterug"
    )
    script = "log_in('anna', {!r}); say(page({!r})[1].get('Location', ''))"
    proof = "&code_challenge=" + 43 * "a"
    assert "code=" in browse(host, script.format(PASSWORD, ask + proof + "&code_challenge_method=S256"))
    assert "code=" not in browse(host, script.format(PASSWORD, ask))
    assert "code=" not in browse(host, script.format(PASSWORD, ask + proof + "&code_challenge_method=plain"))
    assert "code=" not in browse(host, script.format(PASSWORD, ask + proof))
    without = ask.replace("&nonce=n", "") + proof + "&code_challenge_method=S256"
    assert "code=" not in browse(host, script.format(PASSWORD, without))


def test_nothing_manages_it_over_the_web(host: Any) -> None:
    for path in (
        "/manager.html",
        "/sessions/global",
        "/adminSessions",
        "/config",
        "/notifications",
        "/index.psgi/sessions",
    ):
        assert browse(host, f"say(page({path!r})[0])") == 404
    assert not host.package("liblemonldap-ng-manager-perl").is_installed


def test_it_is_nobody_and_calls_nobody(host: Any) -> None:
    unit = "lemonldap-ng-fastcgi-server.service"
    assert host.check_output(f"systemctl show -P User {unit}") == "lemonldap"
    assert host.check_output(f"systemctl show -P PrivateNetwork {unit}") == "yes"
    assert not host.file("/etc/lemonldap-ng/bsw.json").mode & 0o007
    assert not re.search("llng|perl", host.check_output("ss -Hltunp"))


def test_expired_sessions_are_removed(host: Any) -> None:
    sql = "runuser -u postgres -- psql -XAtc {} lemonldap"
    old = """INSERT INTO sessions VALUES ('oud', '{"_session_id":"oud","_utime":1000000000,"_session_kind":"SSO"}')"""
    host.check_output(sql.format(quote(old)))
    host.check_output("systemctl start liblemonldap-ng-portal-perl.service")
    assert host.check_output(sql.format(quote("SELECT count(*) FROM sessions WHERE id = 'oud'"))) == "0"


def test_its_secrets_are_in_no_log(host: Any) -> None:
    log = host.check_output("journalctl -b --no-pager")
    assert PASSWORD not in log
    assert "only-for-this-test" not in log
