"""The key that signs the bundle: made at first use, kept outside the repository; and how a signature is checked."""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from deploy.errors import Finding, Refused

PUBLIC = "bsw-archive.asc"
"""Name of the file with the public key, armored."""

_BORN = "20200101T000000!"
"""Every key is as old as this, so that it is older than any lock: a signature bears the date of its lock."""

_GPG = ("gpg", "--no-options", "--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback")

_HEAD = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
_BEGIN = b"-----BEGIN PGP SIGNATURE-----"
_END = b"-----END PGP SIGNATURE-----"


class ForgedError(Exception):
    """A signature does not fit its text and key."""


class SigningKey:
    """An ed25519 key in a gpg home of its own.

    Attributes:
        public: the public key, armored.
    """

    def __init__(self, home: Path) -> None:
        """Take the key in `home`, or make one there.

        Raises:
            Refused: the folder is there but is no key, or others may read it.
        """
        self._home = home
        if not home.exists():
            _generate(home)
        if home.stat().st_mode & 0o077:
            raise Refused(Finding(str(home), "others may read the signing key", f"chmod 700 {home}"))
        try:
            self.public = (home / PUBLIC).read_text()
        except OSError as error:
            remedy = "put your backup of it back, or remove the folder: a new key is made, hosts get it when converged"
            raise Refused(Finding(str(home), f"no signing key in it: {error.strerror}", remedy)) from error

    def sign(self, text: str, when: datetime) -> bytes:
        """Return `text` clear-signed as if at `when`: the same text and time give the same bytes.

        Raises:
            Refused: gpg cannot sign.
        """
        clock = when.strftime("%Y%m%dT%H%M%S!")
        with _gpg(self._home) as gpg:
            return gpg("--faked-system-time", clock, "--digest-algo", "SHA512", "--clearsign", data=text.encode())


def _generate(home: Path) -> None:
    """Make the key aside, then give it its name: half a key is never seen."""
    home.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(home.parent), tempfile.TemporaryDirectory(prefix=f".{home.name}-", dir=home.parent) as folder:
        new = Path(folder) / "home"
        new.mkdir(mode=0o700)
        with _gpg(new) as gpg:
            identity = ("bsw bundle", "ed25519", "sign", "never")
            gpg("--faked-system-time", _BORN, "--passphrase", "", "--quick-generate-key", *identity)
            (new / PUBLIC).write_bytes(gpg("--armor", "--export"))
        if not home.exists():  # another process may have been first
            new.rename(home)


class _Gpg:
    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *options: str, data: bytes = b"") -> bytes:
        done = subprocess.run(
            [*_GPG, "--homedir", str(self._home), *options], check=False, input=data, capture_output=True
        )
        if done.returncode:
            raise Refused(Finding("gpg", done.stderr.decode(errors="replace").strip(), "is the signing key damaged?"))
        return done.stdout


@contextmanager
def _gpg(home: Path) -> Iterator[_Gpg]:
    """Give a gpg for this home, and end the agent that it starts: gpg would leave it behind."""
    with _alone(home), tempfile.TemporaryDirectory(prefix="bsw-") as short:  # a socket's path has at most 107 bytes
        link = Path(short) / "home"
        link.symlink_to(home.resolve())
        try:
            yield _Gpg(link)
        finally:
            subprocess.run(["gpgconf", "--homedir", str(link), "--kill", "gpg-agent"], check=True)
            _await_absence(_agent_socket(link))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes of the toolkit out: one would end the agent that the other is using."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _agent_socket(home: Path) -> Path:
    command = ["gpgconf", "--homedir", str(home), "--list-dirs", "agent-socket"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def _await_absence(path: Path, seconds: float = 2) -> None:
    """Wait until the agent has removed its socket, the last thing that it does."""
    deadline = time.monotonic() + seconds
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.002)


def signed_text(message: bytes, public: bytes) -> str:
    """Return the text of a clear-signed message.

    Args:
        message: the message with its signature.
        public: the armored key that must have signed it; no other counts.

    Raises:
        ForgedError: the signature does not fit.
    """
    text = _verified(public, "--output", "-", "--verify", "-", message=message)
    if message != _HEAD + text + _armored(_signature_of(message)):
        raise ForgedError("there is more in the file than was signed")
    return text.decode()


def _signature_of(message: bytes) -> bytes:
    """Return the packet of the message's signature, read as generously as gpg does."""
    body = message.rpartition(_BEGIN)[2].rpartition(b"=")[0]
    try:
        return base64.b64decode(body)
    except binascii.Error:
        return b""


def _armored(packet: bytes) -> bytes:
    """Write a signature in the one form that gpg writes (RFC 4880, section 6.2): gpg itself reads others as well."""
    checksum = base64.b64encode(_crc24(packet).to_bytes(3, "big"))
    text = base64.b64encode(packet)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join([_BEGIN, b"", *lines, b"=" + checksum, _END, b""])


def _crc24(data: bytes) -> int:
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = crc << 1 ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc


def check_detached(file: Path, signature: bytes, public: bytes) -> None:
    """Check the detached signature of a file against the armored key that must have made it.

    Raises:
        ForgedError: the signature does not fit.
    """
    _verified(public, "--verify", "-", str(file), message=signature)


def _verified(public: bytes, *options: str, message: bytes) -> bytes:
    """Run gpg with one key and nothing else to trust; it ends with 0 only for a good signature by that key."""
    with tempfile.TemporaryDirectory(prefix="bsw-") as folder:
        keyring = Path(folder) / "key.gpg"
        keyring.write_bytes(_checked(folder, "--dearmor", message=public))
        only = ("--no-default-keyring", "--keyring", str(keyring), "--trust-model", "always")
        return _checked(folder, *only, *options, message=message)


def _checked(home: str, *options: str, message: bytes) -> bytes:
    done = subprocess.run(
        [*_GPG, "--no-autostart", "--homedir", home, *options], check=False, input=message, capture_output=True
    )
    if done.returncode:
        raise ForgedError("the signature does not fit")
    return done.stdout
