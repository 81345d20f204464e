"""One lab host: what it finds on its disk at its first boot, and how it is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from deploy.lab import cgroup, network

# Inside a mount namespace of its own, so that no mount outlives the host's last process.
_BOOT = """
set -e
mount -t tmpfs -o size=12g,mode=755 lab "$RUN"
mkdir "$RUN/root" "$RUN/upper" "$RUN/work"
cp -a "$SEED/." "$RUN/upper/"
mount -t overlay -o "lowerdir=$BASE,upperdir=$RUN/upper,workdir=$RUN/work" overlay "$RUN/root"
exec systemd-nspawn "$@"
"""


@dataclass(frozen=True)
class LabHost:
    """A host's name and its addresses inside the lab."""

    name: str
    ipv4: str
    ipv6: str
    extra_addresses: tuple[str, ...] = field(default=())


class Keys:
    """The lab's ssh identities, made once and kept as long as the lab's directory."""

    def __init__(self, directory: Path) -> None:
        self.identity = directory / "id"
        self._hosts = directory / "host-keys"
        _make_key(self.identity, "bsw-lab")

    @property
    def authorized(self) -> str:
        """The public key that every host accepts."""
        return self.identity.with_suffix(".pub").read_text()

    def of_host(self, name: str) -> Path:
        """The host's private key; its public half lies beside it."""
        key = self._hosts / name
        _make_key(key, name)
        return key

    def known_hosts(self, hosts: list[LabHost]) -> str:
        """The hosts' public keys, known before their first boot."""
        return "".join(
            f"{h.name},{h.ipv4},{h.ipv6} {self.of_host(h.name).with_suffix('.pub').read_text()}" for h in hosts
        )


def seed(host: LabHost, root: Path, keys: Keys) -> None:
    """Write what makes a host this host, as a hoster's installer would: name, network, ssh keys."""

    def put(path: str, text: str, mode: int = 0o644) -> None:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    addresses = [f"{host.ipv4}/{network.PREFIX[0]}", f"{host.ipv6}/{network.PREFIX[1]}"]
    addresses += [f"{a}/{network.PREFIX[1] if ':' in a else network.PREFIX[0]}" for a in host.extra_addresses]
    put("etc/hostname", f"{host.name}\n")
    put("etc/machine-id", uuid.uuid5(uuid.NAMESPACE_DNS, f"{host.name}.bsw-lab").hex + "\n", 0o444)
    put("etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {host.name}\n")
    put("etc/resolv.conf", f"nameserver {network.CONTROLLER[0]}\n")
    put(
        "etc/systemd/network/10-host0.network",
        "[Match]\nName=host0\n\n[Network]\n"
        + "".join(f"Address={address}\n" for address in addresses)
        + "IPv6AcceptRA=no\nLLMNR=no\nMulticastDNS=no\nIPv6DuplicateAddressDetection=0\n",
    )
    put("root/.ssh/authorized_keys", keys.authorized, 0o600)
    for private in (root / "root", root / "root/.ssh"):
        private.chmod(0o700)
    key = keys.of_host(host.name)
    put("etc/ssh/ssh_host_ed25519_key", key.read_text(), 0o600)
    put("etc/ssh/ssh_host_ed25519_key.pub", key.with_suffix(".pub").read_text())


def start(host: LabHost, *, base: Path, directory: Path, keys: Keys, notify: Path) -> int:
    """Boot the host and return its supervisor's process id; READY=1 comes to ``notify`` when it is up."""
    run, root = directory / "run" / host.name, directory / "seed" / host.name
    for fresh in (run, root):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
    seed(host, root, keys)
    environment = {
        "PATH": os.environ["PATH"], "RUN": str(run), "SEED": str(root), "BASE": str(base), "NOTIFY_SOCKET": str(notify),
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_LOG_LEVEL": "warning",
    }  # fmt: skip
    with (directory / f"{host.name}.log").open("w") as log:
        return subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{network.NAMESPACE}", "unshare", "--mount", "--propagation", "private",
             "sh", "-c", _BOOT, "sh", "--boot", "--quiet", "--register=no", "--keep-unit", "--settings=no",
             "-D", str(run / "root"), "-M", host.name, f"--network-bridge={network.BRIDGE}", "--link-journal=no",
             "--resolv-conf=off", "--timezone=off", "--console=read-only", "--notify-ready=yes"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
            preexec_fn=lambda: cgroup.enter(host.name),  # noqa: PLW1509  (single-threaded here)
        ).pid  # fmt: skip


def _make_key(path: Path, comment: str) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)
