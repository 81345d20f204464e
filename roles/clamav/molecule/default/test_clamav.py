"""The virus scanner on a bare host: what it finds, and whom it asks."""

import re
from shlex import quote
from typing import Any

# In parts, so that no scanner stumbles over this repository
SAMPLE = "".join(["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE", "!$H+H*"])

SCAN = """
import socket, struct, sys
c = socket.socket(socket.AF_UNIX); c.connect('/run/clamav/clamd.ctl'); c.sendall(b'zINSTREAM\\0')
data = sys.stdin.buffer.read(); c.sendall(struct.pack('!I', len(data)) + data + b'\\0\\0\\0\\0')
print(c.recv(4096).decode())
"""


def scan(host: Any, text: str) -> str:
    """What clamd says, asked as Rspamd asks."""
    return str(host.check_output(f"printf %s {quote(text)} | python3 -c {quote(SCAN)}"))


def test_the_test_virus_is_found(host: Any) -> None:
    assert "Lab.Eicar-Test.UNOFFICIAL FOUND" in scan(host, SAMPLE)


def test_a_clean_file_is_let_through(host: Any) -> None:
    assert "stream: OK" in scan(host, "Geachte heer, mevrouw")


def test_clamd_has_no_privileges_and_no_network(host: Any) -> None:
    (clamd,) = host.process.filter(comm="clamd")
    assert clamd.user == "clamav"
    assert host.check_output("systemctl show -P PrivateNetwork clamav-daemon.service") == "yes"
    assert not [line for line in host.check_output("ss -Hltunp").splitlines() if "clamd" in line]


def test_nobody_is_asked_for_signatures_unless_the_inventory_names_a_source(host: Any) -> None:
    assert host.run("systemctl is-enabled clamav-freshclam.service").stdout.strip() == "masked"
    assert not host.process.filter(comm="freshclam")
    assert host.run("systemctl is-enabled clamav-freshclam-once.timer").stdout.strip() != "enabled"
    for file in ("/etc/clamav/freshclam.conf", "/etc/clamav/clamd.conf"):
        settings = re.sub(r"(?m)^#.*$", "", host.file(file).content_string)
        assert not re.search(r"clamav\.net|https?://(?!127\.0\.0\.1)", settings)
    assert "DNSDatabaseInfo no" in host.file("/etc/clamav/freshclam.conf").content_string
