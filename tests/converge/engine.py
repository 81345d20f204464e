"""The engine's plugins as plain Python, and a stand-in for the host that Ansible runs its modules on."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from deploy.paths import COLLECTIONS

PLUGINS = COLLECTIONS / "ansible_collections" / "bsw" / "core" / "plugins"
_numbers = itertools.count()

sys.path.append(str(COLLECTIONS))
record: Any = importlib.import_module("ansible_collections.bsw.core.plugins.module_utils.record")

Answer = tuple[int, str, str]


def plugin(kind: str, name: str) -> ModuleType:
    """A fresh copy of a plugin, whose constants a test may change."""
    spec = importlib.util.spec_from_file_location(f"bsw_{kind}_{name}_{next(_numbers)}", PLUGINS / kind / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Ended(SystemExit):
    """A module has said its result; like Ansible's own, it ends the program."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.result = result
        super().__init__(1 if result.get("failed") else 0)


class FakeModule:
    """An AnsibleModule whose commands are answered by a function."""

    def __init__(self, answer: Callable[[list[str]], Answer] = lambda _: (0, "", ""), **params: Any) -> None:
        self.params = params
        self.commands: list[list[str]] = []
        self.run_command_environ_update: dict[str, str] = {}
        self._answer = answer

    def run_command(self, command: list[str], **_: Any) -> Answer:
        self.commands.append(command)
        return self._answer(command)

    def exit_json(self, **result: Any) -> NoReturn:
        raise Ended(result)

    def fail_json(self, **result: Any) -> NoReturn:
        raise Ended({"failed": True, **result})


def result_of(run: Callable[[Any], object], module: FakeModule) -> dict[str, Any]:
    """What a module says in the end."""
    try:
        run(module)
    except Ended as ended:
        return ended.result
    raise AssertionError("the module said no result")
