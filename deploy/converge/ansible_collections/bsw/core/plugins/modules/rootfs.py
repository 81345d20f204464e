#!/usr/bin/python
"""Host half of rootfs: compare paths, packages and units with what is declared; bring the files about."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rootfs
short_description: Bring a host's files onto what its roles declare
description:
  - The action plugin of the same name reads the roles, renders on the controller and calls this module.
  - C(compare) reports what differs and changes nothing.
  - C(apply) stages and validates every file before the first one moves into place, and writes down which units to
    restart or reload before that, so that a run that dies is simply run again.
options:
  phase: {description: What to do., choices: [compare, apply], default: compare, type: str}
  entries: {description: What each path should be., type: list, elements: dict, required: true}
  contents: {description: Contents by path (base64)., type: dict, default: {}}
  packages: {description: Packages that should be installed., type: list, elements: str, default: []}
  offered: {description: The version of each package that the source has., type: dict, default: {}}
  units: {description: Units and their states., type: list, elements: dict, default: []}
  declared: {description: Digest of all that is declared; empty if only a part of it is., type: str, default: ""}
  show: {description: Paths whose present content to return., type: list, elements: str, default: []}
author: The BSW developers
"""

import base64
import contextlib
import glob
import grp
import hashlib
import os
import pwd
import shlex
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bsw.core.plugins.module_utils import record


def uid(owner):
    """Numeric id of a user name or number."""
    return int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid


def gid(group):
    """Numeric id of a group name or number."""
    return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid


# ---- compare


def differences(entry, shown, before):
    """Reasons why the path is not as it should be; empty if it is."""
    path = entry["path"]
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return [] if entry.get("absent") else ["link"] if "link" in entry else ["content", "new"]
    if entry.get("absent"):
        return ["absent"]
    if "link" in entry:
        return [] if stat.S_ISLNK(status.st_mode) and os.readlink(path) == entry["link"] else ["link"]
    if not stat.S_ISREG(status.st_mode):
        return ["content", "type"]
    with open(path, "rb") as file:
        data = file.read()
    reasons = []
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        reasons.append("content")
        if path in shown:
            before[path] = base64.b64encode(data).decode()
    for what, found, look_up in (("owner", status.st_uid, uid), ("group", status.st_gid, gid)):
        try:
            if look_up(entry[what]) != found:
                reasons.append(what)
        except KeyError:
            reasons.append(what)
    if stat.S_IMODE(status.st_mode) != int(entry["mode"], 8):
        reasons.append("mode")
    return reasons


def compare_packages(module, packages, offered):
    """Those of the packages that are not wholly installed; and, of all that are, those older than what the source has.

    A package that somebody put on hold stays as it is, and so does one that is newer: a security mirror was faster.
    """
    fields = "${Package} ${Version} ${db:Status-Want} ${db:Status-Status}\n"
    _rc, out, _err = module.run_command(["dpkg-query", "-W", "-f", fields])
    known = [line.split() for line in out.splitlines()]
    installed = {name: (version, want) for name, version, want, status in known if status == "installed"}
    outdated = {
        name: [version, offered[name]]
        for name, (version, want) in installed.items()
        if want != "hold" and offered.get(name, version) != version and is_older(module, version, offered[name])
    }
    return [package for package in packages if package not in installed], outdated


def is_older(module, version, than):
    """Whether a version is older than another one."""
    return module.run_command(["dpkg", "--compare-versions", version, "lt", than])[0] == 0


def unsettled_units(module, units):
    """Units whose state is not the declared one, with what is wrong."""
    if not units:
        return {}
    properties = "Id,LoadState,UnitFileState,ActiveState,Result"
    names = [unit["name"] for unit in units]
    _rc, out, _err = module.run_command(["systemctl", "show", "-p", properties, *names])
    found = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
    return {
        unit["name"]: wrong for unit, is_now in zip(units, found, strict=True) if (wrong := complaint(unit, is_now))
    }


def complaint(unit, is_now):
    """What is wrong with a unit; empty if it is as declared."""
    wanted = unit.get("state", "started")
    active = is_now.get("ActiveState")
    if wanted == "masked":
        return "" if is_now.get("LoadState") in ("masked", "not-found") and active != "active" else "not masked"
    if is_now.get("LoadState") in ("not-found", "masked"):
        return "" if wanted == "stopped" else is_now["LoadState"]
    if wanted == "stopped":
        if active in ("active", "activating"):
            return "running"
        return "enabled" if is_now["UnitFileState"] == "enabled" else ""
    return not_started(unit, is_now)


def not_started(unit, is_now):
    """What is wrong with a unit that should be started, or, a one-shot, have succeeded."""
    active = is_now.get("ActiveState")
    if unit.get("enabled", True) and is_now.get("UnitFileState") == "disabled":
        return "disabled"
    if unit.get("oneshot"):
        return "" if active != "failed" and is_now.get("Result") == "success" else "failed"
    return "" if active == "active" else active or "unknown"


