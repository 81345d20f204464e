"""Every way in for programs and telephones, tried with an application password or another."""

from __future__ import annotations

import itertools
import smtplib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from smoke_tests.clients import http, sieve, smtp
from smoke_tests.clients.imap import Imap, ImapError
from smoke_tests.people import Account


class RefusedError(Exception):
    """The groupware answers 401."""


def _groupware(method: str, path: str) -> Callable[[Account], None]:
    def enter(account: Account) -> None:
        login = (account.uid, account.app_password)
        host = account.organisation.served("groupware")
        response = http.ask(method, host, path.format(uid=account.uid), login=login, headers={"Depth": "0"})
        if response.status in (401, 403):  # 403: SOGo remembers for ten seconds that it does not know somebody
            raise RefusedError
        assert response.status in (200, 207), response.status

    return enter


def _submission(port: int) -> Callable[[Account], None]:
    return lambda account: smtp.close(
        smtp.log_in(account.organisation.mail, account.uid, account.app_password, port)
    )  # fmt: skip


_WAYS: dict[str, Callable[[Account], None]] = {
    "imap": lambda account: Imap(account.organisation.mail, account.uid, account.app_password).close(),
    "sieve": lambda account: sieve.log_in(account.organisation.mail, account.uid, account.app_password).close(),
    "port 465": _submission(smtp.SUBMISSIONS),
    "port 587": _submission(smtp.SUBMISSION),
    "calendar": _groupware("PROPFIND", "/SOGo/dav/{uid}/Calendar/"),
    "contacts": _groupware("PROPFIND", "/SOGo/dav/{uid}/Contacts/"),
    "telephone": _groupware("OPTIONS", "/Microsoft-Server-ActiveSync"),
}
MAIL = frozenset({"imap", "sieve", "port 465", "port 587"})
CALENDAR = frozenset({"calendar", "contacts"})
MOBILE = frozenset({"telephone"})


def open_ways(account: Account) -> frozenset[str]:
    """The ways on which the account's application password lets in, of those that its organisation has.

    All at once: a server takes its time with whoever is wrong.
    """
    ways = [way for way in _WAYS if way in MAIL or "groupware" in account.organisation.names]
    with ThreadPoolExecutor(len(ways)) as pool:
        opens = pool.map(lambda way: _opens(way, account), ways)
        return frozenset(itertools.compress(ways, opens))


def with_password(account: Account, password: str) -> Account:
    """The account as a program knows it that says another password."""
    return replace(account, app_password=password, _connections={})


def all_ways(account: Account) -> frozenset[str]:
    """Every way that the account's organisation has."""
    return MAIL | CALENDAR | MOBILE if "groupware" in account.organisation.names else MAIL


def _opens(way: str, account: Account) -> bool:
    try:
        _WAYS[way](account)
    except (ImapError, sieve.SieveError, smtplib.SMTPAuthenticationError, RefusedError):
        return False
    return True
