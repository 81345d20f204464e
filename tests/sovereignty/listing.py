"""Rule sets as nft lists them: a small one that the tests change."""

from __future__ import annotations

import json
from typing import Any

Object = dict[str, Any]

ACCEPT: Object = {"accept": None}
NOBODY_TO_4444: Object = {
    "elem": {"val": {"concat": [65534, "198.18.10.1", "tcp", 4444]}, "counter": {"packets": 2, "bytes": 120}}
}


def match(protocol: str, field: str, value: Any) -> Object:
    """A condition on a packet."""
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": value}}


def counter(packets: int = 0) -> Object:
    """A counter."""
    return {"counter": {"packets": packets, "bytes": packets * 60}}


class Firewall:
    """A firewall as the lab's hosts have it, with fewer rules; ``listed`` prints it as nft does."""

    def __init__(self, first_handle: int = 1) -> None:
        self.objects: list[Object] = []
        self.texts: dict[int, str] = {}
        self._handle = first_handle
        self.table("bsw")
        for chain in ("input", "forward", "output"):
            self.chain(chain, type="filter", hook=chain, prio=0, policy="drop")
        self.refused4 = self.add("set", name="refused4", type="typeof", size=4096, flags=["dynamic"])
        self.refused6 = self.add("set", name="refused6", type="typeof", size=4096, flags=["dynamic"])
        self.rule("input", "tcp dport 22 accept", match("tcp", "dport", 22), counter(3), ACCEPT)
        self.rule("output", "ct state established accept", {"match": {"right": ["established", "related"]}}, ACCEPT)
        self.resolving = self.rule(
            "output", 'meta skuid "unbound" udp dport 53 counter accept',
            match("udp", "dport", 53), counter(7), ACCEPT, comment="unbound: resolving names",
        )  # fmt: skip
        self.reject = self.rule(
            "output", "counter reject", counter(), {"reject": {"type": "icmpx"}}, comment="refused out"
        )

    def table(self, name: str, family: str = "inet") -> Object:
        """Add a table."""
        return self._append("table", {"family": family, "name": name})

    def chain(self, name: str, table: str = "bsw", **fields: Any) -> Object:
        """Add a chain."""
        return self.add("chain", table=table, name=name, **fields)

    def rule(
        self, chain: str, text: str, *statements: Object, table: str = "bsw", place: int | None = None, **fields: Any
    ) -> Object:
        """Add a rule, last or at a place among all objects."""
        return self.add("rule", text=text, place=place, table=table, chain=chain, expr=list(statements), **fields)

    def add(
        self,
        kind: str,
        *,
        text: str = "",
        place: int | None = None,
        table: str = "bsw",
        family: str = "inet",
        **fields: Any,
    ) -> Object:
        """Add anything."""
        added = self._append(kind, {"family": family, "table": table, **fields}, place)
        self.texts[added["handle"]] = text
        return added

    def remove(self, one: Object) -> None:
        """Take something away."""
        self.objects = [entry for entry in self.objects if one not in entry.values()]

    def _append(self, kind: str, fields: Object, place: int | None = None) -> Object:
        one = {**fields, "handle": self._handle}
        self._handle += 1
        self.objects.insert(len(self.objects) if place is None else place, {kind: one})
        return one

    @property
    def listed(self) -> str:
        """What ``nft -j list ruleset && nft -s -a -u list ruleset`` prints."""
        document = {"nftables": [{"metainfo": {"version": "1.1.3"}}, *self.objects]}
        lines = ["table inet bsw { # handle 1"]
        lines += [f"\t\t{text} # handle {handle}" for handle, text in self.texts.items() if text]
        return "\n".join([json.dumps(document), *lines, "}"]) + "\n"
