"""What the report says, and that it asks nobody for anything."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deploy.paths import REPOSITORY
from deploy.report import Observation, Result, Run, requirements, smoke_result, verdicts, write
from deploy.report.page import headline, render

VOID = {"meta", "link", "br", "img", "hr", "input", "path", "rect"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    digits = colour.removeprefix("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_page_makes_no_request(run: Run) -> None:
    text = render(run)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "video", "base", "form"} & {
        t for t, _ in page.tags
    }
    assert not re.search(r"url\((?!#)|@import|@font-face|https?:|//[a-z]", text)
    for _, attributes in page.tags:
        assert not {"src", "srcset", "data", "action", "background", "poster"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)


def test_the_page_can_be_read_by_everybody(run: Run) -> None:
    page = Page(render(run))
    assert page.named("html")[0]["lang"] == "en"
    assert len(page.named("h1")) == 1
    assert len(page.named("table")) == len(page.named("caption")) >= 4
    assert all(cell.get("scope") in ("col", "row") for cell in page.named("th"))
    assert "role" in page.named("svg")[0]
    assert len(page.named("title")) == 2
    anchors = {a["href"] for a in page.named("a")}
    ids = {f"#{attributes['id']}" for _, attributes in page.tags if "id" in attributes}
    assert anchors <= ids


def test_every_pair_of_colours_has_the_contrast_of_wcag_aa(run: Run) -> None:
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", render(run)))
    pairs = [("ink", "paper"), ("ink", "tint"), ("soft", "paper"), ("soft", "tint"), ("blue", "paper"),
             ("paper", "blue"), ("good", "good-tint"), ("bad", "bad-tint"), ("bad", "paper"),
             ("open", "open-tint")]  # fmt: skip
    for front, back in pairs:
        light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{front} on {back}"


def test_what_was_found_stands_on_the_page(run: Run) -> None:
    text = " ".join(Page(render(run)).text)
    for words in (
        "1 of 3 tests failed", "<b>nothing</b> was found", "Search finds words (attachment)", "A folder can be made",
        "no second organisation", "mail to the world", "0123456789ab", "rijk.test", "31.0", "in NL", "unknown",
        "nft counters", "anywhere", "raw/dns/answer.txt",
    ):  # fmt: skip
        assert words in text, words
    for requirement in requirements():
        assert requirement.id in text


def test_what_idle_hosts_hold_stands_there_the_largest_first(run: Run) -> None:
    text = " ".join(" ".join(Page(render(run)).text).split())
    assert "stack: 285 MiB in 2 units" in text
    assert "rspamd.service 280.2 init.scope 4.5 Total 284.8" in text
    assert "reserve: not known: No route to host" in text
    assert "on other hosts of the lab too" in text
    assert "of the lab" not in render(replace(run, environment="production"))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """What two tests kept: a picture each."""
    for name in ("portal/menu.png", "sieve/failure-1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"\x89PNG picture")
    return tmp_path


def with_pictures(run: Run) -> Run:
    one, two, *others = run.results
    return replace(run, results=(replace(one, evidence=("portal/menu.png", "portal/gone.png", "portal/x.txt")),
                                 replace(two, evidence=("sieve/failure-1.png",)), *others))  # fmt: skip


def test_screenshots_are_part_of_the_page_and_say_what_they_show(run: Run, raw: Path) -> None:
    text = render(with_pictures(run), raw)
    shown = {image["alt"]: str(image["src"]) for image in Page(text).named("img")}
    assert set(shown) == {"Screenshot: Menu", "The screen: Failure 1"}
    assert {base64.b64decode(src.removeprefix("data:image/png;base64,")) for src in shown.values()} == {
        b"\x89PNG picture"
    }
    assert text.index("The screen: Failure 1") < text.index("What people see</h2>") < text.index("Screenshot: Menu")
    assert "img-src data:" in text
    assert "https:" not in text


def test_a_run_without_screenshots_has_no_room_for_them(run: Run, raw: Path) -> None:
    assert "What people see" not in render(run, raw)
    assert "What people see" not in render(with_pictures(run))


def test_a_run_without_hosts_or_audit_has_a_page_too(run: Run) -> None:
    bare = replace(run, hosts={}, flows=(), audit=(), memory=(), timings=(), results=run.results[:1], complete=False)
    text = render(bare)
    assert "<svg" not in text
    assert "Idle memory" not in text
    assert "What the audit saw" not in text
    assert "broken off" in text


def test_what_is_as_declared_does_not_hide_what_is_not(run: Run) -> None:
    text = render(run)
    assert "What is not as declared, or cannot be known." in text
    fine = render(replace(run, audit=tuple(replace(seen, ok=True) for seen in run.audit)))
    assert "What is not as declared, or cannot be known." not in fine
    assert "All 3 observations are as declared." in fine


def test_deviations_stand_there_with_their_reasons(run: Run) -> None:
    text = render(run)
    assert "<td>client web need not use PKCE</td><td>it sends no proof key</td>" in text
    assert "Deviations" not in render(replace(run, audit=run.audit[:2]))


def test_a_verdict_needs_a_test_that_passed_and_none_that_failed(run: Run) -> None:
    found = verdicts(run.results, run.audit)
    assert found["MBGROUPWARE-09"] == "proven"
    assert found["MBGROUPWARE-04"] == "failed"
    assert found["MBGROUPWARE-08"] == "not covered", "a skipped test proves nothing"
    assert found["MBCHAT-05"] == "not covered"
    assert found["SOV-EGRESS"] == "proven"
    assert found["SOV-RESIDENCE"] == "not covered", "unknown is never ok"
    assert list(found) == [requirement.id for requirement in requirements()]
    both = (*run.results, Result("x.py::test_y", ("MBGROUPWARE-09",), "failed", 0.1))
    assert verdicts(both)["MBGROUPWARE-09"] == "failed"
    seen = (Observation("SOV-OPEN", "stack", "RPKI", None),)
    assert verdicts(run.results, seen)["SOV-OPEN"] == "not covered"
    assert verdicts((), [Observation("SOV-OPEN", "stack", "x", False)])["SOV-OPEN"] == "failed"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "1 of 3 tests failed"),
        ({"results": ()}, "Nothing was tested"),
        ({"results": (Result("x", (), "passed", 1),)}, "Everything that was tested works"),
        ({"results": (Result("x", (), "passed", 1),), "complete": False}, "Broken off"),
        ({"audit": (Observation("", "a", "b", False),)}, "1 of 3 tests failed and the audit found 1 thing that"),
        (
            {"results": (Result("x", (), "passed", 1),), "audit": (Observation("", "a", "b", False),)},
            "The audit found 1",
        ),
    ],
)
def test_the_headline_says_how_it_went(run: Run, changes: dict[str, object], words: str) -> None:
    assert headline(replace(run, **changes)).startswith(words)  # type: ignore[arg-type]


def test_the_page_and_the_data_say_the_same(run: Run, tmp_path: Path) -> None:
    page = write(tmp_path / "report", run)
    data = json.loads((tmp_path / "report/report.json").read_text())
    result = smoke_result(run, page)
    assert set(result) == {"passed", "failed", "skipped", "seconds", "requirements", "report"}
    assert (result["passed"], result["failed"], result["skipped"], result["seconds"]) == (2, 1, 1, 41.7)
    assert result["requirements"] == data["requirements"]
    assert Path(result["report"]).read_text() == render(run)
    assert data["memory"][0]["total"] == 284.75
    assert data["results"][1]["message"] == "<b>nothing</b> was found"


def test_ids_are_unique_and_of_both_kinds() -> None:
    ids = [requirement.id for requirement in requirements()]
    assert len(ids) == len(set(ids)) >= 40
    assert {requirement.level for requirement in requirements()} <= {"must", "should"}


def test_the_documentation_has_the_same_table() -> None:
    rows = (REPOSITORY / "docs/requirements.md").read_text().splitlines()
    for r in requirements():
        assert f"| {r.id} | {r.text} | {r.level} | {r.by} |" in rows
