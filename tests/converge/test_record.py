"""What the engine remembers on a host, whatever kills it."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.converge.engine import record


def test_notifications_of_a_run_that_died_are_kept_beside_the_new_ones() -> None:
    record.remember(restart=["a.service"], files=["/etc/a"])
    record.remember(restart=["b.service", "a.service"], reload=["c.service"])
    assert record.pending() == {"restart": ["a.service", "b.service"], "reload": ["c.service"], "files": ["/etc/a"]}
    assert record.is_pending()


def test_what_was_done_is_forgotten_and_may_be_forgotten_twice() -> None:
    record.remember(restart=["a.service"])
    record.forget()
    record.forget()
    assert not record.is_pending()
    assert record.pending() == {"restart": [], "reload": [], "files": []}


def test_a_torn_record_is_none(state: Path) -> None:
    record.ended({"commit": "0123"})
    assert record.converged() == {"commit": "0123"}
    (state / "converged.json").write_text('{"commit": "01')
    assert record.converged() == {}


def test_it_is_for_root_alone_and_nothing_is_left_beside_it(state: Path) -> None:
    record.remember()
    assert stat.S_IMODE((state / "pending.json").stat().st_mode) == 0o600
    assert [file.name for file in state.iterdir()] == ["pending.json"]
