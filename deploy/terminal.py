"""What a person sees while something runs: one moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import difflib
import sys
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.status import Status

if TYPE_CHECKING:
    from deploy.converge import Outcome

STYLES = {"failed": "bold red", "install": "cyan", "configure": "cyan", "activate": "green"}


class Progress:
    """Hears ``(host, stage, line)``; a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=quiet, quiet=quiet, highlight=False, soft_wrap=True)
        self._moving: Status | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._moving = self._console.status("connecting …")
            self._moving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._moving:
            self._moving.stop()

    def __call__(self, host: str, stage: str, line: str) -> None:
        """Print the line; on a terminal the moving line names the stage."""
        self._console.print(f"{host:12} {stage:10} ", style=STYLES.get(stage), end="", markup=False)
        self._console.print(line, markup=False)
        if self._moving:
            self._moving.update(f"{stage} …")


def print_outcome(outcome: Outcome, *, check: bool) -> None:
    """Print what changed, or would change, with the differences; failures last."""
    console = Console(highlight=False, soft_wrap=True)
    for name, host in outcome.hosts.items():
        if check and host.packages:
            console.print(f"{name}: packages: {', '.join(host.packages)}", markup=False)
        for difference in host.diff if check else []:
            _print_difference(console, name, difference)
    total = sum(host.changed for host in outcome.hosts.values())
    verb = "would change" if check else "changed"
    console.print(f"{len(outcome.hosts)} hosts, {total} {verb}, {outcome.seconds:.1f} s")
    for finding in outcome.failures:
        print(f"bsw: {finding}", file=sys.stderr)


def _print_difference(console: Console, host: str, difference: dict[str, str]) -> None:
    path = difference["before_header"]
    if "prepared" in difference:
        console.print(f"{host}:{difference['prepared'].rstrip()}", markup=False)
        return
    lines = difflib.unified_diff(
        difference["before"].splitlines(), difference["after"].splitlines(), f"{host}:{path}", "declared", lineterm=""
    )
    for line in lines:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        console.print(line, style=style, markup=False)
