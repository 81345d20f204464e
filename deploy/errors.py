"""The one way to say no: what is wrong, where, and what to do; exit code 2."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, in the words of the person who has to mend it.

    Attributes:
        where: ``file:line``, a host's name, or the name of an option.
        what: what is wrong, with the value that was found.
        remedy: what to do about it.
    """

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """One line: where, what, what to do."""
        return f"{self.where}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")


class Refused(Exception):  # noqa: N818  (a decision, not an error)
    """The toolkit will not go on; nothing was changed. The command line prints each finding and exits with 2."""

    def __init__(self, findings: Sequence[Finding] | Finding) -> None:
        self.findings = [findings] if isinstance(findings, Finding) else sorted(findings, key=_as_read)
        super().__init__("\n".join(map(str, self.findings)))


def _as_read(finding: Finding) -> list[tuple[int, str]]:
    """Line 2 comes before line 10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", str(finding))]
