"""Runs ON a host, sent over ssh (Python 3 standard library only): prints its facts as one JSON line, then waits.

It waits for the end of its input, so that the connection, and the port forward on it, stay open as long as the
controller wants. Argument: a JSON list of names to resolve.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path


def run(*command: str) -> str:
    """Output of a command; empty if it fails or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def listeners() -> dict[str, str]:
    """Occupied TCP ports with the program that holds each; on loopback a cloud image's own resolver may listen."""
    found = {}
    for line in run("ss", "-Hltnp").splitlines():
        fields = line.split()
        address, port = fields[3].rsplit(":", 1)
        if not address.startswith(("127.", "[::1]")):
            found[port] = fields[-1].split('"')[1] if '"' in fields[-1] else "?"
    return found


def resolves(name: str) -> list[str]:
    """Addresses of a name; empty if it has none."""
    try:
        return sorted({str(answer[4][0]) for answer in socket.getaddrinfo(name, None)})
    except OSError:
        return []


def facts(names: list[str]) -> dict[str, object]:
    """Everything that preflight asks about."""
    with Path("/etc/os-release").open() as file:
        release = dict(line.strip().split("=", 1) for line in file if "=" in line)
    with Path("/proc/meminfo").open() as file:
        memory = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}
    links = json.loads(run("ip", "-json", "addr") or "[]")
    addresses = [a for link in links for a in link.get("addr_info", []) if a.get("scope") == "global"]
    return {
        "user": os.geteuid(),
        "release": f"{release.get('ID', '?').strip(chr(34))} {release.get('VERSION_ID', '?').strip(chr(34))}",
        "architecture": run("dpkg", "--print-architecture").strip(),
        "memory": memory["MemTotal"],
        "disk": {path: shutil.disk_usage(path).free for path in ("/", "/var")},
        "clock": time.time(),
        "addresses": {a["local"]: bool(a.get("dadfailed")) for a in addresses},
        "listeners": listeners(),
        "begun": any(Path("/var/lib/bsw", name).exists() for name in ("converged.json", "pending.json")),
        "came_from": os.environ.get("SSH_CONNECTION", "").split(" ")[0],
        "systemd": Path("/run/systemd/system").is_dir(),
        "resolved": {name: resolves(name) for name in names},
    }


print(json.dumps(facts(json.loads(sys.argv[1]))), flush=True)
sys.stdin.read()
