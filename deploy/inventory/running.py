"""What the hosts of an organisation run, held against its components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.errors import Finding
from deploy.inventory.components import CAPABILITIES, OFF, Capability
from deploy.inventory.hints import choose, nearest
from deploy.inventory.layout import GroupLayout
from deploy.inventory.source import Node


def components(node: Node) -> Mapping[str, str]:
    """The component of each capability, as far as they are known.

    Args:
        node: the key ``components``.
    """
    entries = {name: _component(entry) for name, entry in node.members.items()}
    return {name: entry for name, entry in entries.items() if entry in _possible(name)}


def component_findings(node: Node) -> Iterator[Finding]:
    """What is wrong with the key ``components`` itself."""
    if not isinstance(node.value, dict):
        yield Finding(node.where, "components must be a mapping", "write `capability: component` lines")
    for name, entry in node.members.items():
        if name not in CAPABILITIES:
            yield _unknown_capability(name, entry)
        elif _component(entry) not in _possible(name):
            what = f"unknown component {_component(entry)!r} for {name}"
            yield Finding(entry.where, what, choose(_component(entry), _possible(name)))


def _component(entry: Node) -> str:
    """``off`` is a boolean in YAML 1.1 unless it is quoted."""
    return OFF if entry.value is False else str(entry.value)


def _possible(capability: str) -> list[str]:
    return [*CAPABILITIES[capability].components, OFF] if capability in CAPABILITIES else []


def _unknown_capability(name: object, node: Node) -> Finding:
    return Finding(node.where, f"unknown capability {name!r}", choose(name, CAPABILITIES))


class Running:
    """An organisation's capabilities and the hosts that run them."""

    def __init__(self, name: str, group: GroupLayout) -> None:
        self.name = name
        self.listed = group.variables.get("components", Node({}, group.home))
        self.chosen = components(self.listed)
        self.pairs = [
            (host, item)
            for host, variables in group.hosts.items()
            for item in variables.get("runs", Node([], "")).items
            if isinstance(item.value, str)
        ]

    def on(self, capability: str) -> list[str]:
        """The hosts that run a capability."""
        return [host for host, item in self.pairs if item.value == capability]

    def findings(self) -> Iterator[Finding]:
        """What does not fit together."""
        for index, (host, item) in enumerate(self.pairs):
            capability = CAPABILITIES.get(item.value)
            if capability is None:
                yield _unknown_capability(item.value, item)
                continue
            yield from self._provided(host, item)
            yield from self._once(host, item, [other for other, past in self.pairs[:index] if past.value == item.value])
            yield from self._needs(host, item, capability)
        yield from self._idle()

    def _provided(self, host: str, item: Node) -> Iterator[Finding]:
        name, place = item.value, self.listed.at(item.value).where
        if self.chosen.get(name) == OFF:
            remedy = f"remove it here, or choose a component at {place}"
            yield Finding(item.where, f"host {host!r} runs {name}, which is off", remedy)
        elif name not in self.listed.members and not self._misspelt(name):
            example = next(iter(CAPABILITIES[name].components))
            yield Finding(item.where, f"no component for {name}", f"add `{name}: {example}` at {place}")

    def _misspelt(self, capability: str) -> bool:
        """Whether its component is lacking for a reason that is said elsewhere."""
        strange = [name for name in self.listed.members if name not in CAPABILITIES]
        return not self.listed.members or any(nearest(name, CAPABILITIES) == capability for name in strange)

    def _once(self, host: str, item: Node, others: list[str]) -> Iterator[Finding]:
        if host in others:
            yield Finding(item.where, f"host {host!r} runs {item.value} twice", "keep one")
        elif others and not CAPABILITIES[item.value].many:
            what = f"{item.value} runs on {others[0]!r} already"
            yield Finding(item.where, what, f"let one host of {self.name} run it")

    def _needs(self, host: str, item: Node, capability: Capability) -> Iterator[Finding]:
        for needed in (*capability.needs_here, *capability.needs):
            hosts = self.on(needed)
            if not hosts and self.chosen.get(needed, OFF) != OFF:
                continue  # that nobody runs it is said elsewhere
            if not hosts:
                yield Finding(item.where, f"{item.value} needs {needed}", f"let a host of {self.name} run it")
            elif needed in capability.needs_here and host not in hosts:
                yield Finding(item.where, f"{item.value} needs {needed} on the same host", f"add it to {host!r}")

    def _idle(self) -> Iterator[Finding]:
        for capability, component in self.chosen.items():
            if component != OFF and not self.on(capability):
                where = self.listed.at(capability).where
                remedy = f"add it to `runs` of a host, or write `{capability}: off`"
                yield Finding(where, f"no host of {self.name} runs {capability}", remedy)
