"""The portal as a browser without scripts uses it."""

from __future__ import annotations

import base64
import hmac
import json
import re
import struct
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any

from smoke_tests.clients.tls import TIMEOUT, context

SESSION = "lemonldap"
"""Name of the cookie that says who is logged in."""


@dataclass(frozen=True)
class Page:
    """What the portal answered; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str

    def hidden(self, name: str) -> str:
        """The value of a hidden field of the form on the page."""
        found = re.search(rf'name="{name}"\s+value="([^"]*)"', self.text)
        assert found, f"no field {name} on the page"
        return found[1]

    @property
    def errors(self) -> set[int]:
        """Numbers of the messages on the page, as LemonLDAP::NG counts them."""
        return {int(number) for number in re.findall(r'trmsg="(\d+)"', self.text)}

    @property
    def asks_for_a_password(self) -> bool:
        """Whether it is the log-in page."""
        return 'name="password"' in self.text and 'id="lform"' in self.text


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Portal:
    """One browser at the portal, with its cookies; it follows no redirection."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.cookies = CookieJar()
        self._browser = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context()), _Stay, urllib.request.HTTPCookieProcessor(self.cookies)
        )

    @property
    def logged_in(self) -> bool:
        """Whether there is a session, asked of the portal."""
        return not self.page("/").asks_for_a_password

    def page(
        self, path: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Page:  # fmt: skip
        """One page; with a form, or a body of another kind, that is sent."""
        data = urllib.parse.urlencode(form).encode() if form is not None else body.encode() if body else None
        request = urllib.request.Request(f"https://{self.host}{path}", data, dict(headers or {}))
        try:
            with self._browser.open(request, timeout=TIMEOUT) as answer:
                return Page(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read().decode())

    def log_in(self, user: str, password: str) -> Page:
        """Fill in the form of the log-in page."""
        token = self.page("/").hidden("token")
        return self.page("/", {"user": user, "password": password, "token": token})

    def log_out(self) -> Page:
        """Leave by the portal's own link."""
        return self.page("/?logout=1")

    def register_app(self) -> str:
        """Register an app for codes as second factor, as the page's script does.

        Returns:
            The app's secret, in base 32.
        """
        script = {"X-CSRF-Check": "1", "Accept": "application/json"}
        offer = json.loads(self.page("/2fregisters/totp/getkey", {}, script).text)
        secret = str(offer["secret"])
        form = {"token": str(offer["token"]), "code": code(secret), "TOTPName": "rooktest"}
        answer = json.loads(self.page("/2fregisters/totp/verify", form, script).text)
        assert answer.get("result"), answer
        return secret

    def token(self, client: str, secret: str, redirect: str) -> str:
        """An access token, as a program gets it to which the person has come from here (RFC 6749, 4.1).

        Args:
            client: name of the program at the portal.
            secret: its password there.
            redirect: where it takes people in.
        """
        asked = {"response_type": "code", "client_id": client, "scope": "openid email", "redirect_uri": redirect,
                 "state": "rooktest"}  # fmt: skip
        sent = self.page(f"/oauth2/authorize?{urllib.parse.urlencode(asked)}")
        answer = urllib.parse.parse_qs(urllib.parse.urlparse(sent.headers.get("location", "")).query)
        assert "code" in answer, f"the portal gives no code: {sent.status}"
        form = {"grant_type": "authorization_code", "code": answer["code"][0], "redirect_uri": redirect,
                "client_id": client, "client_secret": secret}  # fmt: skip
        return str(json.loads(self.page("/oauth2/token", form).text)["access_token"])

    def second_factor(self, asked: Page, given: str) -> Page:
        """Answer the page that asks for a code."""
        return self.page("/totp2fcheck?skin=bootstrap", {"token": asked.hidden("token"), "code": given})


def code(secret: str, when: float | None = None) -> str:
    """The code that an app shows (RFC 6238: SHA-1, 30 seconds, six digits).

    Args:
        secret: in base 32.
        when: seconds since 1970; now, if not given.
    """
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    count = int(time.time() if when is None else when) // 30
    digest = hmac.digest(key, struct.pack(">Q", count), "sha1")
    number = struct.unpack_from(">I", digest, digest[-1] & 15)[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def wrong_code(secret: str) -> str:
    """A code that no app with this secret shows now, nor just before or after."""
    right = {code(secret, time.time() + step) for step in range(-120, 150, 30)}
    return next(f"{number:06}" for number in range(1_000_000) if f"{number:06}" not in right)
