from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.inventory.components import ROLE_ORDER
from deploy.report.results import Observation
from deploy.sovereignty.asking import Said
from deploy.sovereignty.phone_home import Check, checks, judge, of_host

CHECKS = checks()
FIELDS: dict[str, Any] = {"role": "base", "program": "sshd", "leaves": "names", "to": "the world", "command": "sshd -T"}

# What the programs say as Debian 13 ships them, or after a change that somebody may make; each must be found.
PHONING_HOME = {
    ("apt", "installed"): "http://archive.example.org/debian\n",
    ("the host", "statistics"): "dpkg installed\npopularity-contest installed\n",
    ("chrony", "time"): "2.debian.pool.ntp.org\n",
    ("systemd-timesyncd", "time"): "ActiveState=active\nUnitFileState=enabled\n",
    ("sshd", "names"): "port 22\nusedns yes\n",
    ("the host", "every name"): "127.0.0.1\n8.8.8.8\n",
    ("the C library", "names"): "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
    ("systemd-resolved", "names"): "ActiveState=inactive\nUnitFileState=enabled\n",
    ("unbound", "every name that"): ". IN forward 9.9.9.9\n",
    ("unbound", "names that"): ". IN stub prime ns1.test. 198.18.10.14\nexample.com. IN stub 203.0.113.9\n",
    ("unbound", "whole zones"): ".\tserial 2026112100\n",
    ("unbound", "RFC 8145"): "yes\n",
    ("unbound", "RFC 8509"): "yes\n",
    ("unbound", "RFC 7871"): "subnetcache validator iterator\n",
    ("unbound", "RFC 9156"): "no\n",
    ("unbound-anchor", "keys"): "unbound installed\nunbound-anchor installed\n",
    ("pdns", "version"): "# security-poll-suffix=secpoll.powerdns.com.\n",
    ("pdns", "measurements"): "carbon-server=203.0.113.9\n",
    ("pdns", "news"): "primary=yes\n# also-notify=\n",
    ("pdns", "zones, or"): "# secondary=no\n# autosecondary=no\nresolver=8.8.8.8\n",
    ("dehydrated", "names"): "https://acme-v02.api.letsencrypt.org/directory\n",
    ("pebble", "name"): "/usr/bin/pebble -config /etc/pebble/pebble.json ",
    ("slapd", "entries"): "olcDatabase={2}mdb\nolcSyncrepl\n",
    ("nginx", "OCSP"): "    server_name rijk.test;\n    proxy_pass https://203.0.113.9:8080;\n",
    ("postfix", "outgoing"): "[smtp.example.com]:587\n",
    ("postfix", "senders"): "mail_version = 3.10.4\nsmtpd_client_restrictions = reject_rbl_client zen.spamhaus.org\n",
    (
        "dovecot",
        "events",
    ): "dovecot_config_version = 2.4.1\nevent_exporter_http_post_url = https://stats.example.com/\n",
    ("rspamd", "hashes of every"): "Modules enabled: spf, fuzzy_check, dkim\n",
    ("rspamd", "send to asn"): "Modules enabled: spf, asn\n",
    ("rspamd", "and hashes of web"): "Modules enabled: rbl, spf\n",
    ("rspamd", "web addresses in messages to"): "*** Section phishing ***\nphishtank_enabled = true;\n",
    ("rspamd", "text of"): "Modules enabled: spf, gpt\n",
    ("rspamd", "rules"): "Modules enabled: rspamd_update, spf\n",
    ("rspamd", "following"): "Modules enabled: url_redirector\n",
    ("rspamd", "data about"): "Modules enabled: elastic\n",
    ("rspamd", "lists to maps"): "41 sections\nhttps://maps.rspamd.com\n",
    ("rspamd", "looks up"): 'nameserver [\n    "8.8.8.8:53",\n]\n',
    ("freshclam", "version"): 'DNSDatabaseInfo = "current.cvd.clamav.net"\nDatabaseMirror = "database.clamav.net"\n',
    ("lemonldap", "new passwords"): "checkHIBP = 1\ncrowdsec = 0\n",
    ("sogo", "pictures, asked"): "  SOGoGravatarEnabled = NO;\n  SOGoExternalAvatarsEnabled = YES;\n",
    ("sogo", "names of meetings"): "  SOGoCalendarEnableJitsiLink = YES;\n",
    ("sogo", "when a mail is read"): "  SOGoMailDisplayRemoteInlineImages = always;\n",
}

