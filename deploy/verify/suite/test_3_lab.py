"""The whole path on bare hosts: up, again, by hand, killed, inspected, down."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import lab
from deploy.converge import packages
from deploy.lab import SSH_CONFIG, plan
from deploy.paths import REPOSITORY
from deploy.verify import alone

BSW = str(REPOSITORY / "bsw")


def bsw(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BSW, *arguments], capture_output=True, text=True, check=False)


def on(host: str, command: str) -> str:
    result = subprocess.run(
        ["ssh", "-F", str(SSH_CONFIG), host, command],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return result.stdout


def deployed(*arguments: str) -> dict[str, Any]:
    result = bsw("deploy", "--json", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    outcome: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return outcome


def machine() -> dict[str, set[str]]:
    """What the lab could leave behind on this machine."""

    def lines(*command: str) -> set[str]:
        return set(subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines())

    return {
        "namespaces": lines("ip", "netns", "list"),
        "links": {line.split()[1] for line in lines("ip", "-oneline", "link")},
        "mounts": {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()},
        "control groups": {str(group) for group in Path("/sys/fs/cgroup").rglob("*bsw*")},
        "firewall": lines("nft", "list", "ruleset"),
        "hosts": {line for line in lines("ps", "-eo", "pid,stat,comm") if "systemd-nspawn" in line and "Z" not in line},
        "sockets": {path for line in lines("ss", "-Hxl") for path in line.split() if "bsw" in path},
        "files": {str(path) for path in (Path("/run/bsw"),) if path.exists()},
    }


@pytest.fixture(scope="module")
def before() -> dict[str, set[str]]:
    lab.down()
    return machine()


@pytest.fixture(scope="module")
def up(before: dict[str, set[str]]) -> Iterator[subprocess.CompletedProcess[str]]:
    yield bsw("up")
    lab.down()


def test_up_proves_the_stack_on_bare_hosts(up: subprocess.CompletedProcess[str]) -> None:
    assert up.returncode == 0, up.stdout[-8000:] + up.stderr[-4000:]
    print(up.stdout[-3000:])


def test_a_second_deployment_changes_nothing(up: subprocess.CompletedProcess[str]) -> None:
    outcome = deployed()
    assert {name: host["changed"] for name, host in outcome["hosts"].items()} == dict.fromkeys(outcome["hosts"], 0)


def test_check_shows_exactly_what_was_changed_by_hand(up: subprocess.CompletedProcess[str]) -> None:
    on("stack", "echo '# meddled' >> /etc/postfix/main.cf")
    found = {name: host["files"] for name, host in deployed("--check")["hosts"].items() if host["changed"]}
    assert found == {"stack": ["/etc/postfix/main.cf"]}
    assert "-# meddled" in bsw("deploy", "--check").stdout
    assert deployed()["hosts"]["stack"]["files"] == ["/etc/postfix/main.cf"]
    assert "meddled" not in on("stack", "cat /etc/postfix/main.cf")


def test_a_library_older_than_the_bundles_is_upgraded_and_exactly_its_daemon_restarted(
    up: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    with older("libprotobuf-c1", "1.0.2~older", tmp_path).open("rb") as deb:
        install = "cat > /root/older.deb && dpkg -i --force-downgrade /root/older.deb && rm /root/older.deb"
        subprocess.run(["ssh", "-F", str(SSH_CONFIG), "reserve", install], stdin=deb, capture_output=True, check=True)
    found = deployed("--host", "reserve", "--check")["hosts"]["reserve"]
    assert [line.partition(" -> ")[0] for line in found["packages"]] == ["libprotobuf-c1 1.0.2~older"]
    assert deployed("--host", "reserve")["hosts"]["reserve"]["units"] == ["restart unbound.service"]
    assert deployed("--host", "reserve")["hosts"]["reserve"]["changed"] == 0
    assert "libprotobuf-c1" in on("reserve", "apt-mark showauto").split(), "still there for unbound only"


def older(package: str, version: str, directory: Path) -> Path:
    """A package of the bundle under an older version's number."""
    [deb] = (packages.DIRECTORY / "apt/pool").glob(f"{package}_*.deb")
    tree, made = directory / package, directory / "older.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    subprocess.run(["dpkg-deb", "--build", str(tree), str(made)], stdout=subprocess.DEVNULL, check=True)
    return made


def test_the_hosts_say_which_commit_converged_them(up: subprocess.CompletedProcess[str]) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert json.loads(on("stack", "cat /var/lib/bsw/converged.json"))["commit"].startswith(commit)


def test_the_view_from_inside_is_in_order_after_all_that(up: subprocess.CompletedProcess[str]) -> None:
    result = bsw("audit")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_program_that_calls_out_without_a_declaration_is_refused_counted_and_named(
    up: subprocess.CompletedProcess[str],
) -> None:
    rogue = on("stack", "runuser -u nobody -- bash -c 'exec 3<>/dev/tcp/198.18.10.14/443' 2>&1 || true")
    assert "No route to host" in rogue
    try:
        result = bsw("audit")
        assert result.returncode == 1
        [named] = [line for line in result.stdout.splitlines() if "nobody" in line]
        assert named.startswith("stack: ")
        assert "198.18.10.14" in named
    finally:
        on("stack", "systemctl reload nftables")
    assert bsw("audit").returncode == 0


def test_the_world_sees_the_records_that_should_be(up: subprocess.CompletedProcess[str]) -> None:
    result = bsw("dns", "check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_any_client_of_this_machine_can_be_pointed_at_the_stack(up: subprocess.CompletedProcess[str]) -> None:
    result = bsw(
        "lab", "exec", "--", "openssl", "s_client", "-connect", "mail.rijk.test:993", "-verify_return_error", "-brief"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Verification: OK" in result.stdout + result.stderr


def test_a_killed_supervisor_is_recognised_and_replaced(up: subprocess.CompletedProcess[str]) -> None:
    host = plan.bare("killed")
    lab.up([host])
    supervisor = json.loads((SSH_CONFIG.parent / "hosts.json").read_text())["killed"]["supervisor"]
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: {s.name: s.state for s in lab.status()}["killed"] == "dead", seconds=10)
    assert lab.up([host]) == ["killed"]
    assert on("killed", "hostname").strip() == "killed"
    assert lab.down(["killed"]) == ["killed"]


STAGES = {
    "install": "pgrep -x dpkg",
    "configure": "test -e /var/lib/bsw/pending.json",
    "activate": "systemctl is-active --quiet pdns && test -e /var/lib/bsw/pending.json",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_deployment_killed_on_its_way_is_finished_by_the_next(stage: str) -> None:
    alone.prepare("powerdns")
    try:
        process = subprocess.Popen([BSW, "test", "role-step", "converge", "powerdns"], stdout=subprocess.DEVNULL)
        reached(process, lambda: subprocess.run(
            ["ssh", "-F", str(SSH_CONFIG), "role-powerdns", STAGES[stage]], capture_output=True, check=False
        ).returncode == 0)  # fmt: skip
        process.kill()
        process.wait()
        assert not alone.run("powerdns").failures
        assert alone.run("powerdns").hosts["role-powerdns"].changed == 0
    finally:
        alone.discard("powerdns")


def until(true: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reached(process: subprocess.Popen[bytes], there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not there():
        assert process.poll() is None, "the deployment ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_down_leaves_nothing_behind(up: subprocess.CompletedProcess[str], before: dict[str, set[str]]) -> None:
    result = bsw("lab", "down")
    assert result.returncode == 0, result.stderr
    after = machine()
    assert {what: left - before[what] for what, left in after.items() if left - before[what]} == {}
