"""Where Debian comes from: the controller's own mirror, so that no host name stands in the toolkit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.bundle.stanza import render, stanzas
from deploy.errors import Finding, Refused

CODENAME = "trixie"
"""The release that hosts run (Debian 13)."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's archive keys, from the package debian-archive-keyring."""

_RELEASES = {"bullseye", "bookworm", "trixie", "forky", "duke", "sid", "oldstable", "stable", "testing", "unstable"}


@dataclass(frozen=True)
class Mirror:
    """The two trees of the Debian archive.

    Attributes:
        archive: address of the tree with the suites `trixie` and `trixie-updates`.
        security: address of the tree with the suite `trixie-security`.
        keyring: the keys that must have signed both.
    """

    archive: str
    security: str
    keyring: Path = KEYRING

    def lines(self, codename: str = CODENAME) -> list[str]:
        """Return one-line apt sources (sources.list(5)), the form that mmdebstrap takes as its arguments."""
        return [
            f"deb {self.archive} {codename} main",
            f"deb {self.archive} {codename}-updates main",
            f"deb {self.security} {codename}-security main",
        ]

    def sources(self, codename: str = CODENAME) -> str:
        """Return the same as deb822 text, the form of `.sources` files, with the keyring named."""
        return f"{self._stanza(self.archive, codename, f'{codename}-updates')}\n" + self._stanza(
            self.security, f"{codename}-security"
        )

    def _stanza(self, uri: str, *suites: str) -> str:
        return render(
            {
                "Types": "deb",
                "URIs": uri,
                "Suites": " ".join(suites),
                "Components": "main",
                "Signed-By": str(self.keyring),
            }
        )


@dataclass(frozen=True)
class _Source:
    """One address of an apt source and what is read from there."""

    uri: str
    suites: frozenset[str]

    def is_archive(self) -> bool:
        return any(suite.removesuffix("-updates") in _RELEASES for suite in self.suites)

    def is_security(self) -> bool:
        return any(suite.removesuffix("-security") in _RELEASES - {suite} for suite in self.suites)


def discover(
    archive: str | None = None,
    security: str | None = None,
    *,
    etc_apt: Path = Path("/etc/apt"),
    environ: Mapping[str, str] = os.environ,
) -> Mirror:
    """Find the Debian mirror: the option, else BSW_MIRROR and BSW_SECURITY_MIRROR, else the machine's apt sources.

    Args:
        archive: address of the Debian archive, from an option.
        security: address of the security archive, from an option.
        etc_apt: the folder of the machine's apt configuration.
        environ: the environment.

    Raises:
        Refused: no address was given and the machine's sources hold none.
    """
    sources = list(_sources(etc_apt))
    archive = archive or environ.get("BSW_MIRROR") or _first(s.uri for s in sources if s.is_archive())
    security = security or environ.get("BSW_SECURITY_MIRROR") or _first(s.uri for s in sources if s.is_security())
    if archive and security:
        return Mirror(archive.rstrip("/"), security.rstrip("/"))
    lacking = [] if archive else [("archive", "BSW_MIRROR")]
    lacking += [] if security else [("security archive", "BSW_SECURITY_MIRROR")]
    raise Refused(
        [
            Finding(str(etc_apt), f"no apt source here is Debian's {tree}", f"set {variable} to a mirror's address")
            for tree, variable in lacking
        ]
    )


def _first(uris: Iterator[str]) -> str | None:
    return next(uris, None)


def _sources(etc_apt: Path) -> Iterator[_Source]:
    """Yield the sources of Debian itself, in apt's own order: sources.list, then sources.list.d by name."""
    parts = sorted((etc_apt / "sources.list.d").glob("*")) if (etc_apt / "sources.list.d").is_dir() else []
    for path in (etc_apt / "sources.list", *parts):
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".list":
            yield from _one_line(text)
        elif path.suffix == ".sources":
            yield from _deb822(text)


def _deb822(text: str) -> Iterator[_Source]:
    for stanza in stanzas(text):
        field = {name.lower(): value.split() for name, value in stanza.items()}
        if "deb" in field.get("types", []) and field.get("enabled", ["yes"])[0].lower() not in {"no", "false"}:
            signed_by = " ".join(field.get("signed-by", []))
            yield from _debian(field.get("uris", []), field.get("suites", []), field.get("components", []), signed_by)


_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>.*)$")


def _one_line(text: str) -> Iterator[_Source]:
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.partition("#")[0].strip()):
            options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
            components = match["components"].split()
            yield from _debian([match["uri"]], [match["suite"]], components, options.get("signed-by", ""))


def _debian(uris: list[str], suites: list[str], components: list[str], signed_by: str) -> Iterator[_Source]:
    """Drop what is not Debian's: other components, media in a drive, sources signed with somebody else's key."""
    if "main" in components and (not signed_by or "debian-archive" in signed_by):
        yield from (_Source(uri, frozenset(suites)) for uri in uris if not uri.startswith("cdrom:"))
