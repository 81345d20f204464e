"""Waiting for a state, never for a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds after which something that takes one is broken."""


def wait_until(ask: Callable[[], T | None], what: str, *, seconds: float = PATIENCE, every: float = 0.1) -> T:
    """Ask until the answer is true; return it.

    Args:
        ask: the question; cheap, and free to be asked often.
        what: what is waited for, as the failure says it.
        seconds: how long at most.
        every: pause between two questions, in seconds.

    Raises:
        AssertionError: it never came.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not after {seconds:.0f} s")
        time.sleep(every)
