"""Rooms: found in the directory, booked by inviting them, never twice at a time."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urljoin

import pytest

from deploy.people import Directory, Mailbox
from smoke_tests.groupware import ONE_DAY, TOMORROW, CalendarOf, event, guests
from smoke_tests.people import Account, People
from smoke_tests.target import Organisation

pytestmark = pytest.mark.requirement("MBGROUPWARE-01")
HOUR = datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def room(directory: Directory, home: Organisation, seat: str) -> Iterator[Mailbox]:
    """A room of the suite's own."""
    with ExitStack() as stack:
        people = People(stack, directory, home, seat)
        made = Mailbox(f"{seat}-zaal", "Proefzaal", people.address("zaal"), kind="room")
        people.add(made)
        yield made


@pytest.fixture
def begin() -> datetime.datetime:
    """Some hour that no other run has taken: a room's calendar stays."""
    return TOMORROW + secrets.randbelow(300) * ONE_DAY


@pytest.mark.requirement("MBGROUPWARE-05")
def test_a_room_is_found_in_the_directory(calendar_of: CalendarOf, anna: Account, room: Mailbox) -> None:
    dav = calendar_of(anna).dav
    book = urljoin(dav.gateways()[0], "../rooms/")
    assert [card for card in dav.cards(book, room.uid) if room.mail in card]
    assert not dav.cards(urljoin(book, "../shared/"), room.uid), "it is no functional mailbox to write to"


def test_a_room_accepts_and_takes_no_second_meeting(
    calendar_of: CalendarOf, anna: Account, bram: Account, room: Mailbox, begin: datetime.datetime
) -> None:
    hers, his = calendar_of(anna), calendar_of(bram)
    first, second = secrets.token_hex(8), secrets.token_hex(8)
    assert hers.put(first, event(first, "Overleg", more=guests(anna, room), begin=begin)).status == 201
    hers.wait_for_answer(first, room.mail, "ACCEPTED")

    refused = his.put(second, event(second, "Ook overleg", more=guests(bram, room), begin=begin + HOUR / 2))
    assert refused.status == 409
    assert not his.find(second)
    assert his.put(second, event(second, "Later overleg", more=guests(bram, room), begin=begin + HOUR)).status == 201
    his.wait_for_answer(second, room.mail, "ACCEPTED")

    hers.remove(first)
    assert his.put(second, event(second, "Eerder overleg", more=guests(bram, room), begin=begin)).status in (200, 204)
    his.remove(second)
