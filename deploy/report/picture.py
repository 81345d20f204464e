"""An SVG picture of the hosts and the connections that they may begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from deploy.report.results import Flow

_ROW, _GAP, _TOP, _LEFT, _BOX, _RIGHT, _WIDTH = 22, 26, 34, 10, 230, 640, 900


@dataclass(frozen=True)
class _Line:
    """What is drawn as one arrow: flows of a host to the same place."""

    host: str
    to: str
    label: str


def draw(hosts: Mapping[str, tuple[str, ...]], flows: tuple[Flow, ...]) -> str:
    """Hosts at the left, where they may connect to at the right; empty without hosts.

    The table of flows beside it says the same in words: the picture is decoration for those who see it.

    Args:
        hosts: name -> addresses.
        flows: what the roles declare.
    """
    if not hosts:
        return ""
    lines = _lines(hosts, flows)
    targets = list(dict.fromkeys(line.to for line in lines))
    tops, height = _places({h: max(1, sum(line.host == h for line in lines)) for h in hosts})
    end_tops, end_height = _places({t: max(1, sum(line.to == t for line in lines)) for t in targets})
    height = max(height, end_height)
    parts = [
        f'<svg role="img" aria-labelledby="picture-title" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}">',
        '<title id="picture-title">Hosts and the connections that they may begin</title>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>',
        f'<text class="head" x="{_LEFT}" y="20">Host</text>',
        f'<text class="head" x="{_RIGHT}" y="20">May connect to</text>',
    ]
    for name, addresses in hosts.items():
        rows = max(1, sum(line.host == name for line in lines))
        parts.append(_box(_LEFT, tops[name], rows, "host", title=name, below=" ".join(addresses[:1])))
    for target in targets:
        rows = sum(line.to == target for line in lines)
        kind = "any" if target == _WORLD else "target"
        parts.append(_box(_RIGHT, end_tops[target], rows, kind, title=target))
    used = dict.fromkeys([*hosts, *targets], 0)
    ends = dict.fromkeys(targets, 0)
    for line in lines:
        y1 = tops[line.host] + _ROW * used[line.host] + _ROW / 2 + 4
        y2 = end_tops[line.to] + _ROW * ends[line.to] + _ROW / 2 + 4
        used[line.host] += 1
        ends[line.to] += 1
        x1, x2 = _LEFT + _BOX, _RIGHT
        kind = "world" if line.to == _WORLD else "inside"
        parts.append(
            f'<path class="{kind}" marker-end="url(#tip)" '
            f'd="M{x1} {y1:g}C{x1 + 220} {y1:g} {x2 - 120} {y2:g} {x2 - 2} {y2:g}"/>'
            f'<text class="flow" x="{x1 + 8}" y="{y1 - 4:g}">{escape(line.label)}</text>'
        )
    return "".join([*parts, "</svg>"])


_WORLD = "anywhere"


def place(to: str, hosts: Mapping[str, tuple[str, ...]]) -> str:
    """The name of an address where it is a host's; `anywhere` for `any`."""
    if to == "any":
        return _WORLD
    return next((name for name, addresses in hosts.items() if to in addresses), to)


def _lines(hosts: Mapping[str, tuple[str, ...]], flows: tuple[Flow, ...]) -> list[_Line]:
    order = list(hosts)
    protocols: dict[tuple[str, str, str, int], set[str]] = {}
    for flow in sorted((f for f in flows if f.host in hosts), key=lambda f: (order.index(f.host), f.role, f.port)):
        for target in dict.fromkeys(place(to, hosts) for to in flow.to):
            if target != flow.host:
                protocols.setdefault((flow.host, target, flow.role, flow.port), set()).add(flow.protocol)
    return [
        _Line(host, target, f"{role} {port}/{'+'.join(sorted(names))}")
        for (host, target, role, port), names in protocols.items()
    ]


def _places(rows: Mapping[str, int]) -> tuple[dict[str, float], int]:
    """The top of each box, and where the last one ends."""
    tops: dict[str, float] = {}
    y = _TOP
    for name, count in rows.items():
        tops[name] = y
        y += _ROW * count + 8 + _GAP
    return tops, y


def _box(x: int, y: float, rows: int, kind: str, *, title: str, below: str = "") -> str:
    height = _ROW * rows + 8
    second = f'<tspan class="small" dx="8">{escape(below)}</tspan>' if below else ""
    return (
        f'<rect class="{kind}" x="{x}" y="{y:g}" width="{_BOX}" height="{height}" rx="4"/>'
        f'<text class="name" x="{x + 10}" y="{y + height / 2 + 5:g}">{escape(title)}{second}</text>'
    )
