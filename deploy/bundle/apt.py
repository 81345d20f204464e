"""An apt of our own: it resolves and downloads for the hosts, and never touches the machine's own apt."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

from deploy.bundle.base import Base
from deploy.bundle.lock import Package
from deploy.bundle.stanza import stanzas
from deploy.errors import Finding, Refused

_CONFIGURATION = """\
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{state}/sources.list.d";
Dir::Etc::preferences "{state}/preferences";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::State "{state}";
Dir::State::lists "{state}/lists";
Dir::State::status "{status}";
Dir::Cache "{state}/cache";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::Retries "3";
"""

_MACHINE = re.compile(r"Acquire::(?:https?|ftp|Check-)", re.IGNORECASE)
"""How this machine reaches and trusts its mirror (proxies, certificates, archives of a past day) holds for us too."""

_URI = re.compile(r"'[^']*' (?P<file>\S+)_(?P<architecture>[^_ ]+)\.deb (?P<size>\d+) SHA256:(?P<sha256>\S+)")
_PIN = "Package: {0.name}\nPin: version {0.version}\nPin-Priority: 995\n"
_UNKNOWN = re.compile(r"Unable to locate package (\S+)|Package '?([^' ]+)'? has no installation candidate")
_CONNECTIONS = 4


class Apt:
    """One private apt state: sources, lists and caches in one folder.

    Args:
        state: the folder; lists that are there already are used again.
        base: what the hosts have.
        sources: where packages come from, deb822 text (sources.list(5)).
    """

    def __init__(self, state: Path, base: Base, sources: str) -> None:
        self._state = state
        for folder in ("sources.list.d", "lists/partial", "cache/archives/partial"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        (state / "nothing").touch()
        (state / "sources.list.d" / "bundle.sources").write_text(sources)
        configuration = _CONFIGURATION.format(
            state=state, status=base.status or state / "nothing", architecture=base.architecture
        )
        (state / "apt.conf").write_text(configuration + _machine())
        self._prefer([])

    def update(self) -> None:
        """Fetch the indexes; apt verifies their signatures.

        Raises:
            Refused: a source cannot be reached or is not signed by its key.
        """
        done = self._run("apt-get", "-q", "--error-on=any", "update")
        if done.returncode:
            remedy = "check the network, or set BSW_MIRROR and BSW_SECURITY_MIRROR"
            raise Refused([Finding("the Debian mirror", line, remedy) for line in _complaints(done)])

    def resolve(self, wanted: Sequence[str], keep: Iterable[Package] = ()) -> tuple[Package, ...]:
        """Say what apt would install for `wanted` on top of the base, without Recommends.

        Args:
            wanted: names of packages.
            keep: versions to be preferred where they can be had.

        Raises:
            Refused: a package is not known, or they do not fit together.
        """
        self._prefer(keep)
        done = self._run("apt-get", "-q", "-y", "--print-uris", "install", *wanted)
        if done.returncode:
            raise Refused(_why(done))
        return tuple(sorted(_package(match) for match in _URI.finditer(done.stdout)))

    def offered(self, names: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Say which versions of packages the sources have: name -> [(version, SHA-256)], best first."""
        offers: dict[str, list[tuple[str, str]]] = {}
        for stanza in stanzas(self._run("apt-cache", "show", *names).stdout):
            if "SHA256" in stanza:
                offers.setdefault(stanza["Package"], []).append((stanza["Version"], stanza["SHA256"]))
        return offers

    def download(self, packages: Sequence[Package], into: Path) -> None:
        """Download packages; apt verifies each against the signed index.

        Args:
            packages: exactly these versions.
            into: the folder; half a file that is there already is completed.

        Raises:
            Refused: a package could not be had.
        """
        largest_first = sorted(packages, key=lambda package: -package.size)
        groups = [group for n in range(_CONNECTIONS) if (group := largest_first[n::_CONNECTIONS])]
        running = [self._start("apt-get", "-qq", "download", *(p.pinned for p in group), cwd=into) for group in groups]
        try:
            done = [_finish(process) for process in running]
        finally:
            for process in running:
                process.kill()
        complaints = [line for one in done if one.returncode for line in _complaints(one)]
        if complaints:
            raise Refused([Finding("the Debian mirror", line, "run it again") for line in complaints])

    def _prefer(self, packages: Iterable[Package]) -> None:
        (self._state / "preferences").write_text("\n".join(map(_PIN.format, packages)))

    def _start(self, *command: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        environment = os.environ | {"APT_CONFIG": str(self._state / "apt.conf"), "LC_ALL": "C.UTF-8"}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=cwd, env=environment)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return _finish(self._start(*command))


def _finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    with process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _machine() -> str:
    dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    return "".join(f"{line}\n" for line in dump.splitlines() if _MACHINE.match(line))


def _package(match: re.Match[str]) -> Package:
    name, _, version = unquote(match["file"]).partition("_")
    return Package(name, version, match["architecture"], match["sha256"], int(match["size"]))


def _complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = [line[2:].strip() for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
    return lines or [f"{done.args[0]} ended with {done.returncode}"]


def _why(done: subprocess.CompletedProcess[str]) -> list[Finding]:
    unknown = [name for match in _UNKNOWN.finditer(done.stderr) for name in match.groups() if name]
    if unknown:
        return [Finding(name, "no such package in this release", "correct its name in the role") for name in unknown]
    unmet = re.findall(r"^ +\S+ : .*$", done.stdout, re.MULTILINE)
    reason = "; ".join([*_complaints(done), *(" ".join(line.split()) for line in unmet)])
    return [Finding("the wanted packages", reason, "leave one out, or try newer versions: `bsw bundle build --update`")]
