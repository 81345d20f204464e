"""The portal in a real browser: what somebody sees, types and clicks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from deploy.report.evidence import Evidence
from smoke_tests.clients.browser import Visitor
from smoke_tests.people import Account
from smoke_tests.target import Organisation


@pytest.mark.requirement("MBPORTAL-01", "MBPORTAL-03", "MBPORTAL-06", "MBGROUPWARE-01")
def test_one_password_opens_portal_webmail_and_calendar(
    visitor: Callable[[], Visitor], home: Organisation, bram: Account, evidence: Evidence
) -> None:
    somebody = visitor()
    page = somebody.log_in(bram)
    expect(page.get_by_text(bram.name)).to_be_visible()
    expect(page.get_by_role("link", name="E-mail en agenda")).to_be_visible()
    evidence.keep("portal.png", page.screenshot())
    somebody.open_webmail()
    evidence.keep("webmail.png", page.screenshot())
    somebody.open_calendar()
    evidence.keep("calendar.png", page.screenshot())
    assert somebody.password_sent_to == [home.served("sso")]
