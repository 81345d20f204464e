"""SOGo without directory, database and portal: what is open, to whom, and what its configuration says."""

import re
from typing import Any

import pytest

CONFIGURATION = "/etc/sogo/sogo.conf"
ASK = "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=20); "


@pytest.fixture(scope="module")
def effective(host: Any) -> dict[str, str]:
    """Settings of the file, secrets left out."""
    text = host.check_output(f"sed -E 's,//[^@]*@,//,; /Secret|Password/d' {CONFIGURATION}")
    return {name: value.strip('"') for name, value in re.findall(r"^\s*(\w+) = (.*?);$", text, re.MULTILINE)}


def answers(host: Any, port: int, path: str) -> int:
    """Status of a GET, asked on the host itself."""
    program = ASK + "c.request('GET', sys.argv[2]); print(c.getresponse().status)"
    return int(host.check_output("python3 -c %s %s %s", program, str(port), path))


def test_both_instances_answer(host: Any) -> None:
    # without database and directory not what was asked for, but an answer of SOGo's own
    assert answers(host, 20000, "/SOGo/so/nobody/Mail/view") in (200, 302, 401, 403, 404, 500, 501)
    assert answers(host, 20001, "/SOGo/dav/") == 401


def test_nothing_listens_but_on_loopback(host: Any) -> None:
    lines = [line for line in host.check_output("ss -Hlntup").splitlines() if re.search(r"sogod|memcached", line)]
    assert {line.split()[4] for line in lines} == {"127.0.0.1:20000", "127.0.0.1:20001"}


def test_the_cache_is_for_sogo_alone(host: Any) -> None:
    socket = host.file("/run/memcached/sogo.sock")
    assert (socket.is_socket, socket.user, socket.group, socket.mode) == (True, "memcache", "memcache", 0o660)
    assert "memcache" in host.user("sogo").groups
    members = host.check_output("getent group memcache").rsplit(":", 1)[1]
    assert members == "sogo"


def test_the_configuration_is_for_sogo_alone(host: Any) -> None:
    file = host.file(CONFIGURATION)
    assert (file.user, file.group, file.mode) == ("root", "sogo", 0o640)


def test_no_secret_stands_on_a_command_line(host: Any) -> None:
    secrets = set(re.findall(r"(?:Password|Secret) = \"([^\"]+)\"", host.file(CONFIGURATION).content_string))
    assert len(secrets) == 2
    running = host.check_output("ps -eo args")
    assert not [secret for secret in secrets if secret in running]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SOGoExternalAvatarsEnabled", "NO"),
        ("SOGoGravatarEnabled", "NO"),
        ("SOGoCalendarEnableJitsiLink", "NO"),
        ("SOGoMailDisplayRemoteInlineImages", "never"),
        ("SOGoLanguage", "Dutch"),
        ("SOGoTimeZone", "Europe/Amsterdam"),
        ("SOGoFirstDayOfWeek", "1"),
        ("SOGoAuthenticationType", "openid"),
        ("NGImap4AuthMechanism", "xoauth2"),
        ("SOGoMailAuxiliaryUserAccountsEnabled", "NO"),
        ("hostname", "ldapi:///"),
    ],
)
def test_effective_setting(effective: dict[str, str], setting: str, value: str) -> None:
    assert effective[setting] == value


def test_a_configuration_with_a_mistake_is_refused(host: Any) -> None:
    assert host.run(f"plparse {CONFIGURATION}").rc == 0
    spoiled = f"sed 's/SOGoLanguage =/SOGoLanguage/' {CONFIGURATION} > $f; plparse $f"
    assert host.run(f'f=$(mktemp); trap "rm $f" EXIT; {spoiled}').rc != 0


def test_a_stop_takes_seconds_and_is_no_failure(host: Any) -> None:
    try:
        host.check_output("timeout 10 systemctl stop sogo-clients.service")
        assert host.check_output("systemctl show -P Result sogo-clients.service") == "success"
        assert host.check_output("systemctl is-active sogo.service") == "active"
    finally:
        host.check_output("systemctl start sogo-clients.service")


def test_what_nobody_uses_is_cleared_away(host: Any) -> None:
    assert host.check_output("systemctl is-active sogo-sessions.timer") == "active"
