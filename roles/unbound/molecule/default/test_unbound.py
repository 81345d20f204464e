"""The host's resolver, seen on a bare host that cannot reach any name server."""

import base64

import dns.flags
import dns.message
import dns.rcode
import pytest

ASK = """
import base64, socket, sys
ask = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
ask.settimeout(20)
ask.sendto(base64.b64decode(sys.argv[2]), (sys.argv[1], 53))
print(base64.b64encode(ask.recv(65535)).decode())
"""


def ask(host, query, address="127.0.0.1"):
    """The resolver's answer to a question asked on the host itself."""
    wire = base64.b64encode(query.to_wire()).decode()
    return dns.message.from_wire(base64.b64decode(host.check_output("python3 -c %s %s %s", ASK, address, wire)))


def setting(host, name):
    return host.check_output("unbound-control get_option %s", name)


def test_it_answers_on_loopback_of_both_families_and_nowhere_else(host):
    for address in ("127.0.0.1", "::1"):
        assert ask(host, dns.message.make_query("localhost.", "A"), address).rcode() == dns.rcode.NOERROR
    listening = host.check_output("ss -Hlntu 'sport = 53'").split("\n")
    assert {line.split()[4] for line in listening} == {"127.0.0.1:53", "[::1]:53"}


def test_every_program_on_the_host_asks_it_and_may_believe_it(host):
    lines = host.file("/etc/resolv.conf").content_string.splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["nameserver 127.0.0.1", "options edns0 trust-ad"]


def test_a_name_that_cannot_be_validated_is_an_error(host):
    answer = ask(host, dns.message.make_query("www.voorbeeld.test.example.", "A", want_dnssec=True))
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert not answer.flags & dns.flags.AD


def test_the_keys_of_the_root_are_known(host):
    assert "DNSKEY" in host.file("/var/lib/unbound/root.key").content_string
    assert host.check_output("unbound-control list_insecure") == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("module-config", "validator iterator"),
        ("val-permissive-mode", "no"),
        ("harden-dnssec-stripped", "yes"),
        ("qname-minimisation", "yes"),
        ("trust-anchor-signaling", "no"),
        ("root-key-sentinel", "no"),
        ("hide-identity", "yes"),
        ("hide-version", "yes"),
        ("log-queries", "no"),
    ],
)
def test_the_running_daemon_has(host, name, value):
    assert setting(host, name) == value


def test_it_does_not_say_what_it_is(host):
    answer = ask(host, dns.message.make_query("version.bind.", "TXT", "CH"))
    assert answer.rcode() == dns.rcode.REFUSED


def test_it_runs_as_its_own_user_and_cannot_write_to_the_system(host):
    assert host.check_output("ps -o user= -C unbound").strip() == "unbound"
    assert "ProtectSystem=strict" in host.check_output("systemctl show -p ProtectSystem unbound")
