"""The portal in a real browser: what somebody sees, types and clicks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from deploy.people import Directory, new_password
from deploy.report.evidence import Evidence
from smoke_tests.clients.browser import Visitor
from smoke_tests.clients.portal import wrong_code
from smoke_tests.clients.waiting import wait_until
from smoke_tests.people import Account, People
from smoke_tests.target import Organisation

_LOGGED_OUT_SECONDS = 60


@pytest.fixture(scope="module")
def newcomer(home: Organisation, directory: Directory, seat: str) -> Iterator[Callable[[str], Account]]:
    """Somebody who has only just come, by given name."""
    with ExitStack() as stack:
        people = People(stack, directory, home, seat)
        yield lambda given_name: people.person(given_name.lower(), given_name, "Proef")


@pytest.mark.requirement("MBPORTAL-01", "MBPORTAL-03", "MBPORTAL-06", "MBGROUPWARE-01")
def test_one_password_opens_portal_webmail_and_calendar(
    visitor: Callable[[], Visitor], home: Organisation, bram: Account, evidence: Evidence
) -> None:
    somebody = visitor()
    page = somebody.log_in(bram)
    expect(page.get_by_text(bram.name)).to_be_visible()
    somebody.see_menu()
    if "www" in home.names:
        expect(somebody.product("Hulp bij instellen")).to_be_visible()
    evidence.keep("portal.png", page.screenshot())
    somebody.open_webmail()
    evidence.keep("webmail.png", page.screenshot())
    somebody.open_calendar()
    evidence.keep("calendar.png", page.screenshot())
    assert somebody.password_sent_to == [home.served("sso")]


@pytest.mark.requirement("MBPORTAL-05")
def test_the_portal_speaks_dutch_and_english_on_request(visitor: Callable[[], Visitor]) -> None:
    page = visitor().open_portal()
    expect(page.locator("html")).to_have_attribute("lang", "nl")
    expect(page.get_by_text("Meld u aan")).to_be_visible()
    expect(page.get_by_role("textbox", name="Gebruikersnaam of e-mailadres")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="Connect")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")


@pytest.mark.requirement("MBPORTAL-01", "MBPORTAL-05")
def test_a_wrong_password_is_refused_in_dutch(visitor: Callable[[], Visitor], bram: Account) -> None:
    somebody = visitor()
    somebody.open_portal()
    page = somebody.enter_password(bram.uid, new_password())
    expect(page.get_by_role("alert")).to_have_text("Gebruikersnaam of wachtwoord onjuist")
    expect(page.get_by_role("button", name="Aanmelden")).to_be_visible()


def test_who_guesses_is_told_to_wait(visitor: Callable[[], Visitor], newcomer: Callable[[str], Account]) -> None:
    guessed, somebody = newcomer("Gijs"), visitor()
    for _ in range(3):  # lemonldap_failures
        somebody.open_portal()
        expect(somebody.enter_password(guessed.uid, new_password()).get_by_role("alert")).to_contain_text("onjuist")
    page = somebody.log_in(guessed)
    expect(page.get_by_role("alert")).to_have_text(re.compile(r"tijdelijk vergrendeld\. Wacht even\.\s+\d+\s+seconden"))


@pytest.mark.requirement("MBPORTAL-02")
def test_an_app_for_codes_is_registered_and_asked_for_from_then_on(
    visitor: Callable[[], Visitor], newcomer: Callable[[str], Account]
) -> None:
    fien, somebody = newcomer("Fien"), visitor()
    somebody.log_in(fien)
    somebody.see_menu()
    secret = somebody.register_app()
    somebody.log_out()
    page = somebody.log_in(fien)
    page.get_by_role("textbox", name="Code").fill(wrong_code(secret))
    page.get_by_role("button", name="Aanmelden").click()
    expect(page.get_by_role("alert")).to_be_visible()
    somebody.log_in(fien)
    somebody.enter_code(secret)
    somebody.see_menu()


@pytest.mark.requirement("MBPORTAL-02")
def test_a_security_key_is_registered_and_asked_for_from_then_on(
    visitor: Callable[[], Visitor], newcomer: Callable[[str], Account]
) -> None:
    wil, somebody, thief = newcomer("Wil"), visitor(), visitor()
    somebody.plug_in_key()
    somebody.log_in(wil)
    somebody.see_menu()
    somebody.register_key()
    somebody.log_out()
    somebody.log_in(wil)
    somebody.see_menu()
    expect(thief.log_in(wil).get_by_text("Volg de aanwijzingen van uw browser")).to_be_visible()
    expect(thief.open_portal().get_by_role("button", name="Aanmelden")).to_be_visible()


def test_after_logging_out_portal_and_webmail_ask_for_a_log_in(visitor: Callable[[], Visitor], bram: Account) -> None:
    somebody = visitor()
    somebody.log_in(bram)
    webmail = somebody.open_webmail()
    somebody.page = somebody.context.new_page()
    somebody.log_out()
    expect(somebody.open_portal().get_by_role("button", name="Aanmelden")).to_be_visible()

    def asked() -> bool:
        webmail.reload()
        return webmail.get_by_role("button", name="Aanmelden").is_visible()

    wait_until(asked, "the log-in page instead of the mailbox", seconds=_LOGGED_OUT_SECONDS, every=3)
