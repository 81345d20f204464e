"""The command line: one short function a command; no logic.

Exit codes: 0 fine, 1 found something, 2 could not run.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.errors import Refused
from deploy.paths import REPOSITORY

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
lab_app = typer.Typer(no_args_is_help=True, help="Real Debian hosts on this machine, in a network with no way out.")
app.add_typer(lab_app, name="lab")

inventory_app = typer.Typer(no_args_is_help=True, help="What stands where: check, show, make its secrets.")
app.add_typer(inventory_app, name="inventory")

test_app = typer.Typer(help="Everything that CI runs, or a part of it.")
app.add_typer(test_app, name="test")

LAB = REPOSITORY / "inventories" / "lab"
Inventory_ = Annotated[Path, typer.Option("-i", "--inventory", help="Directory of the inventory.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")]


def main() -> None:
    """Run a command; what is refused is printed a line each and ends with exit code 2."""
    try:
        app()
    except Refused as refused:
        for finding in refused.findings:
            print(f"bsw: {finding}", file=sys.stderr)
        sys.exit(2)


@lab_app.command("up")
def lab_up(names: Annotated[list[str] | None, typer.Argument(help="Hosts; default: all of the inventory.")] = None) -> None:
    """Start the lab's hosts; those that run are left alone."""
    from deploy.lab import up
    from deploy.lab.plan import hosts

    started = up(hosts(names or []))
    print(f"lab: started {', '.join(started)}" if started else "lab: everything is up already")


@lab_app.command("status")
def lab_status(as_json: Json = False) -> None:
    """Print every host and its state."""
    from deploy.lab import status

    found = status()
    if as_json:
        print(json.dumps({"hosts": [vars(host) for host in found]}))
        return
    for host in found:
        print(f"{host.name:12} {host.ipv4:16} {host.ipv6:20} {host.state}")
    if not found:
        print("lab: not up")


@lab_app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def lab_exec(command: Annotated[list[str], typer.Argument(metavar="CMD…")]) -> None:
    """Run any command of this machine inside the lab's network, with its resolver and its certificate authority."""
    from deploy.lab import exec_prefix

    prefix = exec_prefix()
    os.execvp(prefix[0], [*prefix, *command])


@lab_app.command("ssh", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def lab_ssh(host: str, command: Annotated[list[str] | None, typer.Argument(metavar="CMD…")] = None) -> None:
    """Log in to a lab host, or run a command on it."""
    from deploy.lab import SSH_CONFIG

    os.execvp("ssh", ["ssh", "-F", str(SSH_CONFIG), host, *(command or [])])


@lab_app.command("down")
def lab_down(names: Annotated[list[str] | None, typer.Argument(help="Hosts; default: the whole lab.")] = None) -> None:
    """End hosts; the whole lab leaves nothing behind."""
    from deploy.lab import down

    ended = down(names or [])
    print(f"lab: ended {', '.join(ended)}" if ended else "lab: nothing to end")


@app.command()
def deploy(
    inventory: Inventory_ = LAB,
    only: Annotated[list[str] | None, typer.Option(help="Bring about the files of this role only.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="This host only.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what would change, as a diff.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the hosts onto what the inventory declares."""
    from deploy import converge
    from deploy.inventory import load
    from deploy.terminal import Progress, print_outcome

    with Progress(quiet=as_json) as progress:
        outcome = converge.deploy(load(inventory), only=only or [], hosts=host or [], check=check, hear=progress)
    print(json.dumps(outcome.as_json())) if as_json else print_outcome(outcome, check=check)
    sys.exit(1 if outcome.failures else 0)


@inventory_app.command("check")
def inventory_check(path: Annotated[Path, typer.Argument()] = LAB) -> None:
    """Read an inventory and say everything that is wrong with it; touches nothing."""
    from deploy.inventory import load, secrets

    inventory = load(path)
    secrets.read(inventory)
    print(f"{path}: {len(inventory.hosts)} hosts, {len(inventory.organisations)} organisations: in order")


@inventory_app.command("show")
def inventory_show(path: Annotated[Path, typer.Argument()] = LAB, as_json: Json = False) -> None:
    """Print what an inventory says, with what follows from it."""
    from deploy.inventory import load, show

    shown = show(load(path))
    if as_json:
        print(json.dumps(shown))
        return
    print(f"{shown['domain']}: {', '.join(f'{what}={name}' for what, name in shown['components'].items())}")
    for name, host in shown["hosts"].items():
        print(f"{name:12} {host['ipv4']:16} {host['ipv6']:20} {' '.join(host['roles'])}")


@inventory_app.command("secrets")
def inventory_secrets(path: Annotated[Path, typer.Argument()] = LAB) -> None:
    """Make the secrets that an inventory still lacks; those that it has are never changed."""
    from deploy.inventory import secrets

    made = secrets.ensure(path)
    print(f"{path}: made {', '.join(made)}" if made else f"{path}: all secrets are there")


@test_app.command("roles")
def test_roles(
    names: Annotated[list[str] | None, typer.Argument(help="Roles; default: all.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the hosts running, to look at them.")] = False,
) -> None:
    """Try each role alone on a bare lab host: converge, a second run that changes nothing, its own tests."""
    from deploy.terminal import Progress
    from deploy.verify import alone

    failed = 0
    with Progress() as progress:
        for role in names or alone.names():
            [verdict] = alone.verify([role], keep=keep, hear=progress)
            print(f"{'FAILED' if verdict.problems else 'passed'}: role {role}, {verdict.seconds:.0f} s")
            print("\n".join(verdict.problems), file=sys.stderr) if verdict.problems else None
            failed += bool(verdict.problems)
    sys.exit(1 if failed else 0)
