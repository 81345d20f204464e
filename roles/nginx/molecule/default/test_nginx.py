"""The way in from the web, seen on a bare host of voorbeeld.test."""

import datetime
import json
import xml.etree.ElementTree as ET

import pytest

DOMAIN = "voorbeeld.test"
TALK = """
import http.client, json, socket, ssl, sys
scheme, name, method, path, address, asked = sys.argv[1:]
sock = socket.create_connection((address, 443 if scheme == "https" else 80), 5)
if scheme == "https":
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sock = context.wrap_socket(sock, server_hostname=name)
connection = http.client.HTTPConnection(name)
connection.sock = sock
connection.request(method, path, headers={"Host": asked or name}, body="<x/>" if method == "POST" else None)
answer = connection.getresponse()
print(json.dumps([answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read().decode()]))
"""


ECHO = """
import socket
with socket.create_server(("127.0.0.1", 8099)) as server:
    connection, _ = server.accept()
    asked = connection.recv(65536).decode().lower()
    assert "upgrade: websocket" in asked and "connection: upgrade" in asked, asked
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n")
    connection.sendall(connection.recv(100))
"""
SAY = """
import socket, ssl
name, end = "praat.voorbeeld.test", "\\r\\n"
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with context.wrap_socket(socket.create_connection(("127.0.0.1", 443), 5), server_hostname=name) as said:
    lines = "GET / HTTP/1.1", "Host: " + name, "Upgrade: websocket", "Connection: Upgrade", end
    said.sendall(end.join(lines).encode())
    answer = said.recv(65536)
    said.sendall(b"hallo")
    print(answer.split()[1].decode(), said.recv(100).decode())
"""
PAGE = """server {
    listen 443 ssl;
    server_name praat.voorbeeld.test;
    location / {
        include snippets/bsw-websocket.conf;
        proxy_pass http://127.0.0.1:8099;
    }
}
"""


def get(host, url, *, method="GET", address="127.0.0.1", asked=""):
    """Status, headers and body of a page, asked for on the host itself; certificates are not this test's matter."""
    scheme, _, rest = url.partition("://")
    name, slash, path = rest.partition("/")
    arguments = (scheme, name, method, slash + path or "/", address, asked)
    return json.loads(host.check_output("python3 -c %s %s %s %s %s %s %s", TALK, *arguments))


def handshake(host, *options, name=f"www.{DOMAIN}"):
    """What openssl says about a connection."""
    command = f"openssl s_client -connect 127.0.0.1:443 -servername {name} {' '.join(options)} < /dev/null 2>&1"
    return host.run(f"{command} | tr -cd '[:print:]\\n'").stdout


@pytest.mark.parametrize("name", [DOMAIN, f"www.{DOMAIN}", f"mail.{DOMAIN}", f"autoconfig.{DOMAIN}"])
def test_http_leads_to_https_on_the_same_name(host, name):
    status, headers, _body = get(host, f"http://{name}/pad?vraag=1")
    assert (status, headers["location"]) == (301, f"https://{name}/pad?vraag=1")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_site_is_the_same_on_both_families(host, address):
    status, _headers, body = get(host, f"https://{DOMAIN}/", address=address)
    assert status == 200
    assert '<html lang="nl">' in body


@pytest.mark.parametrize("url", [f"https://{DOMAIN}/", f"https://{DOMAIN}/nergens", f"https://mail.{DOMAIN}/"])
def test_every_answer_has_the_headers_that_internet_nl_asks_for(host, url):
    _status, headers, _body = get(host, url)
    assert int(headers["strict-transport-security"].removeprefix("max-age=")) >= 31536000
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert part in policy
    assert "unsafe" not in policy


def test_it_does_not_say_which_version_it_is(host):
    assert get(host, f"https://{DOMAIN}/")[1]["server"] == "nginx"


def test_nothing_is_compressed(host):
    assert "content-encoding" not in get(host, f"https://{DOMAIN}/")[1]


def test_a_name_that_is_not_ours_gets_no_certificate_and_no_page(host):
    assert "no peer certificate available" in handshake(host, name="vreemd.test")
    assert host.run("python3 -c %s http vreemd.test GET / 127.0.0.1 ''", TALK).failed
    assert get(host, f"https://www.{DOMAIN}/", asked="vreemd.test")[0] == 421


def test_an_authority_finds_its_answer_under_any_name(host):
    host.check_output("mkdir -p /var/lib/bsw/acme-challenge; echo antwoord > /var/lib/bsw/acme-challenge/vraag")
    for name in (f"mail.{DOMAIN}", "vreemd.test"):
        status, _headers, body = get(host, f"http://{name}/.well-known/acme-challenge/vraag")
        assert (status, body) == (200, "antwoord\n")
    host.check_output("rm /var/lib/bsw/acme-challenge/vraag")


@pytest.mark.parametrize("tls", ["-tls1_2", "-tls1_3"])
def test_tls_is_offered_in(host, tls):
    assert "Cipher is (NONE)" not in handshake(host, tls)


