"""Whatever ends the run, a signal included, the lab goes down with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from deploy import lab


@pytest.fixture(scope="session", autouse=True)
def cleaned_up() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    yield
    lab.down()
