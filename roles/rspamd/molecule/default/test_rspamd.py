"""Rspamd alone: what it asks others (nothing), what it refuses, and that it signs."""

import json
import re
from collections.abc import Iterator
from shlex import quote
from typing import Any

import pytest

# In parts: in one piece the pattern would make this file look unwanted itself.
UNWANTED = "-".join(("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE", "STANDARD", "ANTI", "UBE", "TEST", "EMAIL*C.34X"))

# Modules that tell or ask somebody outside. Each must be off whatever the package's default is one day.
TALKATIVE = [
    "asn", "aws_s3", "bimi", "clickhouse", "contextal", "dcc", "elastic", "external_services", "fuzzy_check", "gpt",
    "metadata_exporter", "metric_exporter", "multimap", "mx_check", "rbl", "rspamd_update", "url_redirector",
    "whitelist",
]  # fmt: skip

MILTER = """
import socket, struct, sys, json
def ask(user, sender, recipient, mail):
    c = socket.create_connection(('127.0.0.1', 11332), 30)
    def send(kind, data=b''): c.sendall(struct.pack('!I', len(data) + 1) + kind + data)
    def receive():
        size = struct.unpack('!I', c.recv(4, socket.MSG_WAITALL))[0]
        data = c.recv(size, socket.MSG_WAITALL)
        return data[:1], data[1:]
    send(b'O', struct.pack('!III', 6, 0x1ff, 0xfffff)); receive()  # agreed: it answers only at the end
    send(b'D', b'Cj\\0mail.voorbeeld.test\\0')
    send(b'C', b'mx.vreemd.test\\0' + b'4' + struct.pack('!H', 25) + b'192.0.2.1\\0')
    send(b'H', b'mx.vreemd.test\\0')
    if user: send(b'D', b'M{auth_authen}\\0' + user.encode() + b'\\0')
    send(b'M', b'<' + sender.encode() + b'>\\0')
    send(b'R', b'<' + recipient.encode() + b'>\\0')
    head, _, body = mail.replace('\\n', '\\r\\n').partition('\\r\\n\\r\\n')
    for line in head.split('\\r\\n'):
        name, _, value = line.partition(': ')
        send(b'L', name.encode() + b'\\0' + value.encode() + b'\\0')
    send(b'N')
    send(b'B', body.encode())
    send(b'E')
    answers = []
    while True:
        kind, data = receive()
        answers.append(kind.decode() + ' ' + data.replace(b'\\0', b' ').decode())
        if kind in b'acdrty': return answers
print(json.dumps(ask(*json.loads(sys.argv[1]))))
"""


def offer(host: Any, mail: str, *, user: str = "", sender: str = "vreemd@vreemd.test") -> list[str]:
    """Hand a mail over as Postfix does; the milter's answers, the verdict last."""
    argument = json.dumps([user, sender, "anna@voorbeeld.test", mail])
    return list(json.loads(host.check_output(f"python3 -c {quote(MILTER)} {quote(argument)}")))


def letter(sender: str, body: str = "Goedendag") -> str:
    return (
        f"From: {sender}\nTo: anna@voorbeeld.test\nSubject: Proef\nMessage-ID: <1@vreemd.test>\n"
        f"Date: Mon, 05 Jan 2026 10:00:00 +0100\nContent-Type: text/plain; charset=utf-8\n\n{body}\n"
    )


@pytest.fixture(scope="module")
def effective(host: Any) -> dict[str, Any]:
    """The configuration as Rspamd itself understands it."""
    text = host.run("rspamadm configdump -j").stdout
    return dict(json.loads(text[text.index("{") :]))


@pytest.mark.parametrize("module", TALKATIVE)
def test_module_that_asks_others_is_off(effective: dict[str, Any], module: str) -> None:
    assert effective[module]["enabled"] is False


def _addresses(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("description", "re"):
                yield from _addresses(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _addresses(inner)
    elif isinstance(value, str):
        yield from re.findall(r"https?://[^\s\"]+|[\w.-]+\.rspamd\.com\b", value)


def test_no_setting_that_counts_names_somebody_outside(effective: dict[str, Any]) -> None:
    on = {k: v for k, v in effective.items() if not (isinstance(v, dict) and v.get("enabled") is False)}
    assert list(_addresses(on)) == []


def test_only_the_resolver_of_this_host_is_asked(effective: dict[str, Any]) -> None:
    assert effective["options"]["dns"]["nameserver"] == ["127.0.0.1:53"]


def test_nobody_but_this_host_is_believed_to_be_this_host(effective: dict[str, Any]) -> None:
    assert all(address.startswith(("127.", "::1")) for address in effective["options"]["local_addrs"])


def test_it_listens_to_postfix_alone(host: Any) -> None:
    listening = {line.split()[3] for line in host.check_output("ss -Hltnp").splitlines() if "rspamd" in line}
    assert listening == {"127.0.0.1:11332"}
    controller = host.file("/run/rspamd/controller.sock")
    assert (controller.is_socket, controller.user, controller.mode) == (True, "_rspamd", 0o600)


def test_the_keys_are_not_for_everybody(host: Any) -> None:
    key = host.file("/etc/rspamd/dkim/voorbeeld.test.s1.key")
    assert (key.user, key.mode) == ("_rspamd", 0o400)
    assert host.file("/etc/rspamd/override.d/worker-controller.inc").mode == 0o640


def test_mail_from_a_stranger_is_let_in_with_what_was_found(host: Any) -> None:
    answers = offer(host, letter("vreemd@vreemd.test"))
    assert answers[-1][0] in "ac", answers
    assert any("Authentication-Results mail.voorbeeld.test;" in answer for answer in answers), answers


def test_unwanted_mail_is_refused(host: Any) -> None:
    assert re.match(r"y 554 5\.7\.1 ", offer(host, letter("vreemd@vreemd.test", UNWANTED))[-1])


def test_mail_of_our_people_is_signed(host: Any) -> None:
    answers = offer(host, letter("bram@voorbeeld.test"), user="bram", sender="bram@voorbeeld.test")
    assert answers[-1][0] in "ac", answers
    (signature,) = (answer for answer in answers if "DKIM-Signature" in answer)
    assert re.search(r"d=voorbeeld\.test;\s+s=s1;", signature)
    assert not [answer for answer in answers if "Authentication-Results" in answer], "tells the world the login"


def test_mail_of_strangers_is_not_signed(host: Any) -> None:
    answers = offer(host, letter("bram@voorbeeld.test"), sender="bram@voorbeeld.test")
    assert not [answer for answer in answers if "DKIM-Signature" in answer]


@pytest.mark.parametrize("sender", ["carla@voorbeeld.test", "bram@voorbeeld.test, carla@voorbeeld.test"])
def test_nobody_here_writes_under_another_name(host: Any, sender: str) -> None:
    answers = offer(host, letter(sender), user="bram", sender="bram@voorbeeld.test")
    assert re.match(r"y 554 5\.7\.1 The address in From", answers[-1]), answers
