"""The base image: a minimal Debian 13 as a hoster delivers it, made once and cached."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from deploy.bundle.mirror import Mirror, discover
from deploy.errors import Finding, Refused
from deploy.paths import CACHE

PACKAGES = (
    "systemd-sysv", "dbus", "python3-minimal", "python3-apt", "openssh-server", "iproute2", "ca-certificates",
    "apt-utils", "sudo", "nftables", "procps", "kmod", "libpam-systemd", "gpgv",
)  # fmt: skip

LEFT_OUT = ("doc", "man", "locale", "info")

# A lab host has no console, no disks and no firmware of its own.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "systemd-networkd-wait-online.service", "console-getty.service", "getty@.service", "container-getty@.service",
    "systemd-firstboot.service", "systemd-remount-fs.service", "dev-hugepages.mount", "sys-kernel-debug.mount",
)  # fmt: skip


def base() -> Path:
    """The base image's directory; made on first use (about half a minute).

    Raises:
        Refused: if the package mirror cannot be used; the message is mmdebstrap's own.
    """
    image = CACHE / f"base-{_key()}"
    if image.is_dir():
        return image
    unfinished = image.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    _install(unfinished, discover())
    _prepare(unfinished)
    for stale in CACHE.glob("base-*"):
        if stale != unfinished:
            shutil.rmtree(stale)
    unfinished.rename(image)
    return image


def _key() -> str:
    """Changes whenever this module does: what is made here is what is cached."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def _install(image: Path, mirror: Mirror) -> None:
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in LEFT_OUT]
    result = subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", '--aptopt=Apt::Install-Recommends "false"', *excluded,
         f"--include={','.join(PACKAGES)}", "trixie", str(image), mirror.archive],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        shutil.rmtree(image, ignore_errors=True)
        said = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise Refused(Finding("lab image", f"mmdebstrap failed: {said}", "check the package mirror (BSW_MIRROR)"))


def _prepare(image: Path) -> None:
    def inside(*command: str) -> None:
        subprocess.run(["chroot", str(image), *command], check=True, capture_output=True)

    inside("systemctl", "-q", "enable", "systemd-networkd", "ssh")
    inside("systemctl", "-q", "mask", *MASKED)
    for identity in (*image.glob("etc/ssh/ssh_host_*"), image / "etc/resolv.conf", image / "etc/hostname"):
        identity.unlink(missing_ok=True)
    (image / "etc/machine-id").write_text("")
    # A bare machine has no package source until the toolkit gives it one.
    for source in (image / "etc/apt/sources.list", *image.glob("etc/apt/sources.list.d/*")):
        source.unlink(missing_ok=True)
    (image / "etc/ssh/sshd_config.d/lab.conf").write_text("UseDNS no\nPermitRootLogin prohibit-password\n")
