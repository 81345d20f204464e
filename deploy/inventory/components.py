"""What an organisation can have, which component provides it, and the roles that make it.

The table is the one place that knows this. A capability is what a user gets; a component is the software that gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OFF = "off"
"""The component of a capability that the organisation does without."""

EVERYWHERE = ("base", "unbound")
"""Roles of every host."""

ROLE_ORDER = (
    "base",
    "unbound",
    "pebble",
    "powerdns",
    "certificates",
    "openldap",
    "postgresql",
    "nginx",
    "lemonldap",
    "clamav",
    "rspamd",
    "dovecot",
    "postfix",
    "sogo",
)
"""The order in which roles are converged: whatever a role needs comes before it."""


@dataclass(frozen=True)
class Capability:
    """One thing that an organisation can have.

    Attributes:
        meaning: what a user gets, for the reference page.
        components: roles by the component that provides it.
        many: may run on several hosts of an organisation.
        needs_here: capabilities that must run on the same host.
        needs: capabilities that must run somewhere in the organisation.
        lab_only: refused on a real platform.
    """

    meaning: str
    components: Mapping[str, tuple[str, ...]]
    many: bool = False
    needs_here: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    lab_only: bool = False


CAPABILITIES: Mapping[str, Capability] = {
    "dns": Capability("its own zones, signed", {"powerdns": ("powerdns",)}, many=True),
    "certificates": Capability("TLS certificates from an ACME authority", {"acme": ("certificates",)}, many=True),
    "directory": Capability("people and groups", {"openldap": ("openldap",)}, needs_here=("certificates",)),
    "mail": Capability(
        "sending, receiving, reading and filtering mail",
        {"postfix": ("rspamd", "dovecot", "postfix")},
        needs_here=("certificates",),
        needs=("directory",),
    ),
    "antivirus": Capability("mail is searched for viruses", {"clamav": ("clamav",)}, needs_here=("mail",)),
    "web": Capability("web pages, mail set-up for clients", {"nginx": ("nginx",)}, needs_here=("certificates",)),
    "database": Capability(
        "databases of the applications", {"postgresql": ("postgresql",)}, needs_here=("certificates",)
    ),
    "sso": Capability(
        "one log-in for everything, a portal, second factors",
        {"lemonldap": ("lemonldap",)},
        needs_here=("web", "database", "directory"),
    ),
    "groupware": Capability(
        "webmail, calendar, contacts, mobile sync",
        {"sogo": ("sogo",)},
        needs_here=("web", "database", "mail"),
        needs=("sso",),
    ),
    "acme_authority": Capability("a certificate authority for a lab", {"pebble": ("pebble",)}, lab_only=True),
}


def roles(runs: Iterable[str], components: Mapping[str, str]) -> tuple[str, ...]:
    """The roles of a host in converge order.

    Args:
        runs: its capabilities.
        components: the component of each capability in its organisation.
    """
    wanted = set(EVERYWHERE)
    for capability in runs:
        wanted.update(CAPABILITIES[capability].components[components[capability]])
    return tuple(role for role in ROLE_ORDER if role in wanted)
