"""What happened, as JSON lines in the file that BSW_EVENTS names: progress and results of the command line."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: events
type: stdout
short_description: what happened, as JSON lines
description: One line for each task that begins and for each result, in the file that BSW_EVENTS names.
"""

KEPT = (
    "changed", "msg", "files", "missing", "outdated", "unsettled", "unfinished", "units", "unit", "journal", "file",
    "diff", "seconds", "results", "stderr", "stdout",
)  # fmt: skip


class CallbackModule(CallbackBase):
    """Writes events; prints nothing."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "bsw.core.events"

    def __init__(self) -> None:
        super().__init__()
        self._file = open(os.environ.get("BSW_EVENTS", os.devnull), "a", buffering=1, encoding="utf-8")  # noqa: SIM115

    def _write(self, event: str, **fields: t.Any) -> None:
        self._file.write(json.dumps({"event": event, "at": time.time(), **fields}, default=str) + "\n")

    def _result(self, event: str, result: t.Any, **fields: t.Any) -> None:
        task = result.task
        kept = {key: value for key, value in result.result.items() if key in KEPT}
        if task.no_log or result.result.get("_ansible_no_log"):
            kept = {"changed": kept.get("changed"), "msg": "hidden (no_log)"}
        role = task._role.get_name() if task._role else None
        host = result.host.get_name()
        self._write(event, host=host, task=task.get_name(), action=task.action, role=role, result=kept, **fields)

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._write("task", task=task.get_name())

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._result("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._result("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._result("unreachable", result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._write("end", hosts={host: stats.summarize(host) for host in stats.processed})
