"""The lab's certificate authority, for clients that run on this machine."""

from __future__ import annotations

import subprocess

from deploy.errors import Finding, Refused
from deploy.lab.lab import CA_BUNDLE, SSH_CONFIG

_TRUST_STORE = "/etc/ssl/certs/ca-certificates.crt"


def take_from(host: str) -> None:
    """Take over what a host trusts: Debian's authorities and, once it is deployed, the lab's own.

    Raises:
        Refused: if the host does not answer.
    """
    result = subprocess.run(
        ["ssh", "-F", str(SSH_CONFIG), host, "cat", _TRUST_STORE], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise Refused(Finding(host, f"does not give its trust store: {result.stderr.strip()}", "is the lab up?"))
    unfinished = CA_BUNDLE.with_suffix(".new")
    unfinished.write_text(result.stdout)
    unfinished.replace(CA_BUNDLE)
