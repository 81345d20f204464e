"""Serve a bundle over HTTP: read-only, its files and nothing else."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

Address = tuple[str, int] | Path | socket.socket
"""Where to listen: (address, port), the path of a unix socket, or a socket that listens already."""


def serve(bundle: Path, address: Address) -> None:
    """Serve a bundle until interrupted.

    Args:
        bundle: its folder; a bundle that takes its place is served from then on.
        address: where to listen.

    Raises:
        OSError: that cannot be listened on.
    """
    with _Server(bundle, _listener(address)) as server, suppress(KeyboardInterrupt):
        server.serve_forever()


@contextmanager
def serving(bundle: Path) -> Iterator[int]:
    """Serve a bundle on 127.0.0.1 as long as the block runs.

    Yields:
        the port, chosen by the kernel.
    """
    with _Server(bundle, _listener(("127.0.0.1", 0))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), name="bundle", daemon=True).start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()


def _listener(address: Address) -> socket.socket:
    if isinstance(address, socket.socket):
        return address
    if isinstance(address, tuple):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        return socket.create_server(address, family=family, backlog=64)
    address.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen(64)
    return listener


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, bundle: Path, listener: socket.socket) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.bundle = bundle

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "bsw"
    sys_version = ""
    timeout = 120

    def setup(self) -> None:
        """Set up the connection; short answers are not held back."""
        super().setup()
        if self.connection.family != socket.AF_UNIX:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Say how long a file is."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        # no Last-Modified: a client that asks again gets the file again, never a stale "not modified"
        try:
            file = _open(cast(_Server, self.server).bundle, self.path)
        except (OSError, ValueError):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with file:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            if body:
                self.connection.sendfile(file)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """Keep quiet: what is fetched is no news."""


def _open(bundle: Path, target: str) -> BinaryIO:
    """Open the regular file of the bundle that a request names.

    Raises:
        ValueError: the path leaves the bundle, by `..` or by a link.
        OSError: there is no such file, or it is a folder.
    """
    if not target.startswith("/"):
        raise ValueError(target)
    segments = unquote(urlsplit(target).path, errors="strict").split("/")[1:]
    if any(segment in {"", ".", ".."} for segment in segments):
        raise ValueError(target)
    root = bundle.resolve(strict=True)
    path = root.joinpath(*segments).resolve(strict=True)
    if not (path.is_relative_to(root) and path.is_file()):
        raise ValueError(target)
    return path.open("rb")
