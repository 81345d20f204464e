"""The host half of rootfs: what differs, and how files come about without ever being half there."""

from __future__ import annotations

import base64
import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.converge.engine import Answer, FakeModule, plugin, record, result_of

OWNER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name
NOBODY = "nobody-of-this-name"

Entry = dict[str, Any]


@pytest.fixture
def rootfs() -> ModuleType:
    return plugin("modules", "rootfs")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    directory = tmp_path / "host"
    directory.mkdir()
    return directory


def file(path: Path, content: str = "declared\n", **more: Any) -> Entry:
    declared = {"owner": OWNER, "group": GROUP, "mode": "0644", "restart": [], "reload": []}
    return {"path": str(path), "sha256": hashlib.sha256(content.encode()).hexdigest()} | declared | more


def link(path: Path, to: str) -> Entry:
    return {"path": str(path), "link": to, "restart": [], "reload": []}


def absent(path: Path) -> Entry:
    return {"path": str(path), "absent": True, "restart": [], "reload": []}


def contents(**by_path: str) -> dict[str, str]:
    return {path: base64.b64encode(text.encode()).decode() for path, text in by_path.items()}


def write(path: Path, content: str = "declared\n", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def tree(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): p.read_text() for p in directory.rglob("*") if p.is_file()}


def apply(
    rootfs: ModuleType, entries: list[Entry], texts: dict[str, str], answer: Callable[[list[str]], Answer] | None = None
) -> dict[str, Any]:
    given: dict[str, Any] = {"entries": entries, "contents": contents(**texts)}
    return result_of(rootfs.apply, FakeModule(answer, **given) if answer else FakeModule(**given))


def differences(rootfs: ModuleType, entry: Entry) -> list[str]:
    found: list[str] = rootfs.differences(entry, [], {})
    return found


# ---- what differs


def test_a_file_as_declared_does_not_differ(rootfs: ModuleType, host: Path) -> None:
    assert differences(rootfs, file(write(host / "app.conf"))) == []


def test_a_file_that_is_not_there_is_new(rootfs: ModuleType, host: Path) -> None:
    assert differences(rootfs, file(host / "app.conf")) == ["content", "new"]
    assert differences(rootfs, file(write(host / "taken") / "app.conf")) == ["content", "new"]


def test_a_changed_content_is_returned_only_for_paths_that_may_be_shown(rootfs: ModuleType, host: Path) -> None:
    before: dict[str, str] = {}
    shown, hidden = write(host / "shown", "by hand\n"), write(host / "hidden", "by hand\n")
    assert rootfs.differences(file(shown), [str(shown)], before) == ["content"]
    assert rootfs.differences(file(hidden), [str(shown)], before) == ["content"]
    assert before == contents(**{str(shown): "by hand\n"})


def test_a_difference_of_mode_alone_is_said_as_such(rootfs: ModuleType, host: Path) -> None:
    assert differences(rootfs, file(write(host / "app.conf", mode=0o600))) == ["mode"]


def test_a_difference_of_owner_alone_is_said_as_such(rootfs: ModuleType, host: Path) -> None:
    path = write(host / "app.conf")
    assert differences(rootfs, file(path, owner=str(os.geteuid() + 1))) == ["owner"]
    assert differences(rootfs, file(path, group=str(os.getegid() + 1))) == ["group"]


def test_an_owner_who_does_not_exist_yet_is_a_difference_and_no_error(rootfs: ModuleType, host: Path) -> None:
    assert differences(rootfs, file(write(host / "app.conf"), owner=NOBODY, group=NOBODY)) == ["owner", "group"]


def test_a_link_that_points_elsewhere_differs(rootfs: ModuleType, host: Path) -> None:
    (host / "right").symlink_to("/dev/null")
    (host / "wrong").symlink_to("/dev/zero")
    found = {name: differences(rootfs, link(host / name, "/dev/null")) for name in ("right", "wrong", "none")}
    assert found == {"right": [], "wrong": ["link"], "none": ["link"]}
    assert differences(rootfs, link(write(host / "file"), "/dev/null")) == ["link"]


