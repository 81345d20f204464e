"""A small suite, run as the real one is: what it proves, what it keeps, how it can fail to run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from deploy.errors import Refused
from deploy.inventory import Inventory, load
from deploy.paths import REPOSITORY
from deploy.report import Memory, Observation, evidence, run, smoke

CONFTEST = """
    def pytest_addoption(parser):
        parser.addoption("--target")
"""
SUITE = """
    import json, os, pytest

    @pytest.mark.requirement("MBGROUPWARE-09")
    def test_a_folder_can_be_made(evidence, request):
        target = json.load(open(request.config.getoption("--target")))
        assert target["organisations"]["rijk"]["names"]["mail"] == "mail.rijk.test"
        evidence.keep("head ers.txt", "Received: from here")

    @pytest.mark.requirement("MBGROUPWARE-04", "SOV-OPEN")
    def test_search_finds_a_word():
        assert "needle" in "haystack"

    @pytest.fixture
    def broken_afterwards():
        yield
        raise OSError("cannot clean up")

    def test_that_cannot_clean_up(broken_afterwards):
        pass

    def test_that_does_not_apply():
        pytest.skip("no second organisation")
"""


@pytest.fixture
def inventory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Inventory:
    monkeypatch.setattr(run, "_prefix", lambda inventory: [])
    monkeypatch.setattr(run, "RUN", tmp_path / "run")
    return load(REPOSITORY / "inventories/lab")


def suite(tmp_path: Path, text: str = SUITE) -> str:
    directory = tmp_path / "suite"
    directory.mkdir()
    (directory / "conftest.py").write_text(dedent(CONFTEST))
    (directory / "test_small.py").write_text(dedent(text))
    return str(directory)


def test_a_run_leaves_a_report_with_evidence(inventory: Inventory, tmp_path: Path) -> None:
    result = smoke(inventory, suite=suite(tmp_path), reports=tmp_path / "reports")
    assert (result["passed"], result["failed"], result["skipped"]) == (1, 2, 1)
    assert result["requirements"]["MBGROUPWARE-09"] == "proven"
    assert result["requirements"]["MBGROUPWARE-04"] == result["requirements"]["SOV-OPEN"] == "failed"
    directory = Path(result["report"]).parent
    assert directory.parent == tmp_path / "reports/lab"
    assert (directory.parent / "latest").resolve() == directory
    names = {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}
    kept = "raw/test_small-test_a_folder_can_be_made/head-ers.txt"
    assert names == {"report.html", "report.json", "junit.xml", "target.json", kept}
    data = json.loads((directory / "report.json").read_text())
    found = {entry["nodeid"].rpartition("::")[2]: entry for entry in data["results"]}
    assert found["test_search_finds_a_word"]["message"] == "AssertionError: assert 'needle' in 'haystack'"
    assert found["test_that_cannot_clean_up"]["outcome"] == "failed"
    assert found["test_that_cannot_clean_up"]["message"] == "OSError: cannot clean up"
    assert found["test_that_does_not_apply"]["message"] == "no second organisation"
    assert found["test_a_folder_can_be_made"]["evidence"] == [kept.removeprefix("raw/")]
    assert data["commit"]
    assert data["complete"]


def test_a_keyword_selects(inventory: Inventory, tmp_path: Path) -> None:
    result = smoke(inventory, suite=suite(tmp_path), reports=tmp_path / "reports", keyword="folder")
    assert (result["passed"], result["failed"], result["skipped"]) == (1, 0, 0)


def test_two_runs_in_a_lab_do_not_break_each_other(
    inventory: Inventory, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory, lock = suite(tmp_path), tmp_path / "run/lab/smoke.lock"
    lock.parent.mkdir(parents=True)
    holder = subprocess.Popen(["flock", str(lock), "sleep", "0.7"])
    while subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode == 0:
        time.sleep(0.01)
    assert smoke(inventory, suite=directory, reports=tmp_path / "reports", keyword="folder")["passed"] == 1
    assert holder.poll() == 0, "it waited"
    assert "waiting for another run" in capfd.readouterr().err


def test_the_audit_looks_when_the_suite_is_done(inventory: Inventory, tmp_path: Path) -> None:
    def audit() -> list[Observation]:
        assert list((tmp_path / "reports").rglob("junit.xml"))
        return [Observation("SOV-EGRESS", "stack", "one packet refused", False)]

    result = smoke(inventory, suite=suite(tmp_path), reports=tmp_path / "reports", keyword="folder", audit=audit)
    assert result["requirements"]["SOV-EGRESS"] == "failed"


def test_memory_is_looked_at_before_the_first_test(inventory: Inventory, tmp_path: Path) -> None:
    def memory() -> list[Memory]:
        assert not list((tmp_path / "reports").rglob("results.json"))
        return [Memory("stack", (("slapd.service", 9.0),))]

    result = smoke(inventory, suite=suite(tmp_path), reports=tmp_path / "reports", keyword="folder", memory=memory)
    [held] = json.loads(Path(result["report"]).with_name("report.json").read_text())["memory"]
    assert held == {"host": "stack", "units": [["slapd.service", 9.0]], "trouble": "", "total": 9.0}


def test_a_file_that_cannot_be_read_fails(inventory: Inventory, tmp_path: Path) -> None:
    result = smoke(inventory, suite=suite(tmp_path, "import nothing_of_that_name"), reports=tmp_path / "reports")
    assert result["failed"] == 1
    assert "nothing_of_that_name" in Path(result["report"]).read_text()


def test_a_run_without_tests_is_no_run(inventory: Inventory, tmp_path: Path) -> None:
    directory = suite(tmp_path)
    with pytest.raises(Refused, match="no test has that keyword"):
        smoke(inventory, suite=directory, reports=tmp_path / "reports", keyword="nothing_like_that")
    with pytest.raises(Refused, match="pytest could not run"):
        smoke(inventory, suite="not/there", reports=tmp_path / "elsewhere")


def test_an_id_that_nobody_asked_for_is_refused(inventory: Inventory, tmp_path: Path) -> None:
    wrong = suite(tmp_path, "import pytest\n@pytest.mark.requirement('MBGROPWARE-09')\ndef test_a(): pass\n")
    with pytest.raises(Refused, match=r"no test ran|could not run"):
        smoke(inventory, suite=wrong, reports=tmp_path / "reports")


def test_ctrl_c_waits_until_the_suite_has_cleaned_up(inventory: Inventory, tmp_path: Path) -> None:
    directory = suite(
        tmp_path,
        """
        import pathlib, time, pytest
        here = pathlib.Path(__file__).parent

        @pytest.fixture
        def people():
            yield
            time.sleep(0.5)
            (here / "clean").touch()

        def test_first():
            pass

        def test_long(people):
            (here / "running").touch()
            time.sleep(60)
    """,
    )
    program = f"""
        from pathlib import Path
        from deploy.inventory import load
        from deploy.report import run
        run._prefix = lambda inventory: []
        run.RUN = Path({str(tmp_path / "run")!r})
        run.smoke(load(Path("inventories/lab")), suite={directory!r}, reports=Path({str(tmp_path / "reports")!r}))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(program)], cwd=REPOSITORY, start_new_session=True, stderr=subprocess.DEVNULL
    )
    while not Path(directory, "running").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) != 0
    assert Path(directory, "clean").exists()


def test_the_plugin_records_inside_this_process(tmp_path: Path) -> None:
    kept = evidence.Evidence(None, "a.py::test_b")
    kept.keep("nothing", "goes nowhere")
    assert kept.files == []
    (tmp_path / "target.json").write_text(json.dumps(run.target(load(REPOSITORY / "inventories/lab"))))
    options = ["-p", "deploy.report.evidence", "-p", "no:cacheprovider", "-p", "no:cov", "--evidence", str(tmp_path)]
    assert pytest.main([suite(tmp_path), *options, "--target", str(tmp_path / "target.json"), "-q"]) == 1
    found = json.loads((tmp_path / evidence.RESULTS).read_text())
    assert sorted(entry["outcome"] for entry in found["results"]) == ["failed", "failed", "passed", "skipped"]


def test_the_target_holds_no_secret() -> None:
    inventory = load(REPOSITORY / "inventories/lab")
    target = run.target(inventory)
    assert target["domain"] == "rijk.test"
    assert target["organisations"]["partner"]["hosts"]["mail"] == ["partner"]
    assert not target["organisations"]["internet"]["people"]
    assert "secret" not in json.dumps(target)
