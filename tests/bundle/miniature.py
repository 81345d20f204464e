"""A Debian archive in miniature: a few tiny packages, signed as Debian signs, in a folder."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deploy.bundle import Bundle, Mirror, build
from deploy.bundle.key import SigningKey

BASE_STATUS = """\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.22.21

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


@dataclass
class Archive:
    """A Debian archive with the suites trixie, trixie-updates and trixie-security."""

    root: Path
    key: SigningKey
    keyring: Path
    packages: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def mirror(self) -> Mirror:
        return Mirror(f"file:{self.root}", f"file:{self.root}", self.keyring)

    def add(self, name: str, version: str, depends: str = "", suite: str = "trixie") -> Path:
        """Build a package with nothing in it but its own version and put it into a suite."""
        tree = self.root.parent / "deb" / f"{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "usr/share" / name).mkdir(parents=True)
        (tree / "usr/share" / name / "version").write_text(version)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: A <a@example.test>\n"
        control += f"Depends: {depends}\n" if depends else ""
        control += "Description: a test\n of a few\n .\n lines\n"
        (tree / "DEBIAN/control").write_text(control)
        (self.root / "pool").mkdir(parents=True, exist_ok=True)
        deb = self.root / "pool" / f"{name}_{version.rpartition(':')[2]}_amd64.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(deb)]
        subprocess.run(command, check=True, capture_output=True)
        self.packages.setdefault(suite, []).append(deb)
        return deb

    def withdraw(self, name: str) -> None:
        """Forget every version of a package; its files go too."""
        for suite, debs in self.packages.items():
            for deb in debs:
                if deb.name.startswith(f"{name}_"):
                    deb.unlink()
            self.packages[suite] = [deb for deb in debs if deb.exists()]

    def publish(self) -> None:
        """Write and sign the indexes."""
        for suite in ("trixie", "trixie-updates", "trixie-security"):
            index = "\n".join(map(self._stanza, self.packages.get(suite, []))).encode()
            folder = self.root / "dists" / suite
            (folder / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
            (folder / "main/binary-amd64/Packages").write_bytes(index)
            release = (
                f"Codename: {suite}\nSuite: {suite}\nArchitectures: amd64\nComponents: main\n"
                f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} UTC\n"
                f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages\n"
            )
            (folder / "InRelease").write_bytes(self.key.sign(release, datetime.now(UTC)))

    def _stanza(self, deb: Path) -> str:
        control = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True).stdout
        data = deb.read_bytes()
        where = f"Filename: pool/{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        return control + where


@dataclass
class Maker:
    """`build` with everything in the test's own folder; keeps what it was told on the way."""

    directory: Path
    archive: Archive
    base_status: Path
    key_home: Path
    sources: Path
    lines: list[str] = field(default_factory=list)

    def __call__(self, *packages: str, update: bool = False, directory: Path | None = None) -> Bundle:
        self.lines.clear()
        return build(
            packages,
            self.base_status,
            mirror=self.archive.mirror,
            update=update,
            progress=self.lines.append,
            directory=directory or self.directory,
            key_home=self.key_home,
            sources=self.sources,
        )

    def said(self, word: str) -> list[str]:
        return [line for line in self.lines if word in line]