def compare(module):
    """Everything that differs, in one look."""
    parameters = module.params
    before, files = {}, {}
    for entry in parameters["entries"]:
        reasons = differences(entry, parameters["show"], before)
        if reasons:
            files[entry["path"]] = reasons
    missing, outdated = [], {}
    if parameters["packages"]:
        missing, outdated = compare_packages(module, parameters["packages"], parameters["offered"])
    unsettled = unsettled_units(module, parameters["units"])
    converged = parameters["declared"] in ("", record.converged().get("declared"))
    unfinished = record.is_pending() or not converged
    module.exit_json(
        changed=bool(files or missing or outdated or unsettled or unfinished), files=files, before=before,
        missing=missing, outdated=outdated, unsettled=unsettled, unfinished=unfinished,
    )  # fmt: skip


# ---- apply


def sweep(entries):
    """Remove what a run that died had staged beside these paths."""
    for directory in {os.path.dirname(entry["path"]) for entry in entries}:
        for left in glob.glob(glob.escape(directory) + "/.rootfs.*"):
            os.unlink(left)


def stage(module, entry, data):
    """Write the file beside its place, with owner and mode before the content, and validate it there."""
    directory = os.path.dirname(entry["path"])
    os.makedirs(directory, 0o755, exist_ok=True)
    handle, staged = tempfile.mkstemp(prefix=".rootfs.", dir=directory)
    try:
        os.fchown(handle, uid(entry["owner"]), gid(entry["group"]))
        os.fchmod(handle, int(entry["mode"], 8))
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if entry.get("validate"):
            rc, out, err = module.run_command(shlex.split(entry["validate"].replace("%s", shlex.quote(staged))))
            if rc:
                said = (err or out).replace(staged, entry["path"]).strip()
                if entry.get("secret"):
                    said = "its content is secret; run the validator on the host to see why"
                module.fail_json(msg=f"{entry['path']}: not valid: {said}", file=entry["path"])
    except BaseException:
        os.unlink(staged)
        raise
    return staged


def place(entry):
    """Bring about what needs no content: a link, an absence, owner and mode."""
    path = entry["path"]
    if entry.get("absent"):
        os.unlink(path)
    elif "link" in entry:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # of a run that died here
            os.unlink(path + ".rootfs-new")
        os.symlink(entry["link"], path + ".rootfs-new")
        os.replace(path + ".rootfs-new", path)
    else:
        os.chown(path, uid(entry["owner"]), gid(entry["group"]))
        os.chmod(path, int(entry["mode"], 8))


def put(module, entries, contents):
    """Stage and validate all, then move all: a bad file leaves the whole tree untouched."""
    staged = []
    try:
        for entry in entries:
            if entry["path"] in contents:
                staged.append((stage(module, entry, base64.b64decode(contents[entry["path"]])), entry["path"]))
        while staged:
            os.replace(*staged[-1])
            staged.pop()
        for entry in entries:
            if entry["path"] not in contents:
                place(entry)
    finally:
        for left, _path in staged:
            os.unlink(left)


def below(entries, directory):
    """Those of the entries that lie in the directory and stay."""
    return [e for e in entries if e["path"].startswith(directory) and not e.get("absent")]


def system(module, *command):
    """Run a systemd helper; its own words on failure."""
    rc, out, err = module.run_command(list(command))
    if rc:
        module.fail_json(msg=f"{' '.join(command)}: {(err or out).strip()}")


def apply(module):
    """Users first, then files, then directories and units' definitions."""
    entries, contents = module.params["entries"], module.params["contents"]
    wanted = {kind: [unit for entry in entries for unit in entry.get(kind, [])] for kind in ("restart", "reload")}
    record.remember(files=[entry["path"] for entry in entries], **wanted)
    try:
        sweep(entries)
        users = below(entries, "/etc/sysusers.d/")
        put(module, users, contents)
        if users:
            system(module, "systemd-sysusers")
        rest = [entry for entry in entries if entry not in users]
        directories = below(rest, "/etc/tmpfiles.d/")
        put(module, directories, contents)
        if directories:
            system(module, "systemd-tmpfiles", "--create", *[e["path"] for e in directories])
        put(module, [entry for entry in rest if entry not in directories], contents)
    except (OSError, KeyError) as error:
        module.fail_json(msg=f"rootfs: {type(error).__name__}: {error}")
    module.exit_json(changed=True, files=[entry["path"] for entry in entries])


def main():
    """Entry point."""
    module = AnsibleModule(
        {
            "phase": {"choices": ["compare", "apply"], "default": "compare"},
            "entries": {"type": "list", "elements": "dict", "required": True},
            "contents": {"type": "dict", "default": {}, "no_log": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "offered": {"type": "dict", "default": {}},
            "units": {"type": "list", "elements": "dict", "default": []},
            "declared": {"default": ""},
            "show": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8"}
    os.umask(0o022)  # the login's own may be stricter, and new directories are for everyone
    (apply if module.params["phase"] == "apply" else compare)(module)


if __name__ == "__main__":
    main()
