"""Debian's control-file format, as in Packages, dpkg's status and `.sources` files (deb-src-control(5), deb822(5))."""

from __future__ import annotations

from collections.abc import Iterator

Stanza = dict[str, str]
"""Fields of one stanza, in the file's order; a folded value keeps its newlines and leading spaces."""


def stanzas(text: str) -> Iterator[Stanza]:
    """Yield each stanza of `text`; comment lines are dropped, a line that is no field is skipped."""
    for block in text.split("\n\n"):
        if stanza := _stanza(block):
            yield stanza


def _stanza(block: str) -> Stanza:
    fields: Stanza = {}
    name = ""
    for line in block.split("\n"):
        if line.startswith("#"):
            continue
        if line[:1] in {" ", "\t"}:
            if name:
                fields[name] += "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields


def render(stanza: Stanza) -> str:
    """Write one stanza as it was read, with a closing newline and no blank line."""
    return "".join(f"{name}:{'' if value.startswith(chr(10)) else ' '}{value}\n" for name, value in stanza.items())
