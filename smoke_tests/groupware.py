"""Calendars of the suite's people as a program sees them, and the browser in which somebody came from the portal."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, urlparse

import pytest

from deploy.people import Mailbox
from smoke_tests.clients.dav import SPACES, Dav
from smoke_tests.clients.http import Response
from smoke_tests.clients.portal import Page, Portal
from smoke_tests.clients.waiting import wait_until
from smoke_tests.people import Account, Staff
from smoke_tests.target import Organisation

ONE_DAY = datetime.timedelta(1)
TOMORROW = datetime.datetime.now(datetime.UTC).replace(hour=9, minute=0, second=0, microsecond=0) + ONE_DAY


def stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def event(
    uid: str, title: str, *, more: tuple[str, ...] = (), begin: datetime.datetime = TOMORROW, method: str = ""
) -> str:
    """An event of an hour (RFC 5545); with a method it is a message about one (RFC 5546)."""
    return "\r\n".join((
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//rooktest//nl", *([f"METHOD:{method}"] if method else []),
        "BEGIN:VEVENT", f"UID:{uid}", f"DTSTAMP:{stamp(datetime.datetime.now(datetime.UTC))}",
        f"DTSTART:{stamp(begin)}", f"DTEND:{stamp(begin + datetime.timedelta(hours=1))}", f"SUMMARY:{title}", *more,
        "END:VEVENT", "END:VCALENDAR", "",
    ))  # fmt: skip


def guests(organiser: Account, *invited: Account | Mailbox, answer: str = "NEEDS-ACTION") -> tuple[str, ...]:
    """Who calls the meeting, and who is asked to come or which room is booked, as lines of an event."""
    addresses = [(one.name, one.address if isinstance(one, Account) else one.mail) for one in invited]
    return (
        f"ORGANIZER;CN={organiser.name}:mailto:{organiser.address}",
        *(f"ATTENDEE;CN={name};PARTSTAT={answer};RSVP=TRUE:mailto:{address}" for name, address in addresses),
    )


def lines(text: str) -> list[str]:
    """The lines of an event, each in one piece (RFC 5545, 3.1)."""
    return re.sub(r"\r?\n[ \t]", "", text).splitlines()


def answer(text: str, address: str) -> str:
    """What somebody who was asked has said to it (PARTSTAT); nothing if the event does not know them."""
    for line in lines(text):
        if _is_guest(line, address):
            found = _ANSWER.search(line)
            return found[1] if found else "NEEDS-ACTION"  # RFC 5545, 3.2.12
    return ""


def answered(text: str, address: str, said: str) -> str:
    """An event to which somebody says something else."""
    return "".join(
        f"{_ANSWER.sub(f';PARTSTAT={said}', line) if _is_guest(line, address) else line}\r\n" for line in lines(text)
    )


def _is_guest(line: str, address: str) -> bool:
    return line.startswith("ATTENDEE") and line.lower().endswith(f":mailto:{address}".lower())


_ANSWER = re.compile(r";PARTSTAT=([A-Z-]+)")


class Calendar:
    """A calendar over CalDAV; not always the own one."""

    def __init__(self, dav: Dav, path: str) -> None:
        self.dav = dav
        self.path = f"{path.rstrip('/')}/"

    @classmethod
    def own(cls, account: Account) -> Calendar:
        """Somebody's own calendar, found from the well-known address."""
        dav = Dav(account.organisation.served("groupware"), account.uid, account.app_password)
        return cls(dav, dav.collections(dav.calendar_home(), "cal:calendar")[0])

    def put(self, uid: str, text: str) -> Response:
        """Write an event, under its own name or the one that it has already."""
        found = self.find(uid)
        return self.dav.ask(
            "PUT", found[0] if found else f"{self.path}{uid}.ics", text, kind="text/calendar; charset=utf-8"
        )

    def events(self, condition: str = "") -> dict[str, str]:
        """Path -> text of every event; a condition is what may stand in a `comp-filter` (RFC 4791, 9.7.1)."""
        found = self.dav.report(
            self.path, "cal:calendar-query",
            "<d:prop><d:getetag/><cal:calendar-data/></d:prop><cal:filter><cal:comp-filter name='VCALENDAR'>"
            f"<cal:comp-filter name='VEVENT'>{condition}</cal:comp-filter></cal:comp-filter></cal:filter>",
        )  # fmt: skip
        return {urlparse(path).path: one.findtext("cal:calendar-data", "", SPACES) for path, one in found.items()}

    def find(self, uid: str) -> tuple[str, str] | None:
        """Path and text of an event, whatever its file is called."""
        return next(((path, text) for path, text in self.events().items() if f"UID:{uid}" in lines(text)), None)

    def wait_for(self, uid: str) -> str:
        """The text of an event as soon as it is there."""
        return wait_until(lambda: self.find(uid), f"event {uid} in {self.path}")[1]

    def wait_for_answer(self, uid: str, address: str, wanted: str) -> str:
        """The text of an event as soon as somebody has answered so."""

        def said() -> str | None:
            found = self.find(uid)
            return found[1] if found and answer(found[1], address) == wanted else None

        return wait_until(said, f"{address} has said {wanted} to {uid}")

    def clear(self) -> None:
        """Take every event away."""
        for path in self.events():
            self.dav.ask("DELETE", path)

    def remove(self, uid: str) -> None:
        """Take an event away; who was asked is told."""
        found = self.find(uid)
        assert found, f"no event {uid} in {self.path}"
        assert self.dav.ask("DELETE", found[0]).status in (200, 204)


