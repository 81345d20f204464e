"""Up, status, down, exec: what the lab's user calls."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.errors import Finding, Refused
from deploy.lab import cgroup, image, network
from deploy.lab.hosts import Keys, LabHost, start
from deploy.paths import RUN

DIRECTORY = RUN / "lab"
SSH_CONFIG = DIRECTORY / "ssh_config"
CA_BUNDLE = DIRECTORY / "ca-certificates.crt"
RESOLV_CONF = DIRECTORY / "resolv.conf"
_STATE = DIRECTORY / "hosts.json"
_BOOT_SECONDS = 120
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Status:
    """A host of the lab as it is: ``state`` is running, starting or dead."""

    name: str
    ipv4: str
    ipv6: str
    state: str


@dataclass
class _Record:
    """What the state file keeps of a host; written before the host is ready, so that a crash can be cleaned up."""

    name: str
    ipv4: str
    ipv6: str
    extra_addresses: list[str]
    supervisor: int
    started: int
    ready: bool

    @property
    def host(self) -> LabHost:
        return LabHost(self.name, self.ipv4, self.ipv6, tuple(self.extra_addresses))


def up(wanted: Iterable[LabHost]) -> list[str]:
    """Bring the wanted hosts up beside those that are; return the names of those that had to be started.

    Whatever a crash left is recognised and cleaned first: a host without supervisor, a supervisor without host, a
    torn state file. Hosts that run already are left alone.

    Raises:
        Refused: if the network has a way out, or a host does not boot.
    """
    base = image.base()
    with _locked():
        network.up()
        records = _sweep()
        keys = Keys(DIRECTORY)
        missing = [host for host in wanted if host.name not in records]
        network.forget_neighbours()
        with _readiness() as (notify, arrivals):
            for host in missing:
                pid = start(host, base=base, directory=DIRECTORY, keys=keys, notify=notify)
                records[host.name] = _Record(
                    **asdict(host) | {"extra_addresses": list(host.extra_addresses)},
                    supervisor=pid, started=_start_time(pid) or 0, ready=False,
                )  # fmt: skip
                _save(records)
            _write_client_files(keys, [r.host for r in records.values()])
            _await(records, {records[h.name].supervisor: h.name for h in missing}, arrivals)
    return [host.name for host in missing]


def down(names: Iterable[str] = ()) -> list[str]:
    """End the named hosts, or the whole lab; return what was ended. Leaves nothing behind."""
    with _locked():
        records = _sweep()
        ending = [name for name in names or list(cgroup.hosts()) if name in records]
        for name in ending:
            _close_ssh_master(name)
            cgroup.kill(name)
            _remove_directories(name)
            del records[name]
        _save(records)
        if not records:
            network.down()
            cgroup.remove_empty()
            shutil.rmtree(DIRECTORY)
            with contextlib.suppress(OSError):
                RUN.rmdir()
    return ending


def status() -> list[Status]:
    """Every host of the state file with its true state; changes nothing."""
    records = _load()
    return [Status(r.name, r.ipv4, r.ipv6, _state(r)) for r in records.values()]


def exec_prefix() -> list[str]:
    """The command line in front of any command of the controller that shall run inside the lab's network.

    Inside, ``/etc/resolv.conf`` names the lab's resolver and the trust store holds the lab's certificate authority,
    for this command alone.

    Raises:
        Refused: if the lab is not up, or its network has a way out.
    """
    if not network.exists():
        raise Refused(Finding("lab", "is not up", "run: ./bsw lab up"))
    network.assert_isolated()
    return ["nsenter", f"--net=/run/netns/{network.NAMESPACE}", sys.executable, "-m", "deploy.lab.inside"]


def inside_lab() -> str:
    """Move this process into the lab's network; whatever it connects to from now on stays there.

    Returns:
        The address of the lab's resolver.

    Raises:
        Refused: if the lab is not up, or its network has a way out.
    """
    exec_prefix()
    with Path("/run/netns", network.NAMESPACE).open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    return network.RESOLVER


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (RUN / "lab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if not DIRECTORY.exists():
                (RUN / "lab.lock").unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    RUN.rmdir()


def _load() -> dict[str, _Record]:
    """The state file; an absent or torn one is empty (its hosts are then found by their control groups)."""
    try:
        return {name: _Record(**fields) for name, fields in json.loads(_STATE.read_text()).items()}
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def _save(records: dict[str, _Record]) -> None:
    unfinished = _STATE.with_suffix(".new")
    unfinished.write_text(json.dumps({name: asdict(record) for name, record in records.items()}, indent=1))
    unfinished.replace(_STATE)


def _sweep() -> dict[str, _Record]:
    """The records of the hosts that run; everything else that is left of a host is ended and removed."""
    records = {name: record for name, record in _load().items() if _state(record) == "running"}
    for name in set(cgroup.hosts()) - set(records):
        _close_ssh_master(name)
        cgroup.kill(name)
    for kind in ("run", "seed"):
        for left in (DIRECTORY / kind).glob("*"):
            if left.name not in records:
                shutil.rmtree(left)
    _save(records)
    return records


def _state(record: _Record) -> str:
    alive = cgroup.populated(record.name) and _start_time(record.supervisor) == record.started
    if not alive:
        return "dead"
    return "running" if record.ready else "starting"


def _start_time(pid: int) -> int | None:
    """The process's start time in clock ticks since boot, None if it is gone or a zombie: guards against reused ids."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


