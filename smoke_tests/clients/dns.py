"""Questions to the resolver of this machine, with its word on DNSSEC."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import dns.flags
import dns.rdata
import dns.rdtypes.txtbase
import dns.resolver

from smoke_tests.clients.tls import TIMEOUT


@dataclass(frozen=True)
class Answer:
    """Records, and whether the resolver could verify their signatures (AD, RFC 4035, 3.2.3)."""

    records: tuple[dns.rdata.Rdata, ...]
    verified: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """The records as in a master file; TXT strings joined and without quotes."""
        return tuple(
            b"".join(record.strings).decode() if isinstance(record, dns.rdtypes.txtbase.TXTBase) else record.to_text()
            for record in self.records
        )


@functools.cache
def _resolver() -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver()
    resolver.lifetime = TIMEOUT
    resolver.use_edns(0, dns.flags.DO, 1232)
    resolver.flags = dns.flags.RD | dns.flags.AD
    return resolver


def ask(name: str, kind: str) -> Answer:
    """The records of a name; none is an answer too."""
    try:
        answer = _resolver().resolve(name, kind, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN as error:
        flags = [response.flags for response in error.responses().values()]  # type: ignore[no-untyped-call]
        return Answer((), all(f & dns.flags.AD for f in flags))
    return Answer(tuple(answer.rrset or ()), bool(answer.response.flags & dns.flags.AD))
