"""The way in: the ssh command line, one connection a host, and the facts that come over it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.hosts import connections, ssh
from deploy.hosts.connections import Connections
from deploy.inventory import Host
from tests.conftest import Put

QUIET = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"]
FACTS = Path(connections.__file__).with_name("facts.py")


def host(name: str = "een", **more: Any) -> Host:
    given: dict[str, Any] = {
        "name": name, "ipv4": "198.18.10.11", "ipv6": "fd00:18:10::11", "runs": (), "organisation": "proef",
        "fqdn": f"{name}.proef.test", "roles": ("base",),
    }  # fmt: skip
    return Host(**given | more)


# ---- the command line


def test_a_host_without_further_words_is_reached_at_its_address() -> None:
    assert ssh.command(host()) == ["ssh", *QUIET, "198.18.10.11"]


def test_the_inventorys_own_variables_are_followed() -> None:
    variables = {
        "ansible_port": 2222, "ansible_user": "root", "ansible_ssh_private_key_file": "/keys/id",
        "ansible_ssh_common_args": "-F '/run/lab/ssh config'", "ansible_ssh_extra_args": "-J gate.test",
    }  # fmt: skip
    line = ssh.command(host(ansible_host="een.mgmt.test", variables=variables), "-v")
    assert line == [
        "ssh", "-l", "root", "-p", "2222", "-i", "/keys/id", "-F", "/run/lab/ssh config", "-J", "gate.test",
        *QUIET, "-v", "een.mgmt.test",
    ]  # fmt: skip


# ---- connections


REAL_SSH_STAND_IN = """\
for last; do :; done
echo "$@" | tr '\\n' ' ' > "$0.asked"
exec sh -c "$last"
"""


def test_a_host_says_its_facts_over_a_connection_that_stays_open(program: Put) -> None:
    asked = Path(f"{program('ssh', REAL_SSH_STAND_IN)}.asked")
    with Connections([host()], packages_port=4711, names=["localhost"]) as open_ones:
        facts = open_ones.facts["een"]
        process = open_ones._open["een"]
        assert process.poll() is None
    assert open_ones.findings == []
    assert facts["user"] == os.geteuid()
    assert abs(facts["skew"]) < 10
    assert "127.0.0.1" in facts["resolved"]["localhost"]
    assert process.poll() is not None
    options = asked.read_text()
    assert "-o ExitOnForwardFailure=yes -R 127.0.0.1:8180:127.0.0.1:4711 " in options
    assert "-o ControlMaster=no -o ControlPath=none" in options


def test_without_packages_nothing_is_forwarded(program: Put) -> None:
    asked = Path(f"{program('ssh', REAL_SSH_STAND_IN)}.asked")
    with Connections([host()]):
        pass
    assert "-R" not in asked.read_text().split()


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("ssh: connect to host 198.18.10.11 port 22: Connection refused", "is the host up"),
        ("Error: remote port forwarding failed for listen port 8180", "another deployment is running"),
        ("bash: line 1: python3: command not found", "install python3-minimal there"),
    ],
)
def test_a_host_that_cannot_be_reached_is_a_finding_with_sshs_own_words(program: Put, said: str, remedy: str) -> None:
    program("ssh", f"echo 'a warning' >&2; echo '{said}' >&2; exit 255\n")
    with Connections([host()]) as open_ones:
        assert open_ones.facts == {}
        (finding,) = open_ones.findings
    assert (finding.where, finding.what) == ("een", f"not reachable by ssh: {said}")
    assert remedy in finding.remedy


def test_a_host_that_says_nothing_at_all_is_a_finding_too(program: Put) -> None:
    program("ssh", "exit 255\n")
    with Connections([host()]) as open_ones:
        assert open_ones.findings[0].what == "not reachable by ssh: no answer"


def test_a_login_that_prints_something_else_is_a_finding_with_its_words(program: Put) -> None:
    program("ssh", "echo 'Please login as the user debian rather than the user root.'; exec sleep 10\n")
    began = time.monotonic()
    with Connections([host()]) as open_ones:
        (finding,) = open_ones.findings
    assert (
        finding.what == "the login answers in its own words: Please login as the user debian rather than the user root."
    )
    assert "root must be able to log in with your key" in finding.remedy
    assert time.monotonic() - began < 5


def test_every_host_is_asked_at_once_and_each_that_fails_is_found(program: Put) -> None:
    program("ssh", """\
        for last; do :; done
        case "$*" in *192.0.2.*) echo "no route to host" >&2; exit 255;; esac
        exec sh -c "$last"
        """)  # fmt: skip
    hosts = [host("een"), host("twee", ipv4="192.0.2.2"), host("drie", ipv4="192.0.2.3")]
    with Connections(hosts) as open_ones:
        assert list(open_ones.facts) == ["een"]
        assert [finding.where for finding in open_ones.findings] == ["twee", "drie"]


# ---- facts


def facts(program: Put, *names: str, **programs: str) -> dict[str, Any]:
    for name, text in programs.items():
        program(name, text)
    run = subprocess.run(
        [sys.executable, str(FACTS), json.dumps(names)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


LISTENING = """\
cat <<'END'
LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))
LISTEN 0 128 [::]:22 [::]:* users:(("sshd",pid=1,fd=4))
LISTEN 0 511 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=2,fd=5))
LISTEN 0 511 *:8080 *:*
END
"""
ADDRESSES = """\
echo '[{"addr_info": [{"local": "127.0.0.1", "scope": "host"}]},
       {"addr_info": [{"local": "198.18.10.11", "scope": "global"},
                      {"local": "fd00:18:10::11", "scope": "global", "dadfailed": true}]}, {}]'
"""


def test_facts_of_this_machine_are_complete(program: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RES_OPTIONS", "timeout:1 attempts:1")
    found = facts(program, "localhost", "nowhere.invalid")
    assert set(found) == {
        "user", "release", "architecture", "memory", "disk", "clock", "addresses", "listeners", "begun",
        "came_from", "systemd", "resolved",
    }  # fmt: skip
    assert found["memory"] > 100 << 20
    assert set(found["disk"]) == {"/", "/var"}
    assert abs(found["clock"] - time.time()) < 30
    assert found["resolved"]["localhost"]
    assert found["resolved"]["nowhere.invalid"] == []


def test_occupied_ports_are_known_with_their_programs(program: Put) -> None:
    assert facts(program, ss=LISTENING)["listeners"] == {"22": "sshd", "8080": "?"}


def test_global_addresses_are_known_with_those_that_somebody_else_has(program: Put) -> None:
    assert facts(program, ip=ADDRESSES)["addresses"] == {"198.18.10.11": False, "fd00:18:10::11": True}


def test_a_machine_without_debians_tools_still_says_what_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run = subprocess.run(
        [sys.executable, str(FACTS), "[]"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert (found["architecture"], found["addresses"], found["listeners"]) == ("", {}, {})
    assert found["release"]


def test_the_connection_stays_open_until_the_controller_lets_go() -> None:
    with subprocess.Popen(
        [sys.executable, str(FACTS), "[]"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert json.loads(process.stdout.readline())
        process.stdin.write("x" * (1 << 20))  # more than a pipe holds: somebody reads
        process.stdin.close()
        assert process.wait(10) == 0
