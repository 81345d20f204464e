"""What a host has before the toolkit comes: the packages of its base image."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.bundle.hashes import sha256
from deploy.bundle.stanza import Stanza, stanzas
from deploy.errors import Finding, Refused

_REMEDY = "name the dpkg status file of the hosts' base image"


@dataclass(frozen=True)
class Base:
    """The base image, as far as packages go.

    Attributes:
        status: its dpkg status file, or None for a host that has nothing.
        architecture: the hosts' architecture.
        digest: SHA-256 over name, architecture and version of each installed package.
    """

    status: Path | None
    architecture: str
    digest: str

    @classmethod
    def read(cls, status: Path | None) -> Base:
        """Read dpkg's status file; without one the architecture is this machine's.

        Raises:
            Refused: the file cannot be read or names no installed package.
        """
        if status is None:
            return cls(None, _own_architecture(), _digest([]))
        try:
            installed = [s for s in stanzas(status.read_text()) if s.get("Status", "").endswith(" installed")]
        except OSError as error:
            raise Refused(Finding(str(status), error.strerror or str(error), _REMEDY)) from error
        architecture = next((s["Architecture"] for s in installed if s.get("Architecture", "all") != "all"), None)
        if not architecture:
            raise Refused(Finding(str(status), "no installed package in it", _REMEDY))
        return cls(status, architecture, _digest(installed))


def _digest(installed: list[Stanza]) -> str:
    names = sorted(f"{s['Package']}:{s['Architecture']}={s['Version']}\n" for s in installed)
    return sha256("".join(names).encode())


def _own_architecture() -> str:
    command = ["dpkg", "--print-architecture"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