@contextlib.contextmanager
def _readiness() -> Iterator[tuple[Path, socket.socket]]:
    """A socket on which hosts say READY=1 (sd_notify), with the sender's process id attached."""
    path = DIRECTORY / "notify"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as arrivals:
        arrivals.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        arrivals.bind(str(path))
        arrivals.settimeout(1)
        yield path, arrivals
    path.unlink()


def _await(records: dict[str, _Record], waiting: dict[int, str], arrivals: socket.socket) -> None:
    """Wait until each supervisor has said READY=1."""
    deadline = time.monotonic() + _BOOT_SECONDS
    while waiting:
        for pid, name in waiting.items():
            if _start_time(pid) is None or time.monotonic() > deadline:
                log = (DIRECTORY / f"{name}.log").read_text().strip().splitlines()[-1:]
                raise Refused(Finding(f"host {name}", f"does not boot: {' '.join(log) or 'no message'}"))
        with contextlib.suppress(TimeoutError):
            message, ancillary, _, _ = arrivals.recvmsg(4096, 1024)
            pid = struct.unpack("iII", ancillary[0][2][:12])[0]
            if b"READY=1" in message.splitlines() and pid in waiting:
                records[waiting.pop(pid)].ready = True
                _save(records)


def _write_client_files(keys: Keys, hosts: list[LabHost]) -> None:
    RESOLV_CONF.write_text(f"nameserver {network.RESOLVER}\noptions edns0 trust-ad timeout:2 attempts:2\n")
    (DIRECTORY / "known_hosts").write_text(keys.known_hosts(hosts))
    connect = Path(__file__).with_name("netns-connect")
    entries = "".join(f"Host {h.name} {h.ipv4}\n  HostName {h.ipv4}\n" for h in hosts)
    everyone = " ".join(f"{h.name} {h.ipv4}" for h in hosts) or "none"
    SSH_CONFIG.write_text(
        f"{entries}Host {everyone}\n"
        f"  User root\n  IdentityFile {keys.identity}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {DIRECTORY / 'known_hosts'}\n  StrictHostKeyChecking yes\n"
        f"  ProxyUseFdpass yes\n  ProxyCommand {connect} {network.NAMESPACE} %h %p\n"
        f"  ControlMaster auto\n  ControlPath {DIRECTORY}/cm-%C\n  ControlPersist 60\n"
    )


def _close_ssh_master(name: str) -> None:
    """A master connection outlives its host and would hang the clients of the next one at that address."""
    subprocess.run(["ssh", "-F", str(SSH_CONFIG), "-O", "exit", name], capture_output=True, check=False)


def _remove_directories(name: str) -> None:
    for kind in ("run", "seed"):
        shutil.rmtree(DIRECTORY / kind / name, ignore_errors=True)
    (DIRECTORY / f"{name}.log").unlink(missing_ok=True)
