"""What the firewall refused on its way out, as it remembers it itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.sovereignty.ruleset import REFUSED, Object, Ruleset

REFUSED_OUT = "refused out"
"""Comment of the rule that every refused packet passes."""


@dataclass(frozen=True)
class Attempt:
    """A connection that a host's firewall refused.

    Attributes:
        user: whose process tried, by name; the number if nobody has it any more.
        destination: address.
        protocol: `tcp` or `udp`.
    """

    host: str
    user: str
    destination: str
    protocol: str
    port: int

    def __str__(self) -> str:
        """In words, without the host."""
        address = f"[{self.destination}]" if ":" in self.destination else self.destination
        return f"user {self.user} to {address}, port {self.port}/{self.protocol}"


def attempts(host: str, ruleset: Ruleset, users: Mapping[str, str]) -> dict[Attempt, int]:
    """Every refused connection, with the number of its packets.

    Args:
        users: names by user id.
    """
    found: dict[Attempt, int] = {}
    for one in ruleset.objects:
        if one["kind"] == "set" and one["name"] in REFUSED:
            for element, packets in _elements(one):
                user, destination, protocol, port = element
                attempt = Attempt(host, users.get(str(user), str(user)), str(destination), str(protocol), int(port))
                found[attempt] = found.get(attempt, 0) + packets
    return found


def unnamed(ruleset: Ruleset) -> int:
    """Refused packets that stand in no set: of other protocols than TCP and UDP, or more flows than a set holds."""
    counted = sum(_packets(rule) for rule in ruleset.rules if rule.get("comment") == REFUSED_OUT)
    named = sum(packets for one in ruleset.objects if one.get("name") in REFUSED for _, packets in _elements(one))
    return max(0, counted - named)


def passed(ruleset: Ruleset) -> int:
    """How many packets counted rules let out: those that begin a connection."""
    rules = [rule for rule in ruleset.rules if rule["chain"] == "output" and {"accept": None} in rule["expr"]]
    return sum(map(_packets, rules))


def _elements(refused: Object) -> Iterator[tuple[list[Any], int]]:
    for entry in refused.get("elem", []):
        element = entry["elem"]
        yield element["val"]["concat"], element.get("counter", {}).get("packets", 0)


def _packets(rule: Object) -> int:
    counters = [statement["counter"] for statement in rule["expr"] if isinstance(statement.get("counter"), dict)]
    return sum(counter["packets"] for counter in counters)