def test_a_link_where_a_file_should_be_differs_even_with_the_right_content(rootfs: ModuleType, host: Path) -> None:
    (host / "app.conf").symlink_to(write(host / "elsewhere"))
    assert differences(rootfs, file(host / "app.conf")) == ["content", "type"]


def test_what_should_be_absent_differs_while_it_is_there(rootfs: ModuleType, host: Path) -> None:
    (host / "dangling").symlink_to("nowhere")
    assert differences(rootfs, absent(write(host / "old"))) == ["absent"]
    assert differences(rootfs, absent(host / "dangling")) == ["absent"]
    assert differences(rootfs, absent(host / "gone")) == []


INSTALLED = """\
postfix 3.10.4-1 install installed
nginx 1.26.3-3 install half-configured
slapd 2.6.10-1 deinstall config-files
libssl3t64 3.5.4-1 hold installed
libpq5 17.6-1 install installed
liblzma5 5.8.2-1 install installed
dpkg 1.22.21 install installed
"""


def dpkg(command: list[str]) -> Answer:
    """Answers as dpkg-query and dpkg do, for versions of the same length."""
    if command[0] == "dpkg-query":
        return 0, INSTALLED, ""
    older, verb, newer = command[2:]
    assert verb == "lt"
    return int(not older < newer), "", ""


def test_packages_that_are_half_installed_are_missing(rootfs: ModuleType) -> None:
    packages = ["postfix", "nginx", "slapd", "clamav"]
    assert rootfs.compare_packages(FakeModule(dpkg), packages, {}) == (["nginx", "slapd", "clamav"], {})


def test_an_installed_package_that_the_source_has_in_a_newer_version_is_outdated(rootfs: ModuleType) -> None:
    offered = {"postfix": "3.10.5-1", "libpq5": "17.7-1", "nginx": "1.26.3-4", "clamav": "1.4.3-1"}
    module = FakeModule(dpkg)
    _, outdated = rootfs.compare_packages(module, ["postfix", "nginx"], offered)
    assert outdated == {"postfix": ["3.10.4-1", "3.10.5-1"], "libpq5": ["17.6-1", "17.7-1"]}
    assert len(module.commands) == 3, "one question for all, and one for each version that differs"


def test_a_package_that_is_on_hold_or_newer_than_the_sources_stays(rootfs: ModuleType) -> None:
    offered = {"libssl3t64": "3.5.5-1", "liblzma5": "5.8.1-1", "dpkg": "1.22.21"}
    assert rootfs.compare_packages(FakeModule(dpkg), ["dpkg"], offered) == ([], {})


def test_an_outdated_package_is_a_difference(rootfs: ModuleType) -> None:
    record.ended({"declared": "digest"})
    given = {"entries": [], "units": [], "declared": "digest", "show": []}
    module = FakeModule(dpkg, **given, packages=["postfix"], offered={"postfix": "3.10.5-1"})
    found = result_of(rootfs.compare, module)
    assert found["changed"]
    assert found["outdated"] == {"postfix": ["3.10.4-1", "3.10.5-1"]}


# ---- the whole look


def compare(rootfs: ModuleType, **more: Any) -> dict[str, Any]:
    given = {"entries": [], "packages": [], "offered": {}, "units": [], "declared": "digest", "show": []} | more
    return result_of(rootfs.compare, FakeModule(**given))


def test_a_host_on_which_nothing_differs_is_unchanged(rootfs: ModuleType, host: Path) -> None:
    record.ended({"declared": "digest"})
    found = compare(rootfs, entries=[file(write(host / "app.conf"))])
    assert found == {
        "changed": False, "files": {}, "before": {}, "missing": [], "outdated": {}, "unsettled": {},
        "unfinished": False,
    }  # fmt: skip


