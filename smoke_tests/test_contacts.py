"""Contacts: the own ones, and the colleagues in the directory."""

from __future__ import annotations

import secrets
from urllib.parse import urljoin, urlparse

import pytest

from smoke_tests.clients import http
from smoke_tests.clients.dav import Dav
from smoke_tests.people import Account, Staff
from smoke_tests.target import Organisation


@pytest.fixture
def books(home: Organisation, anna: Account) -> tuple[Dav, list[str]]:
    """Anna's address books, and those of the organisation, which her server names (directory-gateway)."""
    dav = Dav(home.served("groupware"), anna.uid, anna.app_password)
    own = dav.addressbook_home()
    return dav, [*dav.collections(own, "card:addressbook"), *dav.gateways()]


@pytest.mark.requirement("MBGROUPWARE-01")
def test_a_contact_is_kept(books: tuple[Dav, list[str]]) -> None:
    dav, found = books
    book = next(path for path in found if urlparse(path).path.rstrip("/").endswith("/personal"))
    uid = secrets.token_hex(8)
    path = f"{book.rstrip('/')}/{uid}.vcf"
    card = "\r\n".join((
        "BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", "N:Burger;Bea;;;", f"FN:Bea Burger {uid}",
        "EMAIL;TYPE=work:bea@voorbeeld.example", "TEL;TYPE=work:+31 70 000 00 00", "END:VCARD", "",
    ))  # fmt: skip
    assert dav.ask("PUT", path, card, kind="text/vcard; charset=utf-8").status == 201
    try:
        seen = dav.ask("GET", path)
        assert seen.status == 200
        assert f"FN:Bea Burger {uid}" in seen.text
        assert "bea@voorbeeld.example" in seen.text
    finally:
        assert dav.ask("DELETE", path).status in (200, 204)
    assert dav.ask("GET", path).status == 404


@pytest.mark.requirement("MBGROUPWARE-05")
def test_a_colleague_is_found_in_the_directory(books: tuple[Dav, list[str]], staff: Staff) -> None:
    dav, found = books
    cards = [card for book in found for card in dav.cards(book, staff.bram.uid)]
    assert [card for card in cards if staff.bram.address in card]


@pytest.mark.requirement("MBGROUPWARE-05")
def test_a_functional_mailbox_is_found_in_the_directory(books: tuple[Dav, list[str]], staff: Staff) -> None:
    dav, _ = books
    # programs are told of one book only, that of the people; the others are beside it
    beside = urljoin(dav.gateways()[0], "../shared/")
    assert [card for card in dav.cards(beside, staff.shared) if staff.shared_address in card]


def test_the_directory_is_not_for_strangers(home: Organisation, anna: Account) -> None:
    response = http.ask("PROPFIND", home.served("groupware"), f"/SOGo/dav/{anna.uid}/Contacts/", headers={"Depth": "1"})
    assert response.status == 401
    assert anna.address not in response.text
