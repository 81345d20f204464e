"""The lab's certificate authority, seen on a bare host."""

import json

FETCH = """
import ssl, sys, urllib.request
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
print(urllib.request.urlopen(sys.argv[1], context=context).read().decode())
"""


def fetch(host, url):
    return host.check_output("python3 -c %s %s", FETCH, url)


def test_it_offers_what_rfc_8555_asks_for(host):
    directory = json.loads(fetch(host, "https://127.0.0.1:14000/dir"))
    assert {"newAccount", "newNonce", "newOrder", "revokeCert"} <= set(directory)


def test_it_answers_on_both_families(host):
    assert fetch(host, "https://127.0.0.1:14000/dir")
    assert fetch(host, "https://[::1]:14000/dir")


def test_its_endpoints_have_the_key_from_the_vault_so_that_a_pin_recognises_them(host):
    expected = host.check_output("openssl pkey -in /etc/pebble/key.pem -pubout")
    for port in (14000, 15000):
        shown = host.check_output(
            "openssl s_client -connect 127.0.0.1:%s < /dev/null 2>/dev/null | openssl x509 -noout -pubkey", str(port)
        )
        assert shown == expected


def test_its_root_can_be_fetched_and_is_an_authority(host):
    root = fetch(host, "https://127.0.0.1:15000/roots/0")
    shown = host.check_output("printf %%s %s | openssl x509 -noout -ext basicConstraints", root)
    assert "CA:TRUE" in shown


def test_it_certifies_for_ninety_days(host):
    said = host.check_output("journalctl -u pebble -o cat")
    assert f"{90 * 86400} seconds" in said


def test_it_asks_the_validating_resolver_of_the_host(host):
    assert "-dnsserver 127.0.0.1:53" in host.check_output("systemctl show -p ExecStart pebble")


def test_it_runs_as_its_own_user_and_its_key_is_its_own(host):
    assert host.check_output("ps -o user= -C pebble").strip() == "pebble"
    key = host.file("/etc/pebble/key.pem")
    assert (key.user, key.group, key.mode) == ("root", "pebble", 0o640)