# What they say when they are quiet.
QUIET = {
    "apt-get indextargets": "",
    "/etc/nsswitch.conf": "hosts: files dns\n",
    "unbound-control list_stubs": ". IN stub prime ns1.test. 198.18.10.14\n",
    "pdns_control current-config": (
        "security-poll-suffix=\n# carbon-server=\n# primary=no\n# also-notify=\n# secondary=no\n# autosecondary=no\n"
    ),
    "slapcat of cn=config": "olcDatabase={-1}frontend\nolcDatabase={0}config\nolcDatabase={1}mdb\nolcDatabase={2}mdb\n",
    "nginx -T": "    server_name rijk.test;\n    access_log syslog:server=unix:/run/systemd/journal/dev-log bsw;\n",
    "doveconf -n": "dovecot_config_version = 2.4.1\nldap_uris = ldapi:///\n",
    "rspamadm configdump -m": "Modules enabled: spf, dkim, phishing, metadata_exporter\n",
    "lemonldap's newest configuration": "checkHIBP = 0\ncrowdsec = 0\n",
    "sogo.conf": (
        "  SOGoMailDisplayRemoteInlineImages = never;\n  SOGoCalendarEnableJitsiLink = YES;\n"
        '  SOGoCalendarJitsiBaseUrl = "https://overleg.rijk.test";\n'
        "  SOGoGravatarEnabled = NO;\n  SOGoExternalAvatarsEnabled = NO;\n"
    ),
    "systemctl show clamav-freshclam, clamconf": 'DatabaseCustomURL = "https://mirror.rijk.test/daily.cvd"\n',
}


def the(program: str, part: str) -> Check:
    """The one check of a program in whose words a part occurs."""
    [found] = [check for check in CHECKS if check.program == program and part in f"{check.leaves} to {check.to}"]
    return found


def judged(check: Check, out: str, tree: Path = Path("nowhere")) -> Observation:
    return judge(check, "stack", Said(0, out, ""), tree)


@pytest.mark.parametrize("key", PHONING_HOME, ids=" ".join)
def test_a_program_that_phones_home_is_found(key: tuple[str, str]) -> None:
    seen = judged(the(*key), PHONING_HOME[key])
    assert seen.ok is False
    assert seen.requirement == "SOV-EGRESS"
    assert "may send" in seen.what


def test_each_check_has_been_seen_to_fail() -> None:
    assert {the(*key).leaves + the(*key).program for key in PHONING_HOME} == {c.leaves + c.program for c in CHECKS}


@pytest.mark.parametrize("check", [c for c in CHECKS if c.shown_by in QUIET], ids=lambda c: f"{c.program} {c.leaves}")
def test_a_quiet_program_is_in_order(check: Check) -> None:
    seen = judged(check, QUIET[check.shown_by])
    assert seen.ok is True, seen
    assert "does not send" in seen.what


@pytest.mark.parametrize(
    ("program", "part", "words"),
    [
        ("nginx", "OCSP", "    server_name a;\n    proxy_pass   http://127.0.0.1.example.com/;\n"),
        ("nginx", "OCSP", "    server_name a;\n    resolver 127.0.0.1 8.8.8.8;\n"),
        ("dovecot", "events", "dovecot_config_version = 2.4.1\noauth2_grant_url = https://localhost.example.com/\n"),
        ("rspamd", "lists to maps", "41 sections\nhttps://localhost.example.com\n"),
    ],
)
def test_a_name_that_only_begins_like_this_host_is_found(program: str, part: str, words: str) -> None:
    assert judged(the(program, part), words).ok is False


@pytest.mark.parametrize("program", ["chrony", "dehydrated"])
def test_a_program_that_runs_but_says_nothing_is_unknown(program: str, tmp_path: Path) -> None:
    [check] = [check for check in CHECKS if check.program == program]
    command = check.command.replace("[ -e /etc/dehydrated/config ]", "true")
    said = run(check.model_copy(update={"command": command}), tmp_path, systemctl="", chronyc="", dehydrated="")
    assert judge(check, "stack", said, tmp_path).ok is None


def test_nginx_may_pass_requests_to_programs_of_the_same_host() -> None:
    words = """
        server_name a;
        proxy_pass   http://127.0.0.1:8080;
        proxy_pass http://unix:/run/a.sock;
        resolver  127.0.0.1:53 [::1] valid=30s;
    """
    assert judged(the("nginx", "OCSP"), words).ok


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: f"{c.program} {c.leaves}")
def test_a_command_that_fails_proves_nothing(check: Check) -> None:
    seen = judge(check, "stack", Said(1, "no\nyes\n", "unbound-control: connection refused\n"), Path("nowhere"))
    assert seen.ok is None
    assert "not known whether" in seen.what
    assert seen.evidence.endswith("connection refused")


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: f"{c.program} {c.leaves}")
def test_a_command_is_one_that_a_shell_can_read(check: Check) -> None:
    subprocess.run(["bash", "-n", "-c", check.command], check=True)


def test_checks_belong_to_roles_that_exist() -> None:
    assert {check.role for check in CHECKS} <= set(ROLE_ORDER)


def test_only_programs_of_a_hosts_roles_are_asked() -> None:
    assert {check.role for check in of_host(["base", "powerdns"])} == {"base", "powerdns"}
    assert of_host([]) == ()


