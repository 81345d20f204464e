"""One log-in for everything: the portal, second factors, and what it tells other programs of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlparse

import pytest

from deploy.inventory import Inventory, secrets
from deploy.people import Directory, new_password
from smoke_tests.clients import http
from smoke_tests.clients.portal import SESSION, Portal, code, wrong_code
from smoke_tests.clients.waiting import wait_until
from smoke_tests.groupware import Webmail
from smoke_tests.people import Account, People, Staff
from smoke_tests.target import Organisation


@pytest.fixture(scope="module")
def sso(home: Organisation) -> str:
    """Name of the portal."""
    return home.served("sso")


@pytest.fixture
def portal(sso: str) -> Portal:
    """A fresh browser."""
    return Portal(sso)


@pytest.fixture(scope="module")
def eva(sso: str, directory: Directory, home: Organisation, seat: str) -> Iterator[Account]:
    """Somebody who has only just come."""
    with ExitStack() as stack:
        yield People(stack, directory, home, seat).person("eva", "Eva", "Proef")


@pytest.mark.requirement("MBPORTAL-01")
def test_a_person_logs_in_with_name_and_password(portal: Portal, bram: Account) -> None:
    assert bram.name in portal.log_in(bram.uid, bram.password).text or bram.name in portal.page("/").text
    assert portal.logged_in


@pytest.mark.requirement("MBPORTAL-01")
def test_the_address_is_as_good_as_the_name(portal: Portal, bram: Account) -> None:
    portal.log_in(bram.address, bram.password)
    assert portal.logged_in


@pytest.mark.requirement("MBPORTAL-01")
def test_a_wrong_password_is_refused(portal: Portal, staff: Staff) -> None:
    assert portal.log_in(staff.daan.uid, new_password()).asks_for_a_password
    assert not portal.logged_in


def test_somebody_unknown_is_refused_in_the_same_words(sso: str, eva: Account, seat: str) -> None:
    known = Portal(sso).log_in(eva.uid, new_password())
    unknown = Portal(sso).log_in(f"{seat}-niemand", new_password())
    assert known.errors == unknown.errors


@pytest.mark.requirement("MBPORTAL-03")
def test_the_menu_lists_the_products(portal: Portal, home: Organisation, bram: Account) -> None:
    portal.log_in(bram.uid, bram.password)
    menu = portal.page("/").text
    for name in ("groupware", "www"):
        if name in home.names:
            assert f'href="https://{home.names[name]}/' in menu


@pytest.mark.requirement("MBPORTAL-05")
@pytest.mark.requirement("MBPORTAL-06")
def test_the_portal_is_dutch_unless_somebody_wants_english(sso: str) -> None:
    page = Portal(sso).page("/")
    assert 'lang="nl"' in page.text
    assert '"language": "nl"' in page.text
    words = json.loads(Portal(sso).page("/static/languages/nl.json").text)
    assert (words["connect"], words["logout"]) == ("Aanmelden", "Afmelden")
    assert words["PE5"].startswith("Gebruikersnaam of wachtwoord")
    english = Portal(sso).page("/", headers={"Accept-Language": "en"})
    assert '"language": "en"' in english.text


@pytest.mark.requirement("MBPORTAL-02")
def test_a_second_factor_is_asked_for_once_it_is_registered(sso: str, eva: Account) -> None:
    first = Portal(sso)
    first.log_in(eva.uid, eva.password)
    secret = first.register_app()

    refused = Portal(sso)
    asked = refused.log_in(eva.uid, eva.password)
    assert "totp2fcheck" in asked.text
    refused.second_factor(asked, wrong_code(secret))
    assert not refused.logged_in

    accepted, seen = Portal(sso), code(secret)
    accepted.second_factor(accepted.log_in(eva.uid, eva.password), seen)
    assert accepted.logged_in

    thief = Portal(sso)
    thief.second_factor(thief.log_in(eva.uid, eva.password), seen)
    assert not thief.logged_in, "a code is good once"


@pytest.mark.requirement("MBPORTAL-02")
def test_who_must_have_a_second_factor_gets_nowhere_without(
    sso: str, directory: Directory, home: Organisation, seat: str, inventory: Inventory
) -> None:
    if not home.second_factor_groups:
        pytest.skip("the inventory asks nobody for a second factor")
    client = ("sogo", secrets.read(inventory)[home.id]["lemonldap_sogo_secret"])
    back = f"https://{home.served('groupware')}/SOGo/"
    with ExitStack() as stack:
        people = People(stack, directory, home, seat)
        beheerder = people.person("bea", "Bea", "Proef", groups=(home.second_factor_groups[0],))
        portal = Portal(sso)
        portal.log_in(beheerder.uid, beheerder.password)
        with pytest.raises(AssertionError, match="gives no code"):
            portal.token(*client, back)
        secret = portal.register_app()
        again = Portal(sso)
        again.second_factor(again.log_in(beheerder.uid, beheerder.password), code(secret))
        assert again.token(*client, back)


def test_logging_out_ends_the_session_also_for_a_copied_cookie(sso: str, bram: Account) -> None:
    portal, thief = Portal(sso), Portal(sso)
    portal.log_in(bram.uid, bram.password)
    for cookie in portal.cookies:
        thief.cookies.set_cookie(cookie)
    assert thief.logged_in
    portal.log_out()
    assert not thief.logged_in


def test_who_logs_out_at_the_portal_is_out_of_the_webmail(home: Organisation, bram: Account) -> None:
    webmail = Webmail(home, bram)
    webmail.enter()
    assert webmail.is_open
    webmail.portal.log_out()
    wait_until(lambda: not webmail.is_open, "the webmail ends", seconds=60)


def test_who_logs_out_of_the_webmail_is_out_of_the_portal(home: Organisation, bram: Account) -> None:
    webmail = Webmail(home, bram)
    webmail.enter()
    assert webmail.portal.logged_in
    end = webmail.browser.page(f"/SOGo/so/{bram.uid}/logoff").headers["location"]
    assert urlparse(end).hostname == webmail.portal.host
    webmail.portal.page(f"{urlparse(end).path}?{urlparse(end).query}")
    assert not webmail.portal.logged_in
    assert not webmail.is_open


def test_a_disabled_person_cannot_log_in(portal: Portal, directory: Directory, clara: Account) -> None:
    directory.disable(clara.uid)
    try:
        assert portal.log_in(clara.uid, clara.password).asks_for_a_password
        assert not portal.logged_in
    finally:
        directory.enable(clara.uid)


def test_the_cookie_is_for_https_and_not_for_scripts(portal: Portal, bram: Account) -> None:
    headers = portal.log_in(bram.uid, bram.password).headers
    (cookie,) = [one for one in portal.cookies if one.name == SESSION]
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") in ("Lax", "Strict")
    assert "frame-ancestors 'none'" in headers.get("content-security-policy", "frame-ancestors 'none'")


@pytest.mark.requirement("SOV-OPEN")
def test_programs_may_use_the_code_flow_only(sso: str) -> None:
    found = json.loads(http.get(sso, "/.well-known/openid-configuration").text)
    assert found["issuer"] == f"https://{sso}/"
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert set(found["grant_types_supported"]) <= {"authorization_code", "refresh_token"}
    assert "none" not in found["id_token_signing_alg_values_supported"]
    keys = json.loads(http.get(sso, found["jwks_uri"].removeprefix(f"https://{sso}")).text)["keys"]
    assert keys
    assert not any({"d", "p", "q"} & set(key) for key in keys)


def test_nobody_manages_the_portal_over_the_web(sso: str) -> None:
    for path in (
        "manager.html",
        "manager",
        "sessions/global",
        "adminSessions",
        "config",
        "notifications",
        "index.psgi",
    ):
        assert http.get(sso, f"/{path}").status == 404


def test_the_log_in_page_loads_nothing_from_elsewhere(sso: str) -> None:
    page = Portal(sso).page("/")
    assert 'src="http' not in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
