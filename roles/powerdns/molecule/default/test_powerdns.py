"""The authoritative server, seen on a bare host with the zone of voorbeeld.test."""

import base64
import json

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

ZONE = "voorbeeld.test."
FILE = "/etc/powerdns/zones/voorbeeld.test.zone"
KEY = "/etc/powerdns/keys/voorbeeld.test.private"
ASK = """
import base64, socket, sys
ask = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
ask.settimeout(5)
ask.sendto(base64.b64decode(sys.argv[2]), (sys.argv[1], 53))
print(base64.b64encode(ask.recv(65535)).decode())
"""


def addresses(host):
    """The host's own addresses, loopback left out."""
    links = json.loads(host.check_output("ip -json addr show scope global"))
    return [address["local"] for link in links for address in link["addr_info"] if address]


def ask(host, name, kind, address=None, rdclass="IN"):
    """The server's answer to a question asked on the host itself, with signatures."""
    query = dns.message.make_query(name, kind, rdclass, want_dnssec=True)
    query.flags &= ~dns.flags.RD
    wire = base64.b64encode(query.to_wire()).decode()
    answer = host.check_output("python3 -c %s %s %s", ASK, address or addresses(host)[0], wire)
    return dns.message.from_wire(base64.b64decode(answer))


def published_key(host):
    """What the zone's DNSKEY must be, from the private key on the host alone."""
    lines = dict(line.split(": ") for line in host.file(KEY).content_string.splitlines())
    private = ec.derive_private_key(int.from_bytes(base64.b64decode(lines["PrivateKey"])), ec.SECP256R1())
    return dns.dnssec.make_dnskey(private.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, 257)


@pytest.fixture
def changed_zone(host):
    """Adds a line to the zone file; everything is put back afterwards."""
    before = host.file(FILE).content_string

    def change(line):
        host.check_output("printf '%%s\\n' %s >> %s", line, FILE)

    yield change
    host.run("printf %%s %s > %s && systemctl reload pdns", before, FILE)


def test_it_answers_with_authority_on_each_own_address(host):
    assert len(addresses(host)) >= 2
    for address in addresses(host):
        answer = ask(host, ZONE, "SOA", address)
        assert answer.flags & dns.flags.AA
        assert answer.answer


def test_loopback_is_left_to_the_resolver(host):
    listening = host.check_output("ss -Hlntu 'sport = 53'")
    assert "127.0.0.1:53" not in listening
    assert "[::1]:53" not in listening


def test_the_published_key_is_the_one_from_the_vault(host):
    keys = ask(host, ZONE, "DNSKEY").get_rrset(
        dns.message.ANSWER, dns.name.from_text(ZONE), dns.rdataclass.IN, dns.rdatatype.DNSKEY
    )
    assert list(keys) == [published_key(host)]


def test_the_ds_that_the_server_names_is_the_one_that_the_inventory_computes(host):
    computed = dns.dnssec.make_ds(ZONE, published_key(host), "SHA256").to_text()
    assert computed in host.check_output("pdnsutil export-zone-ds %s 2>/dev/null", ZONE.rstrip("."))


@pytest.mark.parametrize("kind", ["SOA", "NS", "DNSKEY", "A", "AAAA", "MX", "TXT"])
def test_every_answer_has_a_signature_that_validates(host, kind):
    name = dns.name.from_text(ZONE)
    answer = ask(host, ZONE, kind)
    of = [dns.message.ANSWER, name, dns.rdataclass.IN]
    records = answer.get_rrset(*of, dns.rdatatype.from_text(kind))
    signatures = answer.get_rrset(*of, dns.rdatatype.RRSIG, dns.rdatatype.from_text(kind))
    keys = {name: dns.rrset.from_rdata(name, 300, published_key(host))}
    dns.dnssec.validate(records, signatures, keys)


def test_what_does_not_exist_is_denied_with_a_signature(host):
    answer = ask(host, f"geenszins.{ZONE}", "A")
    assert answer.rcode() == dns.rcode.NXDOMAIN
    kinds = {rrset.rdtype for rrset in answer.authority}
    assert {dns.rdatatype.NSEC, dns.rdatatype.RRSIG} <= kinds


def test_names_of_others_are_refused(host):
    answer = ask(host, "example.org.", "A")
    assert answer.rcode() == dns.rcode.REFUSED
    assert not answer.flags & dns.flags.RA


def test_it_does_not_say_what_it_is(host):
    for name in ("version.bind.", "version.pdns.", "id.server."):
        assert not ask(host, name, "TXT", rdclass="CH").answer


def test_a_change_of_a_zone_is_served_after_a_reload(host, changed_zone):
    assert not ask(host, f"nieuw.{ZONE}", "TXT").answer
    changed_zone('nieuw.voorbeeld.test. 60 IN TXT "net gemaakt"')
    pid = host.check_output("systemctl show -p MainPID --value pdns")
    host.check_output("systemctl reload pdns")
    assert "net gemaakt" in ask(host, f"nieuw.{ZONE}", "TXT").to_text()
    assert host.check_output("systemctl show -p MainPID --value pdns") == pid


def test_a_zone_with_a_mistake_is_refused_and_the_old_one_stays(host, changed_zone):
    changed_zone("stuk.voorbeeld.test. 60 IN A geen-adres")
    changed_zone('ook-nieuw.voorbeeld.test. 60 IN TXT "mag niet"')
    assert host.run("systemctl reload pdns").failed
    assert "stuk.voorbeeld.test" in host.check_output("journalctl -u pdns -n 20 -o cat")
    assert not ask(host, f"ook-nieuw.{ZONE}", "TXT").answer
    assert ask(host, ZONE, "SOA").answer


def test_whole_zones_are_not_given_away(host):
    query = dns.message.make_query(ZONE, "AXFR").to_wire()
    framed = base64.b64encode(len(query).to_bytes(2) + query).decode()
    program = (
        "import base64, socket, sys; s = socket.create_connection((sys.argv[1], 53), 5);"
        "s.sendall(base64.b64decode(sys.argv[2])); print(base64.b64encode(s.recv(65535)[2:]).decode())"
    )
    answer = host.check_output("python3 -c %s %s %s", program, addresses(host)[0], framed)
    assert dns.message.from_wire(base64.b64decode(answer)).rcode() in (dns.rcode.REFUSED, dns.rcode.NOTAUTH)


def test_the_api_is_for_the_host_alone_and_wants_its_password(host):
    assert host.socket("tcp://127.0.0.1:8081").is_listening
    assert host.check_output("ss -Hlnt 'sport = 8081'").split()[3] == "127.0.0.1:8081"
    program = (
        "import urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen('http://127.0.0.1:8081/api/v1/servers').status)\n"
        "except urllib.error.HTTPError as e: print(e.code)"
    )
    assert host.check_output("python3 -c %s", program) == "401"


def test_keys_and_password_can_be_read_by_nobody_else(host):
    for path in (KEY, "/etc/powerdns/pdns.conf", "/run/pdns/dnssec.sqlite3"):
        file = host.file(path)
        assert file.mode & 0o007 == 0, path
        assert file.group == "pdns", path


def test_nothing_is_fetched_from_anybody(host):
    effective = host.check_output("pdns_control current-config").splitlines()
    assert "security-poll-suffix=" in effective
    assert not [line for line in effective if line.startswith("resolver=") and line not in ("resolver=", "resolver=no")]
