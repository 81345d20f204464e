"""Handing over mail: submission by a user, and port 25 as another server or a stranger."""

from __future__ import annotations

import contextlib
import smtplib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

from smoke_tests.clients.tls import TIMEOUT, context

SUBMISSIONS, SUBMISSION, RELAY = 465, 587, 25
PATIENCE = 60.0
"""Seconds that a server may think about a mail: it searches it for viruses."""


@dataclass(frozen=True)
class Reply:
    """What a server said, and to which command."""

    command: str
    code: int
    text: str

    @property
    def accepted(self) -> bool:
        """Whether it said yes."""
        return 200 <= self.code < 300

    @property
    def refused(self) -> bool:
        """Whether it said no for good (RFC 5321, 4.2.1: 5yz)."""
        return 500 <= self.code < 600

    def __str__(self) -> str:
        return f"{self.command}: {self.code} {self.text}"


def _reply(command: str, answer: tuple[int, bytes]) -> Reply:
    return Reply(command, answer[0], " ".join(answer[1].decode("utf-8", errors="replace").split()))


def open_connection(host: str, port: int = RELAY, *, encrypt: bool = True) -> smtplib.SMTP:
    """A connection that has said EHLO; encrypted, on 25 and 587 by STARTTLS, unless told otherwise."""
    connection = (
        smtplib.SMTP_SSL(host, port, _literal(host, port), timeout=TIMEOUT, context=context())
        if port == SUBMISSIONS
        else smtplib.SMTP(host, port, _literal(host, port), timeout=TIMEOUT)
    )
    try:
        connection.ehlo()
        if encrypt and port != SUBMISSIONS:
            connection.starttls(context=context())
            connection.ehlo()
        assert connection.sock is not None
        connection.sock.settimeout(PATIENCE)
    except BaseException:
        connection.close()
        raise
    return connection


def close(connection: smtplib.SMTP) -> None:
    """Say goodbye, if anybody listens."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        connection.quit()
    connection.close()


def alive(connection: smtplib.SMTP) -> bool:
    """Whether the server still listens to this connection."""
    try:
        return connection.noop()[0] == 250
    except (smtplib.SMTPException, OSError):
        return False


@contextlib.contextmanager
def connect(host: str, port: int = RELAY, *, encrypt: bool = True) -> Iterator[smtplib.SMTP]:
    """`open_connection`, closed at the end."""
    connection = open_connection(host, port, encrypt=encrypt)
    try:
        yield connection
    finally:
        close(connection)


def log_in(host: str, user: str, password: str, port: int = SUBMISSIONS) -> smtplib.SMTP:
    """A connection of a user who may send."""
    connection = open_connection(host, port)
    try:
        connection.login(user, password)
    except BaseException:
        close(connection)
        raise
    return connection


def offer(
    connection: smtplib.SMTP, sender: str, recipients: Sequence[str], content: EmailMessage | bytes, *,
    mail_options: Sequence[str] = (), rcpt_options: Sequence[str] = (),
) -> Reply:  # fmt: skip
    """Offer one mail; the first reply that is no yes, else the one after the content.

    Args:
        connection: see `connect`.
        sender: envelope sender; empty: none (`<>`).
        recipients: envelope recipients.
        content: a message, or the bytes of one with CRLF.
        mail_options: of MAIL FROM, such as `SMTPUTF8`.
        rcpt_options: of each RCPT TO, such as `NOTIFY=SUCCESS`.
    """
    reply = _reply(f"MAIL FROM:<{sender}>", connection.mail(sender, mail_options))
    if reply.accepted:
        for recipient in recipients:
            reply = _reply(f"RCPT TO:<{recipient}>", connection.rcpt(recipient, rcpt_options))
            if not reply.accepted:
                break
        else:
            try:
                reply = _reply("DATA", connection.data(raw(content)))
            except smtplib.SMTPDataError as error:
                answer = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
                reply = _reply("DATA", (error.smtp_code, answer))
    if not reply.accepted:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            connection.rset()
    return reply


def raw(content: EmailMessage | bytes) -> bytes:
    """The bytes of a message as they go over the wire; headers in UTF-8 only where an address cannot do without."""
    if isinstance(content, bytes):
        return content
    addresses = [a.addr_spec for name in ("From", "To", "Cc") if content[name] for a in content[name].addresses]
    return content.as_bytes(policy=SMTP if all(map(str.isascii, addresses)) else SMTPUTF8)


def _literal(host: str, port: int) -> str:
    """This machine's address towards the host, as EHLO says it (RFC 5321, 4.1.3)."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)
            own = str(probe.getsockname()[0])
    except OSError:
        return "[127.0.0.1]"
    return f"[IPv6:{own}]" if ":" in own else f"[{own}]"
