"""Run one command with the lab's resolver and trust store: ``python -m deploy.lab.inside CMD…`` (see exec_prefix).

The process is in the lab's network already; here it takes a mount namespace of its own, lays the lab's files over the
machine's, and becomes the command.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from deploy.lab.lab import CA_BUNDLE, RESOLV_CONF

_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x00020000, 0x1000, 0x4000, 0x40000
_TRUST_STORE = Path("/etc/ssl/certs/ca-certificates.crt")
_TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def main(command: list[str]) -> None:
    """Become the command.

    Raises:
        SystemExit: with 127 if there is no such command, as a shell would.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)

    def bind(source: Path, target: Path) -> None:
        if source.exists() and target.exists():
            _check(libc.mount(bytes(source), bytes(target.resolve()), None, _MS_BIND, None))

    _check(libc.unshare(_CLONE_NEWNS))
    _check(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    bind(RESOLV_CONF, Path("/etc/resolv.conf"))
    bind(CA_BUNDLE, _TRUST_STORE)
    if CA_BUNDLE.exists():
        os.environ.update(dict.fromkeys(_TRUST_VARIABLES, str(_TRUST_STORE)))
    try:
        os.execvp(command[0], command)  # noqa: S606  (becomes what it was asked to run)
    except FileNotFoundError:
        print(f"bsw: no such command: {command[0]}", file=sys.stderr)
        sys.exit(127)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main(sys.argv[1:])
