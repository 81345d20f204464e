"""Reads the host's directory and hears of its changes, for the programs of other roles that follow it."""

import base64
import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SOCKET = Path("/run/slapd/ldapi")
QUIET = 0.3  # seconds without a change before it is passed on: an import is many changes

Entry = dict[str, list[str]]


class Directory:
    """The directory, asked over its local socket.

    Args:
        base: where to search, with everything below.
        account: DN of a service account; None: root, by the socket itself.
        password: the account's.
    """

    def __init__(self, base: str, account: str | None = None, password: str = "") -> None:
        self._base = base
        self._account = account
        self._password = password

    def search(self, condition: str, *attributes: str) -> Iterator[Entry]:
        """Entries; attribute names in lower case.

        Raises:
            subprocess.CalledProcessError: the directory does not answer.
        """
        with self._ldapsearch(condition, *attributes) as asked:
            text = asked.communicate()[0].decode()
        if asked.returncode:
            raise subprocess.CalledProcessError(asked.returncode, asked.args)
        for block in text.split("\n\n"):
            entry: Entry = {}
            for line in block.splitlines():
                name, _, value = line.partition(":")
                value = base64.b64decode(value[1:]).decode() if value.startswith(":") else value.strip()
                entry.setdefault(name.lower(), []).append(value)
            if "dn" in entry:
                yield entry

    def changes(self, condition: str, look_after: float | None = None) -> Iterator[None]:
        """One item at the start and one after every change, until the directory goes away (RFC 4533).

        Args:
            condition: entries of interest.
            look_after: seconds without a change after which there is an item all the same.
        """
        while not SOCKET.is_socket():  # a host may be without its directory while that is being restored
            time.sleep(1)
        with self._ldapsearch("-E", "!sync=rp", condition, "1.1") as watcher:
            assert watcher.stdout is not None
            os.set_blocking(watcher.stdout.fileno(), False)
            selector = selectors.DefaultSelector()
            selector.register(watcher.stdout, selectors.EVENT_READ)
            changed = False
            yield
            while True:
                if selector.select(QUIET if changed else look_after):
                    if not os.read(watcher.stdout.fileno(), 65536):
                        break
                    changed = True
                else:
                    yield
                    changed = False
        print("the directory closed the connection")

    @contextlib.contextmanager
    def _ldapsearch(self, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        """The program, with its password in a pipe; it ends with whoever asked."""
        command = ["stdbuf", "-oL", "ldapsearch", "-H", "ldapi:///", "-LLL", "-o", "ldif-wrap=no", "-b", self._base]
        secret = []
        if self._account is None:
            command += ["-Q", "-Y", "EXTERNAL"]
        else:
            readable, writable = os.pipe()
            os.write(writable, self._password.encode())
            os.close(writable)
            secret = [readable]
            command += ["-x", "-D", self._account, "-y", f"/dev/fd/{readable}"]
        with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, pass_fds=secret) as running:
            for pipe in secret:
                os.close(pipe)
            try:
                yield running
            finally:
                running.terminate()
