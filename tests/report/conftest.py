"""A run with something of everything."""

from __future__ import annotations

import pytest

from deploy.report import Flow, Memory, Observation, Result, Run


@pytest.fixture
def run() -> Run:
    return Run(
        inventory="lab", environment="lab", domain="rijk.test", started="2026-11-21T20:15:00+01:00", seconds=41.7,
        commit="0123456789ab",
        results=(
            Result("smoke_tests/test_imap.py::test_a_folder_can_be_made", ("MBGROUPWARE-09",), "passed", 0.21),
            Result("smoke_tests/test_imap.py::test_search_finds_words[attachment]", ("MBGROUPWARE-04",), "failed", 1.5,
                   "<b>nothing</b> was found"),
            Result("smoke_tests/test_sieve.py::test_absence", ("MBGROUPWARE-08",), "skipped", 0,
                   "no second organisation"),
            Result("smoke_tests/test_dns.py::test_signed", ("SOV-OPEN",), "passed", 0.1, "", ("dns/answer.txt",)),
        ),
        hosts={"stack": ("198.18.10.11", "fd00:18:10::11"), "outside": ("198.18.10.14",), "reserve": ("198.18.10.13",)},
        flows=(
            Flow("stack", "postfix", "postfix", ("any",), 25, "tcp", "mail to the world"),
            Flow("stack", "certificates", "root", ("198.18.10.14",), 14000, "tcp", "certificates"),
        ),
        audit=(
            Observation("SOV-RESIDENCE", "stack", "in NL", None, "registry"),
            Observation("SOV-EGRESS", "stack", "no undeclared flow", True, "nft counters"),
            Observation("SOV-OPEN", "stack", "client web need not use PKCE", True, "portal", "it sends no proof key"),
        ),
        memory=(
            Memory("stack", (("rspamd.service", 280.25), ("init.scope", 4.5))),
            Memory("reserve", (), "No route to host"),
        ),
        timings=(("install", 31.0), ("configure", 4.2)),
    )  # fmt: skip