def test_comparing_leaves_everything_as_it_is(rootfs: ModuleType, host: Path, tmp_path: Path) -> None:
    write(host / "app.conf", "by hand\n")
    before = tree(tmp_path)
    found = compare(rootfs, entries=[file(host / "app.conf"), file(host / "sub" / "new"), absent(host / "app.conf")])
    assert found["changed"]
    assert tree(tmp_path) == before
    assert not (host / "sub").exists()


def test_a_run_that_died_is_seen_by_its_pending_file(rootfs: ModuleType) -> None:
    record.ended({"declared": "digest"})
    record.remember()
    found = compare(rootfs)
    assert found["changed"]
    assert found["unfinished"]


def test_a_host_that_converged_on_something_else_is_unfinished(rootfs: ModuleType) -> None:
    record.ended({"declared": "an older digest"})
    assert compare(rootfs)["unfinished"]


def test_after_a_torn_record_the_host_is_looked_at_as_if_it_were_new(rootfs: ModuleType) -> None:
    record.ended({"declared": "digest"})
    Path(record.CONVERGED).write_text('{"declared": "dig')
    assert compare(rootfs)["unfinished"]


# ---- bringing it about


def test_files_links_and_absences_come_about(rootfs: ModuleType, host: Path) -> None:
    new, old, pointer = host / "etc/app/app.conf", write(host / "old"), host / "etc/link"
    said = apply(rootfs, [file(new, mode="0640"), absent(old), link(pointer, "/dev/null")], {str(new): "declared\n"})
    assert said == {"changed": True, "files": [str(new), str(old), str(pointer)]}
    assert new.read_text() == "declared\n"
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    assert not old.exists()
    assert pointer.readlink() == Path("/dev/null")


def test_after_applying_nothing_differs(rootfs: ModuleType, host: Path) -> None:
    entries = [file(host / "a/b", mode="0755"), link(host / "c/d", "b"), absent(host / "e")]
    apply(rootfs, entries, {str(host / "a/b"): "declared\n"})
    assert [differences(rootfs, entry) for entry in entries] == [[], [], []]


def test_a_file_takes_the_place_of_a_link_and_not_of_what_it_points_at(rootfs: ModuleType, host: Path) -> None:
    elsewhere = write(host / "elsewhere", "not ours\n")
    (host / "app.conf").symlink_to(elsewhere)
    apply(rootfs, [file(host / "app.conf")], {str(host / "app.conf"): "declared\n"})
    assert not (host / "app.conf").is_symlink()
    assert elsewhere.read_text() == "not ours\n"


def test_a_mode_is_mended_without_touching_the_content(rootfs: ModuleType, host: Path) -> None:
    path = write(host / "app.conf", mode=0o600)
    before = path.stat().st_ino
    apply(rootfs, [file(path, mode="0644")], {})
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_ino) == (0o644, before)


def test_the_parts_of_a_run_that_died_between_link_and_rename_do_not_stop_the_next(
    rootfs: ModuleType, host: Path
) -> None:
    (host / "pointer.rootfs-new").symlink_to("/dev/zero")
    apply(rootfs, [link(host / "pointer", "/dev/null")], {})
    assert {p.name: str(p.readlink()) for p in host.iterdir()} == {"pointer": "/dev/null"}


def test_what_a_run_that_died_had_staged_is_swept(rootfs: ModuleType, host: Path) -> None:
    write(host / ".rootfs.k3y", "half a secret", 0o600)
    write(host / ".rootfs-own", "not ours\n")
    apply(rootfs, [file(host / "app.conf")], {str(host / "app.conf"): "declared\n"})
    assert tree(host) == {"app.conf": "declared\n", ".rootfs-own": "not ours\n"}


