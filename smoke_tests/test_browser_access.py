"""Pages that everybody can use: with the keyboard alone, and without what axe-core calls serious or critical."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from deploy.people import Directory, new_password
from deploy.report.evidence import Evidence
from smoke_tests.clients.browser import Visitor
from smoke_tests.people import Account, People
from smoke_tests.target import Organisation

# where the keyboard is has a line around it, or a shadow
_FOCUS = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none";
}"""
_STOPS = 12


@pytest.fixture(scope="module")
def karel(home: Organisation, directory: Directory, seat: str) -> Iterator[Account]:
    """Somebody who registers second factors."""
    with ExitStack() as stack:
        yield People(stack, directory, home, seat).person("karel", "Karel", "Proef")


def press_tab(page: Page, wanted: str) -> None:
    """Go on with the keyboard until that is reached; every stop on the way can be seen."""
    stops = []
    for _ in range(_STOPS):
        page.keyboard.press("Tab")
        stops.append(str(page.evaluate("document.activeElement.innerText || document.activeElement.name")).strip()[:40])
        assert page.evaluate(_FOCUS), f"nothing shows that the keyboard is at {stops[-1]!r}"
        if stops[-1].startswith(wanted):
            return
    raise AssertionError(f"the keyboard does not reach {wanted!r}: {stops}")


def test_the_keyboard_alone_goes_from_the_log_in_page_into_the_mailbox(
    visitor: Callable[[], Visitor], bram: Account
) -> None:
    somebody = visitor()
    page = somebody.open_portal()
    expect(page.get_by_role("textbox", name="Gebruikersnaam")).to_be_focused()
    page.keyboard.type(bram.uid)
    press_tab(page, "password")
    page.keyboard.type(bram.password)
    page.keyboard.press("Enter")
    somebody.see_menu()
    press_tab(page, "E-mail en agenda")
    page.keyboard.press("Enter")
    expect(somebody.folder("Postvak IN")).to_be_visible()


def test_nothing_keeps_people_out_of_the_log_in_page(visitor: Callable[[], Visitor], bram: Account) -> None:
    somebody = visitor()
    expect(somebody.open_portal().get_by_role("button", name="Aanmelden")).to_be_visible()
    assert somebody.faults() == []
    expect(somebody.enter_password(bram.uid, new_password()).get_by_role("alert")).to_be_visible()
    assert somebody.faults() == []


def test_nothing_keeps_people_out_of_the_menu(visitor: Callable[[], Visitor], bram: Account) -> None:
    somebody = visitor()
    page = somebody.log_in(bram)
    for section, shown in {
        "Uw toepassingen": "E-mail en agenda", "Wachtwoord": "Wachtwoord wijzigen",
        "Aanmeldingen": "Laatste aanmeldingen", "Afmelden": "Weet u het zeker?",
    }.items():  # fmt: skip
        page.get_by_role("navigation").get_by_role("link", name=section).click()
        expect(page.get_by_role("heading", name=shown)).to_be_visible()
        assert somebody.faults() == [], section
    page.get_by_text("Aangemeld als").click()
    expect(page.get_by_role("link", name="Tweede factor")).to_be_visible()
    assert somebody.faults() == []


@pytest.mark.requirement("MBPORTAL-02")
def test_nothing_keeps_people_out_of_the_pages_of_second_factors(
    visitor: Callable[[], Visitor], karel: Account
) -> None:
    somebody = visitor()
    page = somebody.log_in(karel)
    somebody.open_second_factors()
    assert somebody.faults() == []
    page.get_by_role("link", name="Beveiligingssleutel").click()
    expect(page.get_by_role("button", name="Opnieuw proberen")).to_be_visible()
    assert somebody.faults() == []
    somebody.open_second_factors().get_by_role("link", name="App voor codes").click()
    expect(page.locator("#secret")).not_to_be_empty()
    assert somebody.faults() == []
    somebody.register_app()
    assert somebody.faults() == []
    somebody.log_out()
    assert somebody.faults() == []
    expect(somebody.log_in(karel).get_by_role("textbox", name="Code")).to_be_visible()
    assert somebody.faults() == []


def test_nothing_keeps_people_out_of_the_passwords_of_their_programs(
    visitor: Callable[[], Visitor], bram: Account, evidence: Evidence
) -> None:
    somebody = visitor()
    page = somebody.log_in(bram)
    somebody.product("Programma's en telefoons").click()
    page.get_by_label("Naam, bijvoorbeeld Telefoon").fill("Telefoon")
    page.get_by_label("telefoon: e-mail, agenda en adresboek in één (ActiveSync)").check()
    assert somebody.faults() == []
    page.get_by_role("button", name="Maak een wachtwoord").click()
    expect(page.locator("#device-password")).to_have_text(re.compile(r"^\w{4}(-\w{4}){4}$"))
    assert somebody.faults() == []
    page.get_by_role("button", name=re.compile("Intrekken.*Telefoon")).click()
    expect(page.get_by_text("het wachtwoord is ingetrokken")).to_be_visible()
    assert somebody.faults() == []
    evidence.keep("passwords of programs.png", page.screenshot())