# to others SOGo shows a page that says which browsers it knows
_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Webmail:
    """A browser in which somebody came from the portal to the groupware."""

    def __init__(self, home: Organisation, account: Account) -> None:
        self.account = account
        self.host = home.served("groupware")
        self.browser = Portal(self.host)  # the same kind of browser, at another name
        self.portal = Portal(home.served("sso"))

    def enter(self) -> Page:
        """Follow the way from the groupware over the portal and back."""
        self.portal.log_in(self.account.uid, self.account.password)
        browsers = {self.host: self.browser, self.portal.host: self.portal}
        here = f"https://{self.host}/SOGo/"
        for _ in range(10):
            at = urlparse(here)
            page = browsers[str(at.hostname)].page(at.path + (f"?{at.query}" if at.query else ""))
            if page.status not in (301, 302, 303, 307):
                return page
            here = page.headers["location"]
            if here.startswith("/"):
                here = f"https://{at.hostname}{here}"
        raise AssertionError(f"led around in circles, last to {urlparse(here).path}")

    def page(self, path: str, headers: Mapping[str, str] | None = None, body: str | None = None) -> Page:
        """A page of the person's own."""
        said = {"User-Agent": _FIREFOX, **(headers or {})}
        return self.browser.page(f"/SOGo/so/{self.account.uid}{path}", headers=said, body=body)

    def script(self, path: str, question: object = None) -> Page:
        """What the page's script asks for."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Origin": f"https://{self.host}"}
        return self.page(path, headers, None if question is None else json.dumps(question))

    @property
    def is_open(self) -> bool:
        """Whether the page still shows something.

        Of the calendar: for the mailbox the page would use a token that may be no good any more, and wait as a guesser.
        """
        return '"calendars"' in self.script("/Calendar/calendarslist").text

    def press(self, mail: str, action: str, given: object = None) -> None:
        """Press a button that the page shows beside a mail about a meeting.

        Args:
            mail: its UID in the INBOX.
            action: `accept`, `decline`, `updateUserStatus`, …
            given: what was filled in.
        """
        page = self.script(f"/Mail/0/folderINBOX/{mail}/view")
        assert page.status == 200, page.status
        [card] = [part["content"] for part in _parts(json.loads(page.text)["parts"]) if part["type"] == _MEETING]
        assert f"iCalendarAction('{action}')" in card, f"no button {action} beside the mail"
        part = re.search(r'sg-imip-path="([^"]+)"', card)
        assert part, "the page does not say which part of the mail it is"
        done = self.script(f"/Mail/0/folderINBOX/{mail}/{quote(part[1], safe='/%')}/{action}", given or {})
        assert done.status in (200, 204), f"{action}: {done.status} {done.text[:200]}"


_MEETING = "UIxMailPartICalViewer"


def _parts(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a mail as the page shows them."""
    yield part
    if isinstance(part["content"], list):
        for inner in part["content"]:
            yield from _parts(inner)


CalendarOf: TypeAlias = Callable[[Account], Calendar]
"""Somebody's own calendar; see the fixture `calendar_of`."""
WebmailOf: TypeAlias = Callable[[Account], Webmail]
"""Somebody's browser; see the fixture `webmail_of`."""


@pytest.fixture(scope="session")
def calendar_of(staff: Staff) -> Iterator[CalendarOf]:
    """Somebody's calendar, empty at first; what the tests put there goes at the end, before the staff."""
    calendars = {account.uid: Calendar.own(account) for account in (staff.anna, staff.bram, staff.clara)}
    for calendar in calendars.values():
        calendar.clear()  # what a run left that was killed
    yield lambda account: calendars[account.uid]
    for calendar in calendars.values():
        calendar.clear()


@pytest.fixture(scope="module")
def webmail_of(home: Organisation) -> WebmailOf:
    """Somebody's browser, come in through the portal."""
    entered: dict[str, Webmail] = {}

    def of(account: Account) -> Webmail:
        if account.uid not in entered:
            entered[account.uid] = Webmail(home, account)
            assert entered[account.uid].enter().status == 200
        return entered[account.uid]

    return of
