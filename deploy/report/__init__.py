"""What a run leaves behind.

`smoke` runs the suite and writes the report; `write` makes one from a `Run`; `verdicts` says what follows from results.
"""

from deploy.report.page import smoke_result, write
from deploy.report.results import Flow, Memory, Observation, Requirement, Result, Run, requirements, verdicts
from deploy.report.run import REPORTS, smoke

__all__ = [
    "REPORTS", "Flow", "Memory", "Observation", "Requirement", "Result", "Run", "requirements", "smoke",
    "smoke_result", "verdicts", "write",
]  # fmt: skip
