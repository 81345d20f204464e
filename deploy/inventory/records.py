"""DNS records that an inventory adds itself: lines of a master file (RFC 1035, 5)."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.rdatatype
import dns.zonefile

from deploy.inventory.fields import FieldError


def parse(line: str, domain: str) -> Iterator[tuple[str, str, str]]:
    """The records of one line.

    Args:
        line: ``name [ttl] [class] type data``; a name without a dot at its end is relative to the domain.
        domain: the domain, without the dot at its end.

    Yields:
        Name with the dot at its end, type, data.

    Raises:
        FieldError: it is not a record.
    """
    try:
        found = dns.zonefile.read_rrsets(line, origin=f"{domain}.", relativize=False, default_ttl=0)
    except dns.exception.DNSException as error:
        raise FieldError(f"{line!r} is not a DNS record ({error})", "write it like `blog A 192.0.2.10`") from None
    for rrset in found:
        for data in rrset:
            yield rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype), data.to_text()


def record(line: str) -> str:
    """A line that holds at least one record.

    Raises:
        FieldError: it holds none.
    """
    if not list(parse(line, "example")):
        raise FieldError(f"{line!r} is not a DNS record", "write it like `blog A 192.0.2.10`")
    return line
