"""The command line: one short function a command; no logic.

Exit codes: 0 fine, 1 found something, 2 could not run.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.errors import Finding, Refused
from deploy.paths import REPOSITORY

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
lab_app = typer.Typer(no_args_is_help=True, help="Real Debian hosts on this machine, in a network with no way out.")
app.add_typer(lab_app, name="lab")

inventory_app = typer.Typer(no_args_is_help=True, help="What stands where: check, show, make its secrets.")
app.add_typer(inventory_app, name="inventory")

bundle_app = typer.Typer(no_args_is_help=True, help="The signed package source.")
app.add_typer(bundle_app, name="bundle")
dns_app = typer.Typer(no_args_is_help=True, help="An organisation's DNS records.")
app.add_typer(dns_app, name="dns")
people_app = typer.Typer(no_args_is_help=True, help="People, functional mailboxes, rooms and groups in the directory.")
app.add_typer(people_app, name="people")
app_password_app = typer.Typer(no_args_is_help=True, help="Passwords of a person's programs and telephones, one each.")
people_app.add_typer(app_password_app, name="app-password")
test_app = typer.Typer(help="Everything that CI runs, or a part of it.")
app.add_typer(test_app, name="test")

LAB = REPOSITORY / "inventories" / "lab"
Inventory_ = Annotated[Path, typer.Option("-i", "--inventory", help="Directory of the inventory.")]
Organisation_ = Annotated[
    str | None, typer.Option("--organisation", help="Id of the organisation; default: the primary one.")
]
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
def lab_up(
    names: Annotated[list[str] | None, typer.Argument(help="Hosts; default: all of the inventory.")] = None,
) -> None:
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


@bundle_app.command("build")
def bundle_build(
    inventory: Inventory_ = LAB,
    update: Annotated[
        bool, typer.Option("--update", help="Take the mirror's newest versions; write a new lock.")
    ] = False,
) -> None:
    """Build the package source for an inventory; what is there already is not fetched again."""
    from deploy.converge.packages import build
    from deploy.inventory import load
    from deploy.terminal import Progress

    with Progress() as progress:
        built = build(load(inventory), update=update, hear=progress)
    print(f"{built.directory}: {len(built.lock.packages)} packages")


@bundle_app.command("verify")
def bundle_verify() -> None:
    """Check the signature and every hash; name each file that is wrong, missing or too many."""
    from deploy import bundle
    from deploy.bundle.key import PUBLIC
    from deploy.converge.packages import DIRECTORY
    from deploy.paths import CONFIG

    ours = CONFIG / "bundle-key" / PUBLIC  # where it was built; elsewhere the bundle's own key has to do
    found = bundle.verify(DIRECTORY, ours.read_text() if ours.exists() else None)
    print("\n".join(map(str, found)) or f"{DIRECTORY}: every file is as signed")
    sys.exit(1 if found else 0)


@bundle_app.command("serve")
def bundle_serve(
    listen: Annotated[str, typer.Option(help="address:port to serve at.")] = "127.0.0.1:8180",
) -> None:
    """Serve the package source over HTTP until Ctrl-C."""
    from deploy import bundle
    from deploy.converge.packages import DIRECTORY

    address, _, port = listen.rpartition(":")
    if not address or not port.isdecimal():
        raise Refused(Finding("--listen", f"is {listen!r}", "write address:port, such as 127.0.0.1:8180"))
    bundle.serve(DIRECTORY, (address.strip("[]"), int(port)))


@dns_app.command("show")
def dns_show(domain: Annotated[str | None, typer.Argument()] = None, inventory: Inventory_ = LAB) -> None:
    """Print the records of a domain, for a zone that is hosted elsewhere."""
    from deploy import dns
    from deploy.inventory import load, secrets

    loaded = load(inventory)
    print(dns.show(loaded, secrets.read(loaded), domain or loaded.domain), end="")


@dns_app.command("check")
def dns_check(inventory: Inventory_ = LAB, as_json: Json = False) -> None:
    """Compare what the world sees with what should be, signatures and their expiry included."""
    from deploy import dns
    from deploy.inventory import load, secrets
    from deploy.lab import inside_lab

    loaded = load(inventory)
    resolver = inside_lab() if loaded.environment == "lab" else None
    found = dns.check(loaded, secrets.read(loaded), resolver)
    print(json.dumps([vars(f) for f in found]) if as_json else "\n".join(map(str, found)) or "dns: as it should be")
    sys.exit(1 if found else 0)


@people_app.command("import")
def people_import(file: Path, inventory: Inventory_ = LAB, organisation: Organisation_ = None) -> None:
    """Make the directory hold what a sheet says; a bad line stops before the first change."""
    from deploy import people
    from deploy.inventory import load

    done = people.import_file(load(inventory), file, organisation=organisation)
    print(f"{len(done.added)} added, {len(done.changed)} changed, {len(done.unchanged)} as they were")
    if done.passwords:
        print(f"initial passwords, to be handed over once: {done.passwords}")


@people_app.command("add")
def people_add(
    uid: str,
    given_name: Annotated[str, typer.Option("--given-name")],
    surname: Annotated[str, typer.Option()],
    mail: Annotated[str | None, typer.Option(help="Default: uid@domain.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group to join.")] = None,
    inventory: Inventory_ = LAB,
    organisation: Organisation_ = None,
) -> None:
    """Add one person; the initial password is handed over in a file."""
    from deploy import people
    from deploy.inventory import load

    loaded = load(inventory)
    domain = loaded.organisations.get(organisation or "", loaded.primary).domain
    person = people.Person(uid, given_name, surname, mail or f"{uid}@{domain}", groups=tuple(sorted(group or [])))
    print(f"initial password, to be handed over once: {people.add(loaded, person, organisation=organisation)}")


@people_app.command("add-mailbox")
def people_add_mailbox(
    uid: str,
    name: Annotated[str, typer.Option(help="What it is for, in words.")],
    group: Annotated[list[str], typer.Option(help="A group whose members read it and send as it.")],
    mail: Annotated[str | None, typer.Option(help="Default: uid@domain.")] = None,
    inventory: Inventory_ = LAB,
    organisation: Organisation_ = None,
) -> None:
    """Add a functional mailbox; nobody logs in to it."""
    from deploy import people
    from deploy.inventory import load

    loaded = load(inventory)
    address = mail or f"{uid}@{loaded.organisations.get(organisation or '', loaded.primary).domain}"
    people.add(loaded, people.Mailbox(uid, name, address, groups=tuple(sorted(group))), organisation=organisation)
    print(f"{uid}: added, {address}")


@people_app.command("add-room")
def people_add_room(
    uid: str,
    name: Annotated[str, typer.Option(help="As people call it.")],
    group: Annotated[list[str] | None, typer.Option(help="A group whose members read what is booked.")] = None,
    mail: Annotated[str | None, typer.Option(help="Default: uid@domain.")] = None,
    inventory: Inventory_ = LAB,
    organisation: Organisation_ = None,
) -> None:
    """Add a room: it is booked by inviting it, and takes one meeting at a time."""
    from deploy import people
    from deploy.inventory import load

    loaded = load(inventory)
    address = mail or f"{uid}@{loaded.organisations.get(organisation or '', loaded.primary).domain}"
    room = people.Mailbox(uid, name, address, groups=tuple(sorted(group or [])), kind="room")
    people.add(loaded, room, organisation=organisation)
    print(f"{uid}: added, {address}")


@people_app.command("add-group")
def people_add_group(
    uid: str,
    name: Annotated[str, typer.Option(help="What it is for, in words.")] = "",
    mail: Annotated[str, typer.Option(help="An address makes it a mailing list.")] = "",
    member: Annotated[list[str] | None, typer.Option(help="The uid of a person.")] = None,
    inventory: Inventory_ = LAB,
    organisation: Organisation_ = None,
) -> None:
    """Add a group; with an address it is also a mailing list."""
    from deploy import people
    from deploy.inventory import load

    group = people.Group(uid, name, mail, members=tuple(sorted(member or [])))
    people.add(load(inventory), group, organisation=organisation)
    print(f"{uid}: added")


@people_app.command("members")
def people_members(
    group: str,
    add: Annotated[list[str] | None, typer.Option(help="The uid of a person who joins.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="The uid of a person who leaves.")] = None,
    inventory: Inventory_ = LAB,
    organisation: Organisation_ = None,
) -> None:
    """Let people join or leave a group; print who is in it then."""
    from deploy import people
    from deploy.inventory import load

    now = people.members(load(inventory), group, add=add or [], remove=remove or [], organisation=organisation)
    print(f"{group}: {', '.join(now.members) or 'nobody'}")


@people_app.command("aliases")
def people_aliases(
    uid: str,
    add: Annotated[list[str] | None, typer.Option(help="A further address.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="An address to take away.")] = None,
    inventory: Inventory_ = LAB,
    organisation: Organisation_ = None,
) -> None:
    """Give a person, mailbox or list further addresses, or take them away; print those it has then."""
    from deploy import people
    from deploy.inventory import load

    now = people.aliases(load(inventory), uid, add=add or [], remove=remove or [], organisation=organisation)
    print(f"{uid}: {', '.join(now.aliases) or 'no aliases'}")


@people_app.command("password")
def people_password(uid: str, inventory: Inventory_ = LAB, organisation: Organisation_ = None) -> None:
    """Give a person a new random password, handed over in a file."""
    from deploy import people
    from deploy.inventory import load

    file = people.reset_password(load(inventory), uid, organisation=organisation)
    print(f"new password, to be handed over once: {file}")


Use = Annotated[list[str] | None, typer.Option("--for", help="mail, calendar or mobile; several: all, if not said.")]


@app_password_app.command("add")
def app_password_add(
    uid: str, device: str, use: Use = None, inventory: Inventory_ = LAB, organisation: Organisation_ = None
) -> None:
    """Make the password of a program or telephone and print it, once: it is kept nowhere."""
    from deploy import people
    from deploy.inventory import load

    uses = use or list(people.USES)
    print(people.add_app_password(load(inventory), uid, device, uses, organisation=organisation))


@app_password_app.command("list")
def app_password_list(uid: str, inventory: Inventory_ = LAB, organisation: Organisation_ = None) -> None:
    """Print which programs and telephones have a password, since when, and for what."""
    from deploy import people
    from deploy.inventory import load

    for device in people.app_passwords(load(inventory), uid, organisation=organisation):
        print(f"{device.since}  {', '.join(device.protocols):<18} {device.name}")


@app_password_app.command("withdraw")
def app_password_withdraw(
    uid: str, device: str, inventory: Inventory_ = LAB, organisation: Organisation_ = None
) -> None:  # fmt: skip
    """End the password of a program or telephone that is lost or no longer used."""
    from deploy import people
    from deploy.inventory import load

    gone = people.withdraw_app_password(load(inventory), uid, device, organisation=organisation)
    print(f"{uid}: {gone.name} is out")


@people_app.command("disable")
def people_disable(uid: str, inventory: Inventory_ = LAB, organisation: Organisation_ = None) -> None:
    """No log-in and no mail from now on; everything is kept."""
    from deploy import people
    from deploy.inventory import load

    people.disable(load(inventory), uid, organisation=organisation)
    print(f"{uid}: disabled")


@people_app.command("enable")
def people_enable(uid: str, inventory: Inventory_ = LAB, organisation: Organisation_ = None) -> None:
    """Undo `disable`."""
    from deploy import people
    from deploy.inventory import load

    people.enable(load(inventory), uid, organisation=organisation)
    print(f"{uid}: enabled")


@people_app.command("remove")
def people_remove(uid: str, inventory: Inventory_ = LAB, organisation: Organisation_ = None) -> None:
    """Take a person, mailbox, room or group out of the directory; the mail stays on the mail host."""
    from deploy import people
    from deploy.inventory import load

    people.remove(load(inventory), uid, organisation=organisation)
    print(f"{uid}: removed")


@people_app.command("list")
def people_list(inventory: Inventory_ = LAB, organisation: Organisation_ = None, as_json: Json = False) -> None:
    """Print groups, functional mailboxes, people and rooms."""
    from deploy import people
    from deploy.inventory import load

    found = people.entries(load(inventory), organisation=organisation)
    if as_json:
        print(json.dumps([vars(entry) for entry in found]))
        return
    for entry in found:
        state = " (disabled)" if getattr(entry, "disabled", False) else ""
        print(f"{entry.kind:8} {entry.uid:24} {entry.mail:40} {entry.name}{state}")


@app.command()
def smoke(
    inventory: Inventory_ = LAB,
    keyword: Annotated[str | None, typer.Option("-k", help="Only the tests that match, as pytest's -k.")] = None,
    as_json: Json = False,
) -> None:
    """Try the stack as a user does, over the network, and write the report."""
    from deploy.inventory import load
    from deploy.run import smoke

    result = smoke(load(inventory), keyword=keyword)
    print(json.dumps(result)) if as_json else print(_sentence(result))
    sys.exit(1 if result["failed"] else 0)


@app.command()
def audit(inventory: Inventory_ = LAB, as_json: Json = False) -> None:
    """Look at the hosts from inside, read-only: what they do, held against what was declared."""
    from deploy.inventory import load
    from deploy.sovereignty import audit

    found = audit(load(inventory))
    wrong = [seen for seen in found if not seen.ok]
    if as_json:
        print(json.dumps([vars(seen) for seen in found]))
    else:
        for seen in wrong:
            print(f"{seen.where}: {seen.what}" + (f" ({seen.evidence})" if seen.evidence else ""))
        print(f"audit: {len(found)} looked at, {len(wrong)} not in order")
    sys.exit(1 if wrong else 0)


@app.command()
def up(inventory: Inventory_ = LAB) -> None:
    """The lab, the whole stack on it, its people, the smoke suite and the report."""
    from deploy.run import up
    from deploy.terminal import Progress

    with Progress() as progress:
        result = up(inventory, hear=progress)
    print(_sentence(result))
    sys.exit(1 if result["failed"] else 0)


def _sentence(result: dict[str, Any]) -> str:
    verdicts = list(result["requirements"].values())
    return (
        f"{result['passed']} passed, {result['failed']} failed, {result['skipped']} skipped "
        f"in {result['seconds']:.0f} s; requirements: {verdicts.count('proven')} proven, "
        f"{verdicts.count('failed')} failed, {verdicts.count('not covered')} not covered\nreport: {result['report']}"
    )


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
            verdict = alone.verify(role, keep=keep, hear=progress)
            progress("test", "FAILED" if verdict.problems else "passed", f"role {role} alone, {verdict.seconds:.0f} s")
            print("\n".join(verdict.problems), file=sys.stderr) if verdict.problems else None
            failed += bool(verdict.problems)
    sys.exit(1 if failed else 0)


@test_app.command("role-step", hidden=True)
def test_role_step(step: str, role: str) -> None:
    """One step of `test roles` for molecule: prepare, converge (prints its JSON) or discard."""
    from deploy.verify import alone

    if step == "converge":
        outcome = alone.run(role)
        print(json.dumps(outcome.as_json()))
        sys.exit(1 if outcome.failures else 0)
    {"prepare": alone.prepare, "discard": alone.discard}[step](role)


@test_app.callback(invoke_without_command=True)
def test(context: typer.Context) -> None:
    """Everything that CI runs: style, units, each role alone, the whole lab."""
    if context.invoked_subcommand is None:
        suite = REPOSITORY / "deploy" / "verify" / "suite"
        os.chdir(REPOSITORY)
        os.execv(
            sys.executable,
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra", "--durations=15", str(suite)],
        )


@app.command()
def bench() -> None:
    """Measure what DESIGN promises about speed, as ratios in one run; needs the lab for itself."""
    from bench.measure import main as measure

    measure()
