"""Runs ON a host, sent over ssh (Python 3 standard library only): looks, and prints what it saw as one JSON line.

Changes nothing. Reads its question from standard input: ``{"rules": text for nft, "commands": [for sh]}``.
"""

import concurrent.futures
import json
import os
import pathlib
import pwd
import subprocess
import sys

STATE = pathlib.Path("/var/lib/bsw")
SECONDS = 60
"""Patience with one command."""

LIST = "nft -j list ruleset && nft -s -a -u list ruleset"
"""The rule set as data; then as text, in which each rule can be found by its handle."""

COPY = ["unshare", "--net", "sh", "-c", f"nft -f - && {LIST}"]
"""Load rules in a network of their own, which has no links and ends with the command: one nft writes both lists."""


def run(command: list[str], given: str = "") -> dict[str, object]:
    """What a command said."""
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"code": 124, "out": "", "err": f"no end after {SECONDS} s"}
    except FileNotFoundError as error:
        return {"code": 127, "out": "", "err": f"{error.filename}: not found"}
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def read(path: pathlib.Path) -> str | None:
    """A file's text; None if there is none."""
    return path.read_text() if path.exists() else None


def look(rules: str, commands: list[str]) -> dict[str, object]:
    """Everything that the audit asks about; the firewall first, before our own commands can show up in it."""
    seen: dict[str, object] = {
        "rules": run(["sh", "-c", LIST]),
        "declared_rules": run(COPY, rules),
        "loaded": run(["systemctl", "show", "--property=StateChangeTimestamp", "--value", "nftables.service"]),
        "sockets": run(["ss", "-Hlntup"]),
        "users": {str(user.pw_uid): user.pw_name for user in pwd.getpwall()},
        "converged": read(STATE / "converged.json"),
        "pending": read(STATE / "pending.json"),
    }
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = pool.map(lambda command: run(["bash", "-o", "pipefail", "-c", command]), commands)
        return seen | {"commands": dict(zip(commands, said, strict=True))}


if __name__ == "__main__":
    os.environ |= {"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    print(json.dumps(look(**json.load(sys.stdin))))
