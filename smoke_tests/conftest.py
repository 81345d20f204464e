"""What every test starts from: the target, people of the suite's own, and a way to break a lab on purpose.

The suite sees what a user sees: network protocols only. It makes its own people through `deploy.people` and takes them
and their mail away at the end, also after Ctrl-C; so it can run against a stack that is in use.
"""

from __future__ import annotations

import itertools
import os
import smtplib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeAlias

import pytest

from deploy.inventory import Inventory, load
from deploy.people import Directory, new_password, session
from deploy.report.evidence import Evidence
from smoke_tests.clients import sieve, smtp
from smoke_tests.clients.browser import Chromium, Visitor, authority_of
from smoke_tests.clients.imap import Imap, ImapError
from smoke_tests.people import Account, MailboxOf, People, Staff, clear, take_seat
from smoke_tests.target import Organisation, Target

pytest_plugins = ["deploy.report.evidence", "smoke_tests.groupware"]

_TESTS_A_CONNECTION = 3


class LabHost(Protocol):
    """Runs a command on a host of the lab and returns what it printed."""

    def __call__(self, host: str, command: str, *, check: bool = True, seconds: float = 30) -> str: ...


WrongPasswords: TypeAlias = Mapping[str, str]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", default=os.environ.get("BSW_TARGET"), help="target.json, as `bsw smoke` writes it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who guesses passwords makes the server slow for everybody at this address: late. Who breaks something: last."""

    def order(item: pytest.Item) -> int:
        if item.get_closest_marker("lab"):
            return 3
        guesses = item.path.stem == "test_app_passwords" or "wrong_passwords" in item.fixturenames  # type: ignore[attr-defined]
        return 2 if guesses else int(item.path.stem == "test_people")

    items.sort(key=order)


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    """What the suite runs against."""
    file = request.config.getoption("--target")
    if not file:
        pytest.exit(
            "no target: give --target target.json, or run `./bsw smoke`", returncode=pytest.ExitCode.USAGE_ERROR
        )
    return Target.read(Path(file))


@pytest.fixture(autouse=True)
def _only_a_lab_is_broken_on_purpose(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("lab") and request.getfixturevalue("target").environment != "lab":
        pytest.skip("breaks something on purpose: labs only")


@pytest.fixture(scope="session")
def home(target: Target) -> Organisation:
    """The organisation that the suite serves."""
    return target.primary


@pytest.fixture(scope="session")
def partner(target: Target) -> Organisation:
    """A second organisation to exchange mail with; only a lab has one."""
    for organisation in target.organisations.values():
        if organisation.id != target.primary.id and organisation.people and "mail" in organisation.names:
            return organisation
    pytest.skip("the inventory has no second organisation with mail")


@pytest.fixture(scope="session")
def inventory(target: Target) -> Inventory:
    """The inventory behind the target: it knows the way to the directory."""
    return load(target.inventory)


@pytest.fixture(scope="session")
def directory(inventory: Inventory, home: Organisation) -> Iterator[Directory]:
    """The directory of the organisation, open for the whole run."""
    with session(inventory, home.id) as opened:
        yield opened


@pytest.fixture(scope="session")
def seat(directory: Directory) -> Iterator[str]:
    """The prefix of this run's people: another run at the same time has another one."""
    with ExitStack() as stack:
        yield take_seat(stack, directory)


@pytest.fixture(scope="session")
def staff(directory: Directory, home: Organisation, seat: str) -> Iterator[Staff]:
    """People of the suite's own: Anna and Bram, Clara who reads nothing shared, Daan with a small mailbox, a team."""
    with ExitStack() as stack:
        yield Staff.hire(stack, directory, home, seat)


@pytest.fixture(scope="session")
def pieter(inventory: Inventory, partner: Organisation, seat: str) -> Iterator[Account]:
    """Somebody at the second organisation."""
    with session(inventory, partner.id) as opened, ExitStack() as stack:
        clear(opened, seat)
        yield People(stack, opened, partner, seat).person("pieter", "Pieter", "Proef")


@pytest.fixture(scope="session")
def anna(staff: Staff) -> Account:
    return staff.anna


