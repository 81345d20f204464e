"""Roles made up by a test, read by the controller half of the engine."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from tests.converge.engine import plugin, record


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the engine remembers things while a test runs."""
    monkeypatch.setattr(record, "PENDING", str(tmp_path / "state/pending.json"))
    monkeypatch.setattr(record, "CONVERGED", str(tmp_path / "state/converged.json"))
    return tmp_path / "state"


class Roles:
    """A directory of roles; `write` takes paths below it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, path: str, content: str = "", mode: int = 0o644) -> Path:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(content))
        file.chmod(mode)
        return file

    def link(self, path: str, to: str) -> None:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(to)


class Controller:
    """The action plugin over those roles; what it sends to the host is kept, and answered as `found` says."""

    def __init__(self) -> None:
        self.module: ModuleType = plugin("action", "rootfs")
        self.sent: list[dict[str, Any]] = []
        self.found: dict[str, Any] = {}

    def run(
        self, *roles: str, diff: bool = False, variables: dict[str, Any] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        loader = DataLoader()
        task = SimpleNamespace(
            args={"roles": list(roles), **arguments},
            diff=diff,
            check_mode=False,
            async_val=0,
            _role=None,
            action="rootfs",
        )
        action = self.module.ActionModule(
            task, SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)), None, loader, Templar(loader=loader), None
        )
        action._execute_module = self._host
        result: dict[str, Any] = action.run(task_vars=variables or {})
        return result

    def entries(self, *roles: str, **variables: Any) -> dict[str, dict[str, Any]]:
        """What the roles declare, by path."""
        self.run(*roles, variables=variables)
        return {entry["path"]: entry for entry in self.sent[-1]["entries"]}

    def contents(self, *roles: str, **variables: Any) -> dict[str, str]:
        """What the roles' files are to contain, by path."""
        todo = {path: ["content"] for path in self.entries(*roles, **variables)}
        self.run(*roles, variables=variables, phase="apply", todo=todo)
        return {path: base64.b64decode(text).decode() for path, text in self.sent[-1]["contents"].items()}

    def _host(self, module_name: str, module_args: dict[str, Any], task_vars: object) -> dict[str, Any]:
        assert module_name == "bsw.core.rootfs"
        self.sent.append(module_args)
        if module_args["phase"] == "apply":
            return {"changed": True, "files": [entry["path"] for entry in module_args["entries"]]}
        nothing = {
            "changed": False, "files": {}, "before": {}, "missing": [], "outdated": {}, "unsettled": {},
            "unfinished": False,
        }  # fmt: skip
        return nothing | self.found


@pytest.fixture
def roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roles:
    monkeypatch.setattr(constants, "DEFAULT_ROLES_PATH", [str(tmp_path / "roles")])
    return Roles(tmp_path / "roles")


@pytest.fixture
def controller() -> Controller:
    return Controller()


Complaint = Callable[..., str]


@pytest.fixture
def complaint(controller: Controller) -> Complaint:
    """What the action says when it will not go on."""

    def said(*roles: str, **arguments: Any) -> str:
        with pytest.raises(controller.module.AnsibleActionFail) as refused:
            controller.run(*roles, **arguments)
        return str(refused.value)

    return said
