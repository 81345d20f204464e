"""The tables of the reference page, from the same source that inventories are held against.

``python -m deploy.inventory.reference`` writes them into the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from deploy import paths
from deploy.inventory.components import CAPABILITIES, ROLE_ORDER
from deploy.inventory.model import PUBLIC_NAMES, Acme, HostEntry, OrganisationEntry, Platform, RootServer
from deploy.inventory.secrets import SECRETS

PAGE = paths.REPOSITORY / "docs" / "reference" / "inventory.md"
START, END = "<!-- {} -->", "<!-- end -->"


def tables() -> dict[str, str]:
    """The tables by the name of their place on the page."""
    return {
        "platform": _keys(Platform),
        "platform.acme": _keys(Acme),
        "platform.dns_root": _keys(RootServer),
        "organisation": _keys(OrganisationEntry),
        "host": _keys(HostEntry),
        "capabilities": _table(("capability", "what it gives", "components and their roles", "where"), _capabilities()),
        "roles": " → ".join(f"`{role}`" for role in ROLE_ORDER),
        "names": _table(("name", "needs"), _names()),
        "secrets": _table(("secret", "what it is for", "kind", "for the roles"), _secrets()),
    }


def filled(page: str) -> str:
    """A page with every table in its place."""
    for name, table in tables().items():
        before, start, rest = page.partition(START.format(name))
        _, end, after = rest.partition(END)
        page = f"{before}{start}\n\n{table}\n\n{end}{after}"
    return page


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows))


def _keys(model: type[BaseModel]) -> str:
    rows = ((f"`{name}`", str(field.description), _default(field)) for name, field in model.model_fields.items())
    return _table(("key", "what it is", "default"), rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        choices = [f"`{choice}`" for choice in get_args(field.annotation) if isinstance(choice, str)]
        wanted = ", ".join(choices) or f"such as `{(field.examples or [''])[0]}`"
        return f"needed: {wanted}"
    return f"`{field.default}`" if isinstance(field.default, int) else "none"


def _capabilities() -> Iterator[tuple[str, ...]]:
    for name, capability in CAPABILITIES.items():
        components = "; ".join(f"`{one}`: {', '.join(roles)}" for one, roles in capability.components.items())
        where = ["any number of hosts" if capability.many else "one host"]
        where += [f"where {needed} runs" for needed in capability.needs_here]
        where += [f"with {needed} in the organisation" for needed in capability.needs]
        where += ["labs only"] if capability.lab_only else []
        yield f"`{name}`", capability.meaning, components, ", ".join(where)


def _names() -> Iterator[tuple[str, ...]]:
    for name, needs in PUBLIC_NAMES.items():
        yield f"`{name}`", ", ".join(needs)
    yield "`ns1`, `ns2`, …", "dns, one for each host in the order of `hosts.yml`"


def _secrets() -> Iterator[tuple[str, ...]]:
    for name, secret in SECRETS.items():
        yield f"`{name}`", secret.meaning, secret.kind.words, ", ".join(secret.roles)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