def test_a_validator_sees_the_staged_content_with_its_final_mode(rootfs: ModuleType, host: Path) -> None:
    seen = []

    def validator(command: list[str]) -> Answer:
        staged = Path(command[2])
        seen.append((command[:2], staged.parent, staged.read_text(), stat.S_IMODE(staged.stat().st_mode)))
        assert not (host / "app.conf").exists()
        return 0, "", ""

    path = host / "app.conf"
    apply(rootfs, [file(path, mode="0600", validate="check --file %s")], {str(path): "declared\n"}, validator)
    assert seen == [(["check", "--file"], host, "declared\n", 0o600)]


def test_a_file_that_is_not_valid_leaves_every_file_as_it_was_and_nothing_beside_it(
    rootfs: ModuleType, host: Path
) -> None:
    good, bad, new = write(host / "good", "old\n"), write(host / "bad", "old\n"), host / "new"
    entries = [file(good), file(new), file(bad, validate="check %s"), absent(write(host / "unwanted"))]
    before = tree(host)
    said = apply(
        rootfs, entries, dict.fromkeys(map(str, (good, new, bad)), "declared\n"),
        lambda command: (1, "", f"{command[1]}: line 3: no such option\n"),
    )  # fmt: skip
    assert said == {"failed": True, "msg": f"{bad}: not valid: {bad}: line 3: no such option", "file": str(bad)}
    assert tree(host) == before


def test_the_units_to_notify_are_written_down_before_the_first_file_moves(
    rootfs: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    path = write(host / "app.conf", "old\n")
    monkeypatch.setattr(rootfs, "put", die)
    with pytest.raises(Killed):
        apply(rootfs, [file(path, restart=["app.service"], reload=["web.service"])], {str(path): "declared\n"})
    assert path.read_text() == "old\n"
    assert record.pending() == {"restart": ["app.service"], "reload": ["web.service"], "files": [str(path)]}


def test_a_directory_in_the_way_is_an_error_with_its_path_and_no_leftovers(rootfs: ModuleType, host: Path) -> None:
    (host / "app.conf").mkdir()
    said = apply(rootfs, [file(host / "app.conf")], {str(host / "app.conf"): "declared\n"})
    assert said["failed"]
    assert said["msg"].startswith("rootfs: IsADirectoryError")
    assert str(host / "app.conf") in said["msg"]
    assert [p.name for p in host.iterdir()] == ["app.conf"]


def test_an_owner_whom_no_role_makes_is_an_error_that_names_him(rootfs: ModuleType, host: Path) -> None:
    said = apply(rootfs, [file(host / "app.conf", owner=NOBODY)], {str(host / "app.conf"): "declared\n"})
    assert said["failed"]
    assert NOBODY in said["msg"]
    assert list(host.iterdir()) == []


def test_users_come_before_files_and_directories_before_what_lies_in_them(
    rootfs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[object] = []

    def put(_module: object, entries: list[Entry], _contents: object) -> None:
        happened.append([entry["path"] for entry in entries])

    def answer(command: list[str]) -> Answer:
        happened.append(" ".join(command))
        return 0, "", ""

    monkeypatch.setattr(rootfs, "put", put)
    paths = ["/etc/app.conf", "/etc/tmpfiles.d/app.conf", "/etc/sysusers.d/app.conf"]
    apply(rootfs, [file(Path(path)) for path in paths], {}, answer)
    assert happened == [
        ["/etc/sysusers.d/app.conf"],
        "systemd-sysusers",
        ["/etc/tmpfiles.d/app.conf"],
        "systemd-tmpfiles --create /etc/tmpfiles.d/app.conf",
        ["/etc/app.conf"],
    ]


def test_a_user_that_cannot_be_made_stops_the_run_with_the_helpers_own_words(
    rootfs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rootfs, "put", lambda *_: None)
    entry = file(Path("/etc/sysusers.d/app.conf"))
    said = apply(rootfs, [entry], {}, lambda _: (1, "", "Failed to parse UID: 'x'\n"))
    assert said == {"failed": True, "msg": "systemd-sysusers: Failed to parse UID: 'x'"}