@pytest.mark.parametrize(
    "options",
    [
        "-tls1_1 -cipher DEFAULT:@SECLEVEL=0",
        "-tls1_2 -cipher ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA",
        "-tls1_2 -sigalgs ECDSA+SHA224",
        "-tls1_3 -groups ffdhe2048",
        "-tls1_3 -groups ffdhe3072",
    ],
)
def test_what_the_ncsc_calls_insufficient_or_phased_out_is_refused(host, options):
    assert "Cipher is (NONE)" in handshake(host, options)


def test_the_key_exchange_is_hybrid_post_quantum_by_default(host):
    assert "Negotiated TLS1.3 group: X25519MLKEM768" in handshake(host)


def test_http_2_is_offered(host):
    assert "ALPN protocol: h2" in handshake(host, "-alpn", "h2")


@pytest.mark.parametrize(
    "url",
    [
        f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml?emailaddress=anna@{DOMAIN}",
        f"https://autoconfig.{DOMAIN}/.well-known/autoconfig/mail/config-v1.1.xml",
        f"https://{DOMAIN}/.well-known/autoconfig/mail/config-v1.1.xml",
    ],
)
def test_thunderbird_is_told_where_the_mail_is(host, url):
    status, headers, body = get(host, url)
    assert (status, headers["content-type"]) == (200, "text/xml; charset=utf-8")
    provider = ET.fromstring(body).find("emailProvider")
    servers = [
        (server.get("type"), server.findtext("hostname"), server.findtext("port"), server.findtext("socketType"))
        for server in (provider.find("incomingServer"), provider.find("outgoingServer"))
    ]
    assert servers == [("imap", f"mail.{DOMAIN}", "993", "SSL"), ("smtp", f"mail.{DOMAIN}", "465", "SSL")]


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"])
def test_outlook_is_told_where_the_mail_is(host, path):
    status, headers, body = get(host, f"https://autodiscover.{DOMAIN}{path}", method="POST")
    assert (status, headers["content-type"]) == (200, "text/xml; charset=utf-8")
    space = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
    protocols = [
        (protocol.findtext(f"{space}Type"), protocol.findtext(f"{space}Server"), protocol.findtext(f"{space}Port"))
        for protocol in ET.fromstring(body).iter(f"{space}Protocol")
    ]
    assert protocols == [("IMAP", f"mail.{DOMAIN}", "993"), ("SMTP", f"mail.{DOMAIN}", "465")]


def test_senders_are_told_to_insist_on_tls(host):
    status, headers, body = get(host, f"https://mta-sts.{DOMAIN}/.well-known/mta-sts.txt")
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert body == f"version: STSv1\r\nmode: enforce\r\nmx: mail.{DOMAIN}\r\nmax_age: 604800\r\n"


def test_security_txt_is_valid_for_less_than_a_year(host):
    for name in (DOMAIN, f"www.{DOMAIN}", f"mta-sts.{DOMAIN}"):
        status, headers, body = get(host, f"https://{name}/.well-known/security.txt")
        assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
        fields = [line.split(": ", 1) for line in body.splitlines()]
        assert ["Contact", f"mailto:security@{DOMAIN}"] in fields
        assert ["Canonical", f"https://{name}/.well-known/security.txt"] in fields
        expires = datetime.datetime.fromisoformat(dict(fields)["Expires"])
        left = expires - datetime.datetime.now(datetime.UTC)
        assert datetime.timedelta(90) < left < datetime.timedelta(365)


def test_a_broken_page_is_refused_and_the_others_stay(host):
    host.check_output("echo kapot > /etc/nginx/bsw.d/kapot.conf")
    refused = host.run("systemctl reload nginx")
    host.check_output("rm /etc/nginx/bsw.d/kapot.conf")
    assert refused.failed
    assert get(host, f"https://{DOMAIN}/")[0] == 200


def test_a_request_becomes_a_websocket(host):
    host.check_output("printf %%s %s > /etc/nginx/bsw.d/praat.conf", PAGE)
    try:
        host.check_output("systemd-run -q --unit praat python3 -c %s", ECHO)
        host.check_output("systemctl restart nginx; until ss -Hltn | grep -q :8099; do sleep 0.1; done")
        assert host.check_output("python3 -c %s", SAY) == "101 hallo"
    finally:
        host.run("systemctl stop praat; rm /etc/nginx/bsw.d/praat.conf; systemctl reload nginx")


def test_a_request_is_in_the_journal_without_what_may_let_somebody_in(host):
    get(host, f"https://{DOMAIN}/zoek?token=geheim123")
    logged = host.check_output("journalctl -u nginx -o cat -n 20")
    assert '"path":"/zoek"' in logged
    assert "geheim123" not in logged


def test_only_the_master_is_root(host):
    users = host.check_output("ps -o user=,args= -C nginx").splitlines()
    assert {line.split()[0] for line in users if "worker" in line} == {"www-data"}
