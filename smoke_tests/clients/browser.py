"""A real browser, Debian's Chromium, as a person uses it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from axe_playwright_python.sync_playwright import Axe
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect, sync_playwright

from smoke_tests.clients.portal import code
from smoke_tests.clients.tls import TIMEOUT
from smoke_tests.clients.waiting import PATIENCE
from smoke_tests.people import Account
from smoke_tests.target import Organisation

_PROGRAM = Path("/usr/bin/chromium")
_TRUST_STORE = Path("/etc/ssl/certs/ca-certificates.crt")
# It calls nobody of its own accord. Its sandbox needs a user that is not root; it shows our own pages only.
_OPTIONS = ("--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-quic", "--disable-gpu")  # fmt: skip
_WEIGHTY = ("serious", "critical")

expect.set_options(timeout=PATIENCE * 1000)


@dataclass
class Chromium:
    """The browser of a run, with a home of its own. Certificates are always verified.

    Attributes:
        asked: every host that a page asked for something -> the first address of it, without its query.
    """

    home: Organisation
    asked: dict[str, str] = field(default_factory=dict)
    _program: Browser | None = None

    @classmethod
    @contextlib.contextmanager
    def started(cls, home: Organisation, authority: bytes = b"") -> Iterator[Chromium]:
        """Start it; in the end nothing is left of it.

        Args:
            home: whose pages are looked at.
            authority: a certificate (PEM) to be trusted beside those that Chromium comes with.
        """
        with tempfile.TemporaryDirectory(prefix="bsw-browser-") as directory, sync_playwright() as playwright:
            if authority:
                _trust(Path(directory), authority)
            # Ctrl-C is for the suite, which closes the browser
            program = playwright.chromium.launch(
                executable_path=_PROGRAM, args=_OPTIONS, env={**os.environ, "HOME": directory}, handle_sigint=False
            )
            try:
                yield cls(home, _program=program)
            finally:
                program.close()

    def visitor(self) -> Visitor:
        """Somebody with a browser in which nothing has happened yet."""
        assert self._program
        context = self._program.new_context(locale="nl-NL", timezone_id="Europe/Amsterdam")
        context.set_default_timeout(PATIENCE * 1000)
        context.on("request", lambda request: self._note(request.url))
        context.on("page", lambda page: page.on("websocket", lambda socket: self._note(socket.url)))
        return Visitor(self.home, context)

    def _note(self, url: str) -> None:
        place = urlparse(url)
        if place.hostname:  # not data: or blob:
            self.asked.setdefault(place.hostname, f"{place.scheme}://{place.netloc}{place.path}")


class Visitor:
    """Somebody at a desk: one page, and cookies of their own.

    Attributes:
        page: what is on the screen.
        errors: what the pages' scripts complained of.
        password_sent_to: hosts that a page sent the password to, each time.
    """

    def __init__(self, home: Organisation, context: BrowserContext) -> None:
        self.home = home
        self.context = context
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.password_sent_to: list[str] = []
        self._password = ""
        context.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("request", self._look_for_the_password)

    def open_portal(self) -> Page:
        """The portal: its log-in page, or the menu."""
        self.page.goto(f"https://{self.home.served('sso')}/")
        return self.page

    def log_in(self, account: Account) -> Page:
        """Log in at the portal; a second factor is not waited for."""
        self.open_portal()
        return self.enter_password(account.uid, account.password)

    def enter_password(self, name: str, password: str) -> Page:
        """Fill in the log-in page that is on the screen."""
        self._password = password
        self.page.get_by_label("Gebruikersnaam").fill(name)
        self.page.get_by_label("Wachtwoord", exact=True).fill(password)
        self.page.get_by_role("button", name="Aanmelden").click()
        return self.page

    def log_out(self) -> None:
        """Leave by the portal's menu."""
        self.open_portal().get_by_role("link", name="Afmelden").click()
        self.page.get_by_role("button", name="Ik weet het zeker").click()
        expect(self.page.get_by_text("U bent afgemeld")).to_be_visible()

    def product(self, name: str) -> Locator:
        """An entry of the portal's menu."""
        return self.page.get_by_role("link").filter(has=self.page.get_by_role("heading", name=name, exact=True))

    def see_menu(self) -> None:
        """Wait until the portal shows its menu: the log-in was enough."""
        expect(self.product("E-mail en agenda")).to_be_visible()

    def open_second_factors(self) -> Page:
        """From the portal's menu to the page of second factors."""
        self.open_portal().get_by_text("Aangemeld als").click()
        self.page.get_by_role("link", name="Tweede factor").click()
        expect(self.page.get_by_role("link", name="App voor codes")).to_be_visible()
        return self.page

    def register_app(self) -> str:
        """Register an app for codes; return its secret, in base 32."""
        self.open_second_factors().get_by_role("link", name="App voor codes").click()
        shown = self.page.locator("#secret")
        expect(shown).not_to_be_empty()
        secret = "".join(shown.inner_text().split())
        self.enter_code(secret, "Registreren")
        expect(self.page.get_by_text("Uw tweede factor is geregistreerd")).to_be_visible()
        return secret

    def enter_code(self, secret: str, button: str = "Aanmelden") -> Page:
        """Type the code that the app shows now."""
        self.page.get_by_role("textbox", name=re.compile("code", re.IGNORECASE)).fill(code(secret))
        self.page.get_by_role("button", name=button).click()
        return self.page

    def plug_in_key(self) -> None:
        """Give this page a security key whose button is pressed at once (WebAuthn, 11)."""
        devices = self.context.new_cdp_session(self.page)
        devices.send("WebAuthn.enable")
        devices.send("WebAuthn.addVirtualAuthenticator", {"options": {
            "protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }})  # fmt: skip

    def register_key(self) -> None:
        """Register the security key that is plugged in."""
        self.open_second_factors().get_by_role("link", name="Beveiligingssleutel").click()
        expect(self.page.get_by_text("Uw tweede factor is geregistreerd")).to_be_visible()

    def open_webmail(self) -> Page:
        """From the portal's menu to the mailbox, until the list of mails is there."""
        self.open_portal()
        self.product("E-mail en agenda").click()
        expect(self.folder("Postvak IN")).to_be_visible()
        return self.page

    def open_calendar(self) -> Page:
        """From the webmail to the calendar."""
        self.page.get_by_role("link", name="Agenda").click()
        expect(self.page.get_by_role("button", name="Vandaag")).to_be_visible()
        return self.page

    def open_absence(self) -> Page:
        """From the webmail to the page of out-of-office notices."""
        self.page.get_by_role("link", name="Voorkeuren").click()
        self.page.get_by_role("link", name="email Mail", exact=True).click()
        self.page.get_by_role("tab", name="Afwezigheid").click()
        return self.page

    def save(self) -> None:
        """Save the preferences that are on the screen."""
        self.page.get_by_role("button", name="save").click()
        expect(self.page.get_by_text("Voorkeuren opgeslagen")).to_be_visible()

    def folder(self, name: str) -> Locator:
        """A folder in the webmail's list."""
        return self.page.get_by_role("button", name=re.compile(rf"\b{re.escape(name)}( \d+)?$"))

    def faults(self) -> list[str]:
        """What keeps people out of this page, as axe-core finds it: faults that it calls serious or critical."""
        found: dict[str, Any] = Axe().run(self.page, options={"resultTypes": ["violations"]}).response
        return [
            f"{fault['id']}: {fault['help']}: {node['html'][:200]}"
            for fault in found["violations"] if fault["impact"] in _WEIGHTY for node in fault["nodes"]
        ]  # fmt: skip

    def _look_for_the_password(self, request: Request) -> None:
        sent = request.post_data_buffer or b""
        if self._password and self._password.encode() in sent:
            self.password_sent_to.append(str(urlparse(request.url).hostname))


def authority_of(host: str) -> bytes:
    """The authority at the top of the chain that a server shows, from the machine's trust store; PEM."""
    said = subprocess.run(
        ["openssl", "s_client", "-showcerts", "-connect", f"{host}:443", "-servername", host],
        stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=TIMEOUT,
    ).stdout  # fmt: skip
    top = x509.load_pem_x509_certificates(said)[-1].issuer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the numbers of old authorities
        store = x509.load_pem_x509_certificates(_TRUST_STORE.read_bytes())
        [found] = [one for one in store if one.subject == top]
    return found.public_bytes(Encoding.PEM)


def _trust(home: Path, authority: bytes) -> None:
    """Chromium's own way to trust an authority more: a database of NSS in the home."""
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    for arguments in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "lab"]):
        subprocess.run(["certutil", "-d", f"sql:{database}", *arguments], input=authority, check=True, timeout=TIMEOUT)
