"""Broken on purpose, in a lab: what was accepted is there afterwards, and a wrong key stops mail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients.tls import open_port
from smoke_tests.clients.waiting import wait_until
from smoke_tests.conftest import LabHost
from smoke_tests.people import Account, MailboxOf, by_id, letter

pytestmark = pytest.mark.lab


@pytest.fixture
def server(anna: Account) -> str:
    """The host of the mail server."""
    return anna.organisation.hosts["mail"][0]


UNITS = "postfix.service dovecot.service"


@pytest.fixture
def alive(lab_host: LabHost, server: str, anna: Account) -> Iterator[None]:
    """The mail server runs again afterwards, whatever happens."""
    yield
    lab_host(server, f"systemctl start {UNITS}", seconds=60)
    for port in (25, 465, 587, 993):
        wait_until(lambda port=port: open_port(anna.organisation.mail, port), f"port {port} answers")  # type: ignore[misc]


@pytest.mark.usefixtures("alive")
def test_mail_that_was_accepted_just_before_the_server_dies_is_there_afterwards(
    lab_host: LabHost, server: str, anna: Account, bram: Account, evidence: Evidence
) -> None:
    messages = [letter(anna.address, bram.address) for _ in range(3)]
    for message in messages:
        reply = anna.send(message)
        assert reply.accepted, reply
    lab_host(server, f"systemctl kill --signal=KILL {UNITS}")
    evidence.keep("after.txt", lab_host(server, f"systemctl is-active {UNITS}", check=False))
    lab_host(server, f"systemctl reset-failed {UNITS}; systemctl restart {UNITS}", seconds=60)
    wait_until(lambda: open_port(anna.organisation.mail, 993), "the server answers again")
    mailbox = bram.imap()
    for message in messages:
        mailbox.wait_for(*by_id(message), seconds=60)  # once at least: killed between two steps, a server repeats one
    mailbox.close()


@pytest.fixture
def wrong_key(lab_host: LabHost, pieter: Account, anna: Account) -> Iterator[str]:
    """The second organisation publishes a key that its server does not have."""
    host = pieter.organisation.hosts["dns"][0]
    zone = f"/etc/powerdns/zones/{pieter.organisation.domain}.zone"
    name = re.escape(f"_25._tcp.{pieter.organisation.mail}.")
    lab_host(host, f"cp -a {zone} {zone}.kept && sed -i -E '/^{name}.*TLSA/s/[0-9a-f]{{64}}/{'0' * 64}/I' {zone}")
    assert "0" * 64 in lab_host(host, f"cat {zone}")
    try:
        _forget(lab_host, host, pieter.organisation.domain, anna)
        yield host
    finally:
        lab_host(host, f"test ! -e {zone}.kept || mv {zone}.kept {zone}")
        _forget(lab_host, host, pieter.organisation.domain, anna)


def _forget(lab_host: LabHost, host: str, domain: str, anna: Account) -> None:
    """Let everybody look again: the name server reads its zones, the sender's resolver and mail server forget."""
    lab_host(host, "systemctl reload pdns")
    lab_host(anna.organisation.hosts["mail"][0], f"unbound-control flush_zone {domain} && systemctl reload postfix")


@pytest.mark.requirement("MBGROUPWARE-10", "SOV-OPEN")
def test_a_key_that_is_not_the_published_one_stops_mail_until_it_is_right_again(
    *, wrong_key: str, lab_host: LabHost, server: str, anna: Account, pieter: Account,
    mailbox_of: MailboxOf, evidence: Evidence,
) -> None:  # fmt: skip
    message = letter(anna.address, pieter.address)
    assert anna.send(message).accepted

    def reason() -> str:
        mails = map(json.loads, lab_host(server, "postqueue -j").splitlines())
        waiting = (r for mail in mails for r in mail["recipients"] if r["address"] == pieter.address)
        return next((r["delay_reason"] for r in waiting if "delay_reason" in r), "")

    said = wait_until(reason, "the mail waits in the queue with its reason")
    evidence.keep("reason.txt", said)
    assert re.search(r"(?i)certificate|TLSA|DANE", said), said
    assert mailbox_of(pieter).search(*by_id(message)) == []

    zone = f"/etc/powerdns/zones/{pieter.organisation.domain}.zone"
    lab_host(wrong_key, f"mv {zone}.kept {zone}")
    _forget(lab_host, wrong_key, pieter.organisation.domain, anna)
    lab_host(server, "postqueue -f")
    mailbox_of(pieter).wait_for(*by_id(message), seconds=40)
