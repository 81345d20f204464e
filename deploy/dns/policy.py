"""MTA-STS: what others must demand when they send us mail (RFC 8461)."""

from __future__ import annotations

import hashlib

from deploy.inventory.model import Organisation

MAX_AGE = 604800
"""How long others keep the policy, in seconds: a week."""


def mta_sts(organisation: Organisation) -> str:
    """The policy as ``https://mta-sts.<domain>/.well-known/mta-sts.txt`` serves it (RFC 8461, 3.2)."""
    mail = organisation.public_names["mail"]
    return f"version: STSv1\nmode: enforce\nmx: {mail}\nmax_age: {MAX_AGE}\n"


def mta_sts_id(organisation: Organisation) -> str:
    """The policy's id: changes when it changes, and only then (RFC 8461, 3.1: at most 32 letters and digits)."""
    return hashlib.sha256(mta_sts(organisation).encode()).hexdigest()[:32]
