"""A port of a host, on this machine's loopback, through the ssh connection that is there anyway."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence

from deploy.errors import Finding, Refused

_SECONDS = 20.0


@contextlib.contextmanager
def forward(ssh: Sequence[str], destination: str, target: str) -> Iterator[int]:
    """Keep a forward open; yield its port on 127.0.0.1.

    Args:
        ssh: the ssh command with its options, without destination.
        destination: the host to log in to.
        target: ``address:port`` as that host sees it; an IPv6 address in brackets.

    Raises:
        Refused: ssh says no; its own words are in the finding.
    """
    port = _free_port()
    # `cat` and not `-N`: when this process dies, whatever way, its end of the pipe closes and ssh ends.
    command = [
        *ssh, "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ExitOnForwardFailure=yes",
        "-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "LogLevel=ERROR",
        "-L", f"127.0.0.1:{port}:{target}", destination, "cat",
    ]  # fmt: skip
    with (
        tempfile.TemporaryFile() as errors,
        # In a session of its own: Ctrl-C must not end it before those who use it have cleaned up.
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        ) as process,
    ):
        try:
            deadline = time.monotonic() + _SECONDS
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    errors.seek(0)
                    words = errors.read().decode(errors="replace").strip().splitlines()[-1:] or ["no answer"]
                    raise Refused(Finding(destination, f"no ssh connection: {words[0]}", "is the host up? try: ssh"))
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
