"""Each role alone on a bare host: converge, a second run that changes nothing, its own tests."""

from __future__ import annotations

import pytest

from deploy.verify import alone


@pytest.mark.parametrize("role", alone.names())
def test_role_alone(role: str) -> None:
    verdict = alone.verify(role)
    assert not verdict.problems, "\n".join(verdict.problems)
