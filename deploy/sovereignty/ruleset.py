"""An nftables rule set as ``nft -j`` lists it (libnftables-json(5)), and the difference between two, in words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""One thing of a rule set: its fields, with ``kind`` (table, chain, set, rule …)."""

Table: TypeAlias = tuple[str, str]
"""Family and name."""

REFUSED = ("refused4", "refused6")
"""The sets in which the firewall remembers what it refused."""

_TABLE = re.compile(r"table (\w+) (\S+) \{")
_RULE = re.compile(r"\s*(.*\S) # handle (\d+)")


@dataclass(frozen=True)
class Ruleset:
    """A rule set.

    Attributes:
        objects: everything in it, as nft lists it.
        texts: rules in nft's own language, by table and handle.
    """

    objects: tuple[Object, ...]
    texts: dict[tuple[Table, int], str]

    @classmethod
    def read(cls, listed: str) -> Ruleset:
        """Read what ``nft -j list ruleset && nft -s -a -u list ruleset`` prints.

        Raises:
            ValueError: if it is not that.
        """
        document, end = json.JSONDecoder().raw_decode(listed.lstrip())
        pairs = [pair for entry in document["nftables"] for pair in entry.items()]
        objects = tuple({"kind": kind, **fields} for kind, fields in pairs if kind != "metainfo")
        return cls(objects, _texts(listed.lstrip()[end:]))

    @cached_property
    def tables(self) -> dict[Table, Object]:
        """Its tables."""
        return {(one["family"], one["name"]): one for one in self.objects if one["kind"] == "table"}

    @property
    def rules(self) -> list[Object]:
        """Its rules in their order."""
        return [one for one in self.objects if one["kind"] == "rule"]

    def within(self, table: Table) -> dict[tuple[str, str], Object]:
        """Everything in a table but its rules, by kind and name."""
        return {
            (one["kind"], one.get("name", "")): one
            for one in self.objects
            if one["kind"] not in ("table", "rule") and _table(one) == table
        }

    def chain(self, table: Table, name: str) -> list[Object]:
        """The rules of a chain in their order."""
        return [rule for rule in self.rules if _table(rule) == table and rule["chain"] == name]

    def text(self, rule: Object) -> str:
        """A rule in nft's own language."""
        return self.texts.get((_table(rule), rule["handle"])) or json.dumps(rule["expr"])


def differences(declared: Ruleset, live: Ruleset) -> Iterator[str]:
    """Everything by which a live rule set is not the declared one: a sentence each; none if they are the same.

    Handles, counters and what the firewall itself remembers (the sets ``refused4`` and ``refused6``) do not count.
    """
    for table in sorted(live.tables.keys() - declared.tables.keys()):
        count = sum(_table(rule) == table for rule in live.rules)
        yield f"table {_words(table)} was not declared; it has {count} rule{'s' * (count != 1)}"
    for table in sorted(declared.tables.keys() - live.tables.keys()):
        yield f"table {_words(table)} is not there"
    for table in sorted(declared.tables.keys() & live.tables.keys()):
        yield from _changed(f"table {_words(table)}", declared.tables[table], live.tables[table])
        yield from _within(table, declared, live)


def _within(table: Table, declared: Ruleset, live: Ruleset) -> Iterator[str]:
    wanted, found = declared.within(table), live.within(table)
    for kind, name in sorted(found.keys() - wanted.keys()):
        count = len(live.chain(table, name)) if kind == "chain" else 0
        rules = f"; it has {count} rule{'s' * (count != 1)}" if kind == "chain" else ""
        yield f"{kind} {name} of table {_words(table)} was not declared{rules}"
    for kind, name in sorted(wanted.keys() - found.keys()):
        yield f"{kind} {name} of table {_words(table)} is not there"
    for kind, name in sorted(wanted.keys() & found.keys()):
        where = f"{kind} {name} of table {_words(table)}"
        yield from _changed(where, wanted[kind, name], found[kind, name])
        if kind == "chain":
            yield from _rules(where, table, name, declared, live)


def _changed(where: str, wanted: Object, found: Object) -> Iterator[str]:
    wanted, found = _essence(wanted), _essence(found)
    for field in sorted(wanted.keys() | found.keys()):
        if wanted.get(field) != found.get(field):
            yield f"{where}: {field} is {_value(found.get(field))}, declared is {_value(wanted.get(field))}"


def _rules(where: str, table: Table, chain: str, declared: Ruleset, live: Ruleset) -> Iterator[str]:
    wanted, found = declared.chain(table, chain), live.chain(table, chain)
    before, after = [_key(rule) for rule in wanted], [_key(rule) for rule in found]
    operations = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    missing = [n for operation, a, b, _, _ in operations if operation != "equal" for n in range(a, b)]
    extra = [n for operation, _, _, a, b in operations if operation != "equal" for n in range(a, b)]
    moved = Counter(before[n] for n in missing) & Counter(after[n] for n in extra)
    for n in missing:
        if before[n] in moved:
            yield f"{where}: a rule stands in another place than declared: {declared.text(wanted[n])}"
        else:
            yield f"{where} lacks a declared rule: {declared.text(wanted[n])}"
    for n in extra:
        if after[n] not in moved:
            yield f"{where} has a rule that was not declared: {live.text(found[n])}"


def _table(one: Object) -> Table:
    return one["family"], one.get("table", "")


def _words(table: Table) -> str:
    return " ".join(table)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _key(rule: Object) -> str:
    return json.dumps(_essence(rule), sort_keys=True)


def _essence(one: Object) -> Object:
    """What was written down, without what the kernel adds."""
    passing = {"handle", "index", "packets", "bytes"}
    if one["kind"] == "set" and one["name"] in REFUSED:
        passing |= {"elem"}
    return {field: _uncounted(value) for field, value in one.items() if field not in passing}


def _uncounted(value: Any) -> Any:
    """Without counters, and with the members of a set in one order."""
    if isinstance(value, list):
        return [_uncounted(item) for item in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {name: None if _is_count(name, item) else _uncounted(item) for name, item in value.items()}
    if isinstance(members := result.get("set"), list):
        result["set"] = sorted(members, key=json.dumps)
    return result


def _is_count(name: str, value: Any) -> bool:
    """A counter of the rule's own; the name of a counter beside it is something else."""
    return name == "counter" and isinstance(value, dict)


def _texts(listed: str) -> dict[tuple[Table, int], str]:
    texts: dict[tuple[Table, int], str] = {}
    table = ("", "")
    for line in listed.splitlines():
        if begins := _TABLE.match(line):
            table = (begins[1], begins[2])
        elif rule := _RULE.fullmatch(line):
            texts[table, int(rule[2])] = rule[1]
    return texts
