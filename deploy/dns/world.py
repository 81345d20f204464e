"""What the world sees of an inventory's records, through a validating resolver."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver

from deploy.dns.zone import Zone
from deploy.dns.zones import zones
from deploy.errors import Finding
from deploy.inventory.model import Inventory
from deploy.inventory.secrets import Secrets

EXPIRES_SOON = timedelta(days=3)
"""Name servers renew signatures more than a week ahead: one that is nearer to its end was not renewed."""

UDP_SIZE = 1232
"""Largest answer over UDP in octets that no network splits (DNS Flag Day 2020)."""

SECONDS = 5.0
"""How long a resolver may take for one answer."""

AT_A_TIME = 16


@dataclass(frozen=True)
class Question:
    """A name and a type of record, and the data that should be there."""

    name: str
    type: str
    expected: frozenset[str]
    zone: str

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.name} {self.type}"


@dataclass(frozen=True)
class Seen:
    """What a resolver answered.

    Attributes:
        data: the records' data in canonical form.
        validated: whether the resolver found the signatures good (RFC 4035, 3.2.3: AD).
        expires: when the first of the signatures ends.
        trouble: why there is no answer: ``SERVFAIL``, ``time-out`` and so on.
    """

    data: frozenset[str] = field(default_factory=frozenset)
    validated: bool = False
    expires: datetime | None = None
    trouble: str = ""


def check(
    inventory: Inventory,
    secrets: Secrets,
    address: str | None = None,
    port: int = 53,
    now: datetime | None = None,
) -> list[Finding]:
    """Hold what the world sees against what the inventory says.

    Args:
        inventory: who stands where.
        secrets: as `deploy.inventory.secrets.read` gives them.
        address: a validating resolver; default: the one of this machine.
        port: its port.
        now: the time to judge signatures by; default: the clock's.

    Returns:
        What is missing, different, too much, not validated or about to expire; empty when all is well.
    """
    try:
        resolver = _resolver(address, port)
    except dns.resolver.NoResolverConfiguration:
        return [Finding("/etc/resolv.conf", "this machine has no resolver", "name a validating one there")]
    questions = list(_questions(zones(inventory, secrets)))
    if (trouble := _ask(resolver, questions[0]).trouble) in ("time-out", "unreachable"):
        where = address or "this machine's resolver"
        return [Finding(where, f"no answer from the resolver ({trouble})", "name another one, or see that it runs")]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        answers = list(zip(questions, pool.map(lambda question: _ask(resolver, question), questions), strict=True))
    soon = (now or datetime.now(UTC)) + EXPIRES_SOON
    findings = [finding for question, seen in answers for finding in _compare(question, seen)]
    return sorted([*findings, *_unproven(answers), *_expiring(answers, soon)])


# what to ask


def _questions(found: Iterable[Zone]) -> Iterator[Question]:
    """Each set of records once: where parent and child both have it, as the child has it. And every DS."""
    questions: dict[tuple[str, str], Question] = {}
    for zone in sorted(found, key=lambda zone: len(dns.name.from_text(zone.name).labels)):
        sets: dict[tuple[str, str], set[str]] = {}
        for record in zone.records:
            if record.type != "SOA":
                sets.setdefault((record.name, record.type), set()).add(_canonical(record.type, record.data))
        for (name, kind), data in sets.items():
            questions[name, kind] = Question(name, kind, frozenset(data), zone.name)
        if zone.ds and zone.name != ".":
            questions[zone.name, "DS"] = Question(zone.name, "DS", frozenset([zone.ds.to_text()]), zone.name)
    yield from questions.values()


def _canonical(kind: str, data: str) -> str:
    return dns.rdata.from_text(dns.rdataclass.IN, kind, data).to_text()


# asking


def _resolver(address: str | None, port: int) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=address is None)
    if address:
        resolver.nameservers = [str(ipaddress.ip_address(address))]
        resolver.port = port
    resolver.use_edns(0, dns.flags.DO, UDP_SIZE)
    resolver.flags = dns.flags.RD | dns.flags.AD
    resolver.lifetime = SECONDS
    return resolver


def _ask(resolver: dns.resolver.Resolver, question: Question) -> Seen:
    try:
        answer = resolver.resolve(question.name, question.type, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        return Seen()
    except dns.resolver.NoNameservers as refusal:
        return Seen(trouble=_reason(refusal))
    except dns.exception.Timeout:
        return Seen(trouble="time-out")
    return _seen(answer.response, question)


def _reason(refusal: dns.resolver.NoNameservers) -> str:
    """Why no resolver answered: its response code, else that it cannot be reached."""
    for *_, response in refusal.kwargs.get("errors", ()):
        if response is not None:
            return dns.rcode.to_text(response.rcode())
    return "unreachable"


def _seen(response: dns.message.Message, question: Question) -> Seen:
    name, kind = dns.name.from_text(question.name), dns.rdatatype.from_text(question.type)
    data = [
        rdata.to_text() for rrset in response.answer if (rrset.name, rrset.rdtype) == (name, kind) for rdata in rrset
    ]
    ends = [rdata.expiration for rrset in response.answer if rrset.rdtype == dns.rdatatype.RRSIG for rdata in rrset]
    return Seen(
        data=frozenset(data),
        validated=bool(response.flags & dns.flags.AD),
        expires=datetime.fromtimestamp(min(ends), UTC) if ends else None,
    )


# judging


def _compare(question: Question, seen: Seen) -> Iterator[Finding]:
    if seen.trouble:
        remedy = "see that its name servers answer and that the parent has the right DS"
        yield Finding(str(question), f"no answer ({seen.trouble})", remedy)
        return
    missing, extra = sorted(question.expected - seen.data), sorted(seen.data - question.expected)
    if not seen.data:
        yield Finding(str(question), f"missing: {', '.join(missing)}", "publish it")
    elif missing:
        yield Finding(str(question), f"is {', '.join(extra or seen.data)}, not {', '.join(missing)}", "publish it")
    elif extra:
        remedy = "remove it, or name it in `organisation.records`"
        yield Finding(str(question), f"has more than the inventory says: {', '.join(extra)}", remedy)


def _unproven(answers: Iterable[tuple[Question, Seen]]) -> Iterator[Finding]:
    """One line a zone: where one answer is not validated, mostly none is."""
    unproven: dict[str, list[Question]] = {}
    for question, seen in answers:
        if seen.data and not seen.validated:
            unproven.setdefault(question.zone, []).append(question)
    for zone, questions in unproven.items():
        what = f"not validated (no AD): {len(questions)} record sets, such as {questions[0]}"
        yield Finding(zone, what, "sign the zone and give its DS to the parent; ask a resolver that validates")


def _expiring(answers: Iterable[tuple[Question, Seen]], soon: datetime) -> Iterator[Finding]:
    ends: dict[str, datetime] = {}
    for question, seen in answers:
        if seen.expires and seen.expires < soon:
            ends[question.zone] = min(seen.expires, ends.get(question.zone, seen.expires))
    for zone, end in ends.items():
        yield Finding(zone, f"signatures expire at {end:%Y-%m-%d %H:%M} UTC", "see that its name servers renew them")
