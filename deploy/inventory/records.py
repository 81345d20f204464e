"""DNS records that an inventory adds itself: lines of a master file (RFC 1035, 5)."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.rdatatype
import dns.zone

from deploy.inventory.fields import FieldError


def parse(line: str, domain: str) -> Iterator[tuple[str, str, str]]:
    """The records of one line.

    Args:
        line: ``name [ttl] [class] type data``; a name without a dot at its end is relative to the domain.
        domain: the domain, without the dot at its end.

    Yields:
        Name in lower case with the dot at its end, type, data.

    Raises:
        FieldError: it is not a record.
    """
    try:
        text = f"$TTL 1\n$ORIGIN {domain}.\n{line}"
        found = dns.zone.from_text(text, origin=".", relativize=False, check_origin=False)
    except (dns.exception.DNSException, ValueError) as error:
        reason = str(error).rpartition(": ")[2]
        raise FieldError(f"{line!r} is not a DNS record ({reason})", "write it like `blog A 192.0.2.10`") from None
    for name, _, data in found.iterate_rdatas():
        yield name.canonicalize().to_text(), dns.rdatatype.to_text(data.rdtype), data.to_text()


def record(line: str) -> str:
    """A line that holds records.

    Raises:
        FieldError: it does not.
    """
    if not list(parse(line, "example")):
        raise FieldError(f"{line!r} holds no DNS record", "write it like `blog A 192.0.2.10`")
    return line
