"""Where pages send the browser: a page may ask our own names, and nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients.browser import Chromium, Visitor
from smoke_tests.people import Account
from smoke_tests.target import Organisation


@pytest.mark.requirement("SOV-EGRESS")
def test_no_request_of_any_page_leaves_the_stacks_own_names(
    visitor: Callable[[], Visitor], chromium: Chromium, home: Organisation, bram: Account, evidence: Evidence
) -> None:
    """Every page of every test of this run before it, or, if it runs alone, the main ones."""
    if not chromium.asked:
        somebody = visitor()
        somebody.log_in(bram)
        somebody.open_webmail()
        somebody.open_calendar()
    evidence.keep("hosts.txt", "\n".join(sorted(chromium.asked)))
    assert {home.served("sso"), home.served("groupware")} <= set(chromium.asked)
    foreign = {host: address for host, address in chromium.asked.items() if host not in home.names.values()}
    assert foreign == {}
