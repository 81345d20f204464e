"""ManageSieve (RFC 5804): a user's filters and out-of-office notices on the server."""

from __future__ import annotations

import base64
import contextlib
import re
import socket

from smoke_tests.clients.tls import TIMEOUT, context

PORT = 4190


class SieveError(Exception):
    """The server said NO or BYE."""


class ManageSieve:
    """A connection; encrypted before anything of worth is said."""

    def __init__(self, host: str, port: int = PORT) -> None:
        self._host = host
        self._socket = socket.create_connection((host, port), timeout=TIMEOUT)
        self._stream = self._socket.makefile("rb")
        self.capabilities = self._capabilities()

    def close(self) -> None:
        """Log out."""
        with contextlib.suppress(OSError, SieveError):
            self._command("LOGOUT")
        self._stream.close()
        self._socket.close()

    def starttls(self) -> None:
        """Encrypt."""
        self._command("STARTTLS")
        self._stream.close()
        self._socket = context().wrap_socket(self._socket, server_hostname=self._host)
        self._stream = self._socket.makefile("rb")
        self.capabilities = self._capabilities()

    def authenticate(self, user: str, password: str) -> None:
        """Log in with SASL PLAIN."""
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self._command(f'AUTHENTICATE "PLAIN" "{token}"', secret=True)

    def check(self, script: str) -> None:
        """Let the server judge a script without keeping it."""
        self._command(f"CHECKSCRIPT {self._literal(script)}")

    def activate(self, name: str, script: str) -> None:
        """Keep a script and use it from now on."""
        self._command(f'PUTSCRIPT "{name}" {self._literal(script)}')
        self._command(f'SETACTIVE "{name}"')

    def remove(self, name: str) -> None:
        """Use no script any more, and forget this one."""
        self._command('SETACTIVE ""')
        self._command(f'DELETESCRIPT "{name}"')

    def scripts(self) -> list[str]:
        """Names of the scripts; the active one is marked `ACTIVE` by the server and here too."""
        return self._command("LISTSCRIPTS")

    @staticmethod
    def _literal(text: str) -> str:
        return f"{{{len(text.encode())}+}}\r\n{text}"

    def _command(self, line: str, *, secret: bool = False) -> list[str]:
        self._socket.sendall(line.encode() + b"\r\n")
        return self._answer("AUTHENTICATE" if secret else line.partition(" ")[0])

    def _answer(self, command: str) -> list[str]:
        lines: list[str] = []
        while True:
            line = self._line()
            word = line.split(" ", 1)[0].upper()
            if word == "OK":
                return lines
            if word in ("NO", "BYE"):
                raise SieveError(f"{command}: {line}")
            lines.append(line)

    def _line(self) -> str:
        """One line; a literal in it is read along."""
        line = self._stream.readline().decode()
        if not line:
            raise SieveError("the server closed the connection")
        line = line.rstrip("\r\n")
        literal = re.search(r"\{(\d+)\}$", line)
        if literal:
            return line[: literal.start()] + self._stream.read(int(literal[1])).decode() + self._line()
        return line

    def _capabilities(self) -> dict[str, str]:
        pairs = (re.match(r'"([^"]+)"(?: "([^"]*)")?', line) for line in self._answer("greeting"))
        return {match[1].upper(): match[2] or "" for match in pairs if match}


def log_in(host: str, user: str, password: str) -> ManageSieve:
    """A connection of a user who may change filters."""
    connection = ManageSieve(host)
    try:
        connection.starttls()
        connection.authenticate(user, password)
    except BaseException:
        connection.close()
        raise
    return connection
