"""What a person sees: plain lines in a log, one moving line on a terminal, differences in check mode."""

from __future__ import annotations

import functools
import io

import pytest
from rich.console import Console

from deploy import terminal
from deploy.converge import HostOutcome, Outcome
from deploy.errors import Finding
from deploy.terminal import Progress, print_outcome


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal that can be read."""
    written = io.StringIO()
    monkeypatch.setattr(terminal, "Console", functools.partial(Console, file=written, force_terminal=True, width=200))
    return written


def outcome(**host: object) -> Outcome:
    return Outcome({"een": HostOutcome(**host)}, [], {}, 2.04)  # type: ignore[arg-type]


def test_progress_is_plain_lines_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress("een", "compare", "3 files [bold]")
    assert capsys.readouterr().out == "een          compare    3 files [bold]\n"


def test_quiet_progress_says_nothing_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True) as progress:
        progress("een", "compare", "3 files")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_on_a_terminal_a_moving_line_names_the_stage_and_goes_in_the_end(screen: io.StringIO) -> None:
    with Progress() as progress:
        progress("een", "install", "2 packages")
        assert progress._moving
        assert progress._moving.status == "install …"
    assert "2 packages" in screen.getvalue()
    assert "\x1b[?25h" in screen.getvalue()


def test_an_outcome_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_outcome(
        outcome(files=["/etc/a"], units=["restart a.service"], diff=[{"before_header": "/etc/a"}]), check=False
    )
    assert capsys.readouterr().out == "1 hosts, 2 changed, 2.0 s\n"


def test_a_check_shows_differences_before_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    diff = [
        {"before_header": "/etc/a", "after_header": "/etc/a", "before": "same\n[old]\n", "after": "same\n[new]\n"},
        {"before_header": "/etc/key", "after_header": "/etc/key", "prepared": "/etc/key: content\n"},
    ]
    print_outcome(outcome(files=["/etc/a", "/etc/key"], diff=diff), check=True)
    assert capsys.readouterr().out.splitlines() == [
        "--- een:/etc/a", "+++ declared", "@@ -1,2 +1,2 @@", " same", "-[old]", "+[new]", "een:/etc/key: content",
        "1 hosts, 2 would change, 2.0 s",
    ]  # fmt: skip


def test_a_check_names_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    print_outcome(outcome(packages=["nginx", "app 1.0-1 -> 1.0-2"]), check=True)
    assert capsys.readouterr().out.splitlines()[0] == "een: packages: nginx, app 1.0-1 -> 1.0-2"
    print_outcome(outcome(packages=["nginx"]), check=False)
    assert "packages" not in capsys.readouterr().out


def test_differences_have_colours_on_a_terminal(screen: io.StringIO) -> None:
    diff = [{"before_header": "/etc/a", "after_header": "/etc/a", "before": "old\n", "after": "new\n"}]
    print_outcome(outcome(files=["/etc/a"], diff=diff), check=True)
    assert "\x1b[31m-old" in screen.getvalue()
    assert "\x1b[32m+new" in screen.getvalue()


def test_failures_go_to_standard_error_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    failed = Outcome({}, [Finding("een", "is down", "start it"), Finding("twee", "is full")], {}, 1)
    print_outcome(failed, check=False)
    assert capsys.readouterr().err == "bsw: een: is down; start it\nbsw: twee: is full\n"
