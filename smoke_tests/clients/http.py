"""Web pages, without following anywhere."""

from __future__ import annotations

import base64
import contextlib
import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from smoke_tests.clients.tls import TIMEOUT, context


@dataclass(frozen=True)
class Response:
    """What a web server answered; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode()


def get(host: str, path: str = "/", *, tls: bool = True) -> Response:
    """One GET."""
    return _request("GET", host, path, tls=tls)


def post(host: str, path: str, body: bytes, content_type: str) -> Response:
    """One POST."""
    return _request("POST", host, path, body=body, content_type=content_type)


def ask(
    method: str, host: str, path: str, body: str = "", *, login: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """One request of any kind.

    Args:
        login: name and password, said with the request (Basic, RFC 7617).
    """
    said = dict(headers or {})
    if login:
        said["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    return _request(method, host, path, body=body.encode() or None, headers=said)


def _request(
    method: str, host: str, path: str, *, tls: bool = True, body: bytes | None = None, content_type: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    connection = (
        http.client.HTTPSConnection(host, timeout=TIMEOUT, context=context())
        if tls
        else http.client.HTTPConnection(host, timeout=TIMEOUT)
    )
    said = {"Content-Type": content_type} if content_type else {}
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=said | dict(headers or {}))
        response = connection.getresponse()
        return Response(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
