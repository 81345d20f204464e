"""Where the portal's clients do not follow OIDC NL GOV: its configuration, held against the reasons that roles give."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deploy.report.results import Observation
from deploy.sovereignty.asking import Said

REQUIREMENT = "SOV-OPEN"
ROLE = "lemonldap"
DECISION = "docs/decisions/0008-what-clients-cannot-do.md"

COMMAND = """python3 - "$(ls -v /var/lib/lemonldap/conf/lmConf-*.json | tail -n 1)" <<'END'
import json, sys
found = {}
for client, fields in json.load(open(sys.argv[1]))["oidcRPMetaDataOptions"].items():
    option = lambda name: fields.get("oidcRPMetaDataOptions" + name)
    lacks = [] if option("AuthMethod") == "private_key_jwt" else ["private_key_jwt"]
    if option("RedirectUris"):
        lacks += ["PKCE"] * (not option("RequirePKCE")) + ["nonce"] * (not option("AuthnRequireNonce"))
    found[client] = sorted(lacks)
print(json.dumps(found))
END"""
"""What the portal does not demand of each client, by its newest configuration; nothing else of it is printed.

The profile (NL GOV Assurance profile for OpenID Connect 1.0.1, 4): a proof key and a nonce from all who send people
to log in, and no shared secret between client and provider.
"""


def judge(host: str, said: Said, declared: Iterable[Mapping[str, Any]]) -> Iterator[Observation]:
    """An observation for each client that may do less than the profile asks, and one for all others.

    Args:
        said: what the command said on the host.
        declared: `client` and its `reasons`, by what it lacks.
    """
    evidence = "lemonldap's newest configuration"
    if said.code:
        what = "not known what the portal demands of its clients"
        yield Observation(REQUIREMENT, host, what, None, f"{evidence}: {said.complaint}")
        return
    found: dict[str, list[str]] = json.loads(said.out)
    reasons = {str(entry["client"]): dict(entry["reasons"]) for entry in declared}
    for client, lacks in found.items():
        for what in lacks:
            reason = reasons.get(client, {}).get(what, "")
            seen = f"OIDC NL GOV: client {client} need not use {what}"
            yield Observation(
                REQUIREMENT, host, seen, bool(reason), evidence, f"{reason} ({DECISION})" if reason else ""
            )
    if follow := [client for client, lacks in found.items() if not lacks]:
        what = f"OIDC NL GOV: proof key, nonce and private_key_jwt are demanded of {', '.join(follow)}"
        yield Observation(REQUIREMENT, host, what, True, evidence)