@pytest.fixture(scope="session")
def bram(staff: Staff) -> Account:
    return staff.bram


@pytest.fixture(scope="session")
def clara(staff: Staff) -> Account:
    return staff.clara


@pytest.fixture(scope="session")
def mailbox_of() -> Iterator[MailboxOf]:
    """An IMAP connection of somebody; one for the whole run, as long as the server lives."""
    opened: dict[str, Imap] = {}

    def of(account: Account) -> Imap:
        if account.address not in opened or not opened[account.address].alive:
            opened[account.address] = account.imap()
        return opened[account.address]

    yield of
    for connection in opened.values():
        connection.close()


@pytest.fixture(scope="session")
def wrong_passwords(staff: Staff, home: Organisation) -> WrongPasswords:
    """What the server says to a wrong password, by the way in that was tried.

    All at once: a server takes its time with whoever guesses, the longer the more often.
    """
    clara, wrong = staff.clara.uid, new_password()
    ways: dict[str, Callable[[], object]] = {
        "imap": lambda: Imap(home.mail, clara, wrong),
        "shared mailbox": lambda: Imap(home.mail, staff.shared, wrong),
        "sieve": lambda: sieve.log_in(home.mail, clara, wrong),
        "port 465": lambda: smtp.log_in(home.mail, clara, wrong, 465),
        "port 587": lambda: smtp.log_in(home.mail, clara, wrong, 587),
    }

    def refusal(way: str) -> str:
        try:
            ways[way]()
        except (ImapError, sieve.SieveError, smtplib.SMTPAuthenticationError) as error:
            return str(error)
        return "let in"

    with ThreadPoolExecutor(len(ways)) as pool:
        return dict(zip(ways, pool.map(refusal, ways), strict=True))


@pytest.fixture(scope="session")
def chromium(target: Target, home: Organisation) -> Iterator[Chromium]:
    """The browser of this run; in a lab it trusts the lab's authority, too."""
    sso = home.served("sso")
    with Chromium.started(home, authority_of(sso) if target.environment == "lab" else b"") as browser:
        yield browser


@pytest.fixture
def visitor(chromium: Chromium, request: pytest.FixtureRequest, evidence: Evidence) -> Iterator[Callable[[], Visitor]]:
    """A new person at a desk with each call. What they saw when a test failed is kept."""
    came: list[Visitor] = []
    failed = request.session.testsfailed

    def one() -> Visitor:
        came.append(chromium.visitor())
        return came[-1]

    yield one
    for number, visitor in enumerate(came, 1):
        if request.session.testsfailed > failed:
            evidence.keep(f"failure {number}.png", visitor.page.screenshot())
            evidence.keep(f"failure {number}.txt", "\n".join([visitor.page.url.partition("?")[0], *visitor.errors]))
        visitor.context.close()


@pytest.fixture
def lab_host(target: Target) -> LabHost:
    """Run a command on a lab's host: `lab_host("stack", "systemctl reload postfix")`."""
    if target.environment != "lab":
        pytest.skip("commands on hosts: labs only")

    def run(host: str, command: str, *, check: bool = True, seconds: float = 30) -> str:
        ssh = ["ssh", "-F", "/run/bsw/lab/ssh_config", "-o", "BatchMode=yes", host, command]
        done = subprocess.run(
            ssh, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0 or not check, f"{host}: {command}: {done.stderr.strip() or done.stdout.strip()}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def _strangers(home: Organisation) -> Iterator[Callable[[], smtplib.SMTP]]:
    opened: list[smtplib.SMTP] = []
    tests = itertools.count()

    def one() -> smtplib.SMTP:
        if next(tests) % _TESTS_A_CONNECTION == 0 or not smtp.alive(opened[-1]):
            opened.append(smtp.open_connection(home.mail))
        opened[-1].rset()
        return opened[-1]

    yield one
    for connection in opened:
        smtp.close(connection)


@pytest.fixture
def stranger(_strangers: Callable[[], smtplib.SMTP]) -> smtplib.SMTP:
    """A mail server that nobody knows, on port 25.

    Few tests share a connection: servers limit how often somebody connects, and are slow with whoever makes mistakes.
    """
    return _strangers()
