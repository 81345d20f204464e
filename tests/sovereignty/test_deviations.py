from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.paths import REPOSITORY
from deploy.report.results import Observation
from deploy.sovereignty import deviations
from deploy.sovereignty.asking import Said

FOLLOWS = {"RequirePKCE": 1, "AuthnRequireNonce": 1, "AuthMethod": "private_key_jwt", "RedirectUris": "https://a.test/"}
SOGO = {"client": "sogo", "reasons": {"PKCE": "it sends no proof key", "nonce": "it sends none"}}


def judged(found: dict[str, list[str]], *declared: dict[str, Any]) -> list[Observation]:
    return list(deviations.judge("stack", Said(0, json.dumps(found), ""), declared))


def test_a_deviation_with_a_reason_is_shown_with_it() -> None:
    assert judged({"sogo": ["PKCE"]}, SOGO) == [
        Observation(
            "SOV-OPEN", "stack", "OIDC NL GOV: client sogo need not use PKCE", True, "lemonldap's newest configuration",
            f"it sends no proof key ({deviations.DECISION})",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("found", [{"files": ["PKCE"]}, {"sogo": ["private_key_jwt"]}])
def test_a_client_may_not_do_less_without_a_reason(found: dict[str, list[str]]) -> None:
    [seen] = judged(found, SOGO)
    assert (seen.ok, seen.reason) == (False, "")


def test_a_declared_deviation_that_is_none_any_more_is_not_shown() -> None:
    [seen] = judged({"sogo": []}, SOGO)
    assert (seen.what, seen.ok) == ("OIDC NL GOV: proof key, nonce and private_key_jwt are demanded of sogo", True)


def test_a_configuration_that_cannot_be_read_is_unknown() -> None:
    [seen] = deviations.judge("stack", Said(1, "", "ls: cannot access"), [SOGO])
    assert (seen.ok, seen.reason) == (None, "")


def test_the_decision_stands_where_the_report_says() -> None:
    assert (REPOSITORY / deviations.DECISION).exists()


@pytest.mark.parametrize(
    ("options", "lacks"),
    [
        (FOLLOWS, []),
        (FOLLOWS | {"RequirePKCE": 0}, ["PKCE"]),
        ({"RedirectUris": "https://a.test/"}, ["PKCE", "nonce", "private_key_jwt"]),
        ({"RedirectUris": "", "AuthMethod": "client_secret_post"}, ["private_key_jwt"]),
    ],
)
def test_the_newest_configuration_says_what_each_client_may_leave_out(
    options: dict[str, Any], lacks: list[str], tmp_path: Path
) -> None:
    for number, fields in ((9, {}), (10, options)):
        client = {f"oidcRPMetaDataOptions{name}": value for name, value in fields.items()}
        document = {"oidcRPMetaDataOptions": {"app": client | {"oidcRPMetaDataOptionsClientSecret": "hidden"}}}
        (tmp_path / f"lmConf-{number}.json").write_text(json.dumps(document))
    command = deviations.COMMAND.replace("/var/lib/lemonldap/conf", str(tmp_path))
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert json.loads(said.stdout) == {"app": lacks}