def test_a_value_that_the_inventory_chose_is_in_order(tmp_path: Path) -> None:
    (tmp_path / "etc/chrony").mkdir(parents=True)
    (tmp_path / "etc/chrony/chrony.conf").write_text(
        "server ntppool1.time.nl iburst nts\nserver ntppool2.time.nl iburst nts\n"
    )
    chrony = the("chrony", "time")
    assert judged(chrony, "ntppool1.time.nl\nntppool2.time.nl\n", tmp_path).ok
    seen = judged(chrony, "ntppool1.time.nl\ntime.google.com\n", tmp_path)
    assert seen.ok is False
    assert seen.evidence.endswith("time.google.com is not declared")


def test_an_address_is_the_same_with_and_without_a_slash(tmp_path: Path) -> None:
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list.d/security.sources").write_text("URIs: https://mirror.nl/debian-security/\n")
    assert judged(the("apt", "installed"), "https://mirror.nl/debian-security\n", tmp_path).ok


def test_evidence_is_one_short_line() -> None:
    seen = judged(Check.model_validate(FIELDS | {"must_not": [".*"]}), "x" * 1000)
    assert len(seen.evidence) < 250
    assert "\n" not in seen.evidence


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (FIELDS, "a check needs must, must_not or only"),
        (FIELDS | {"must": ["a"], "mustnot": ["b"]}, "Extra inputs are not permitted"),
        ({"role": "base", "must": ["a"]}, "Field required"),
        (FIELDS | {"must": ["("]}, "unterminated subpattern"),
    ],
)
def test_a_mistake_in_the_data_file_is_refused(entry: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        checks([entry])


def run(check: Check, tmp_path: Path, **programs: str) -> Said:
    """Run a check's command with stand-ins for the host's programs."""
    for name, script in programs.items():
        program = tmp_path / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", check.command], capture_output=True, text=True, check=False,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def test_addresses_of_what_rspamd_has_switched_off_do_not_count(tmp_path: Path) -> None:
    configuration: dict[str, Any] = {str(n): {} for n in range(12)} | {
        "group": {"description": "see https://knowledge.validity.com"},
        "rspamd_update": {"enabled": False, "rules": "sign+https://updates.rspamd.com/rspamd.ucl"},
        "multimap": [{"A": {"map": ["glob;https://maps.rspamd.com/free.txt.zst", "fallback+file:///etc/maps/free"]}}],
    }
    check = the("rspamd", "lists to maps")
    said = run(check, tmp_path, rspamadm=f"cat <<'E'\n{json.dumps(configuration)}\nE")
    assert said.out == "15 sections\nhttps://maps.rspamd.com\n"
    assert judge(check, "stack", said, tmp_path).ok is False


def test_dovecot_may_ask_the_organisations_own_portal_and_its_password_is_not_told(tmp_path: Path) -> None:
    def said(address: str) -> Said:
        words = (
            f"dovecot_config_version = 2.4.1\noauth2_introspection_url = https://dovecot:geheim@{address}/introspect\n"
        )
        return run(the("dovecot", "events"), tmp_path, doveconf=f"printf '{words}'", hostname="echo rijk.test")

    own, foreign = said("sso.rijk.test"), said("sso.rijk.test.example.com")
    assert judge(the("dovecot", "events"), "stack", own, tmp_path).ok
    assert judge(the("dovecot", "events"), "stack", foreign, tmp_path).ok is False
    assert "geheim" not in own.out + foreign.out


def test_a_broken_rspamd_is_unknown(tmp_path: Path) -> None:
    check = the("rspamd", "lists to maps")
    assert judge(check, "stack", run(check, tmp_path, rspamadm="echo broken >&2; exit 1"), tmp_path).ok is None


def test_package_sources_on_the_administrators_connection_do_not_leave(tmp_path: Path) -> None:
    sites = "http://127.0.0.1:8180/apt\nhttp://127.0.0.1.example.com/apt\nhttps://archive.example.org/debian/\nfile:/srv/apt"
    said = run(the("apt", "installed"), tmp_path, apt_get=f"printf '{sites}\n'")
    assert said.out.splitlines() == ["http://127.0.0.1.example.com/apt", "https://archive.example.org/debian"]


@pytest.mark.parametrize(
    ("state", "quiet"), [("inactive", True), ("active", False), ("activating", False), ("enabled", False)]
)
def test_freshclam_that_runs_is_asked_where_it_looks(tmp_path: Path, state: str, quiet: bool) -> None:
    check = the("freshclam", "version")
    clamconf = "echo 'DatabaseMirror = \"database.clamav.net\"'"
    said = run(check, tmp_path, systemctl=f"echo ActiveState={state}", clamconf=clamconf)
    assert judge(check, "stack", said, tmp_path).ok is quiet
