"""Controller half of rootfs: read what the roles declare, render their trees, and bring the host onto them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

RULE_KEYS = {"match", "owner", "group", "mode", "validate", "restart", "reload", "secret", "when"}
FILE_KEYS = (RULE_KEYS - {"match"}) | {"path", "content"}
UNIT_KEYS = {"name", "state", "ready", "oneshot", "last", "slow", "enabled"}


def glob_pattern(glob: str) -> re.Pattern[str]:
    """A path glob as a pattern: ``**`` spans directories, ``*`` and ``?`` do not."""
    parts = re.split(r"(\*\*|\*|\?)", glob)
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts) + r"\Z")


class Role:
    """One role as it declares itself: where it lies, its defaults, its vars."""

    def __init__(self, path: Path, load: t.Callable[[Path], dict[str, t.Any]]) -> None:
        self.name = path.name
        self.tree = path / "rootfs"
        self.defaults = load(path / "defaults" / "main.yml")
        self.vars = load(path / "vars" / "main.yml")
        tasks = path / "tasks" / "main.yml"
        self.tasks = tasks.read_text() if tasks.exists() else ""

    def declared(self, what: str) -> t.Any:
        """The untemplated list ``<role>_<what>``; empty if the role does not declare it."""
        return self.vars.get(f"{self.name}_{what}", [])

    def paths(self) -> list[Path]:
        """Files and links of the role's tree, sorted."""
        found = [p for p in self.tree.rglob("*") if p.is_symlink() or p.is_file()] if self.tree.is_dir() else []
        return sorted(found)


class ActionModule(ActionBase):
    """``compare`` says what differs, ``apply`` mends the files, ``render`` writes them below a directory here."""

    _VALID_ARGS = frozenset(("phase", "roles", "only", "to", "todo", "offered"))

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run one phase; see the module's documentation for arguments and results."""
        result = super().run(tmp, task_vars)
        arguments = self._task.args
        names = arguments.get("roles") or [self._task._role.get_name()]
        roles = [Role(self._role_path(name), self._load) for name in names]
        self._prepare_templar(roles, task_vars or {})

        only = arguments.get("only") or names
        entries, contents = self._entries([role for role in roles if role.name in only])
        phase = arguments.get("phase", "compare")
        if phase == "render":
            return result | self._render(Path(arguments["to"]), roles, entries, contents)
        if phase == "apply":
            return result | self._apply(entries, contents, arguments["todo"], task_vars)
        return result | self._compare(roles, entries, contents, task_vars, whole=set(names) <= set(only))

    # ---- reading the roles

    def _role_path(self, name: str) -> Path:
        from ansible import constants  # noqa: PLC0415

        for root in constants.DEFAULT_ROLES_PATH:
            if (path := Path(root, name)).is_dir():
                return path
        raise AnsibleActionFail(f"rootfs: no role named {name}")

    def _load(self, path: Path) -> dict[str, t.Any]:
        if not path.exists():
            return {}
        return self._loader.load_from_file(str(path), cache="all", trusted_as_template=True) or {}

    def _prepare_templar(self, roles: list[Role], task_vars: dict[str, t.Any]) -> None:
        """Every role sees every role's options: their names carry the role's, so they cannot clash."""
        variables: dict[str, t.Any] = {}
        for role in roles:
            variables |= role.defaults
        variables |= task_vars
        for role in roles:
            variables |= role.vars
        variables.setdefault("ansible_managed", "Managed by bsw: a change by hand is undone by the next deployment")
        self._variables = variables
        self._declared = self._templar.copy_with_new_env(available_variables=variables)

    def _list(self, role: Role, what: str) -> list[t.Any]:
        value = self._declared.template(role.declared(what))
        if not isinstance(value, list):
            raise AnsibleActionFail(f"roles/{role.name}/vars/main.yml: {role.name}_{what} is not a list")
        return value

    # ---- from roles to entries: what each path should be

    def _entries(self, roles: list[Role]) -> tuple[list[dict[str, t.Any]], dict[str, bytes]]:
        entries: dict[str, dict[str, t.Any]] = {}
        contents: dict[str, bytes] = {}
        for role in roles:
            for entry, content in (*self._tree(role), *self._generated(role), *self._absent(role)):
                if (earlier := entries.get(entry["path"])) and not earlier.get("absent"):
                    raise AnsibleActionFail(f"{entry['path']}: both {earlier['role']} and {role.name} declare it")
                entries[entry["path"]] = entry | {"role": role.name}
                if content is not None:
                    contents[entry["path"]] = content
        return list(entries.values()), contents

    def _tree(self, role: Role) -> t.Iterator[tuple[dict[str, t.Any], bytes | None]]:
        where = f"roles/{role.name}/vars/main.yml"
        rules = self._list(role, "rootfs")
        for rule in rules:
            if unknown := set(rule) - RULE_KEYS:
                raise AnsibleActionFail(f"{where}: a rule has the unknown key {sorted(unknown)[0]}")
        patterns = [(glob_pattern(rule["match"]), rule) for rule in rules]
        searchpath = [str(role.tree), str(role.tree.parent / "templates")]
        templar = self._templar.copy_with_new_env(searchpath=searchpath, available_variables=self._variables)
        for source in role.paths():
            path = "/" + str(source.relative_to(role.tree)).removesuffix(".j2")
            rule = self._merge([rule for pattern, rule in patterns if pattern.match(path)])
            if not self._wanted(rule):
                yield {"path": path, "absent": True} | _notifications(rule), None
            elif source.is_symlink():
                yield {"path": path, "link": os.readlink(source)} | _notifications(rule), None
            else:
                content = self._content(templar, source)
                executable = source.stat().st_mode & stat.S_IXUSR
                yield self._file(path, content, rule, "0755" if executable else "0644"), content

    def _generated(self, role: Role) -> t.Iterator[tuple[dict[str, t.Any], bytes | None]]:
        for file in self._list(role, "files"):
            if unknown := set(file) - FILE_KEYS:
                raise AnsibleActionFail(f"{role.name}_files: unknown key {sorted(unknown)[0]}")
            if not self._wanted(file):
                yield {"path": file["path"], "absent": True} | _notifications(file), None
                continue
            content = str(file["content"]).encode()
            yield self._file(file["path"], content, file, "0644"), content

    def _absent(self, role: Role) -> t.Iterator[tuple[dict[str, t.Any], None]]:
        for path in self._list(role, "absent"):
            yield {"path": path, "absent": True, "restart": [], "reload": []}, None

    @staticmethod
    def _merge(rules: list[dict[str, t.Any]]) -> dict[str, t.Any]:
        """Later rules win per key; notifications add up."""
        merged: dict[str, t.Any] = {"restart": [], "reload": []}
        for rule in rules:
            for key, value in rule.items():
                if key in ("restart", "reload"):
                    merged[key] = [*merged[key], *(unit for unit in _listed(value) if unit not in merged[key])]
                else:
                    merged[key] = value
        return merged

    def _wanted(self, rule: dict[str, t.Any]) -> bool:
        when = rule.get("when", True)
        if isinstance(when, str):
            when = self._declared.evaluate_conditional(trust_as_template(when))
        return bool(when)

    @staticmethod
    def _content(templar: t.Any, source: Path) -> bytes:
        if source.suffix != ".j2":
            return source.read_bytes()
        overrides = {"trim_blocks": True, "lstrip_blocks": True}
        try:
            text = templar.template(
                trust_as_template(source.read_text()), escape_backslashes=False, overrides=overrides
            )
        except AnsibleError as error:
            raise AnsibleActionFail(f"{source}: {error}") from error
        return ("" if text is None else str(text)).encode()

    @staticmethod
    def _file(path: str, content: bytes, rule: dict[str, t.Any], mode: str) -> dict[str, t.Any]:
        return {
            "path": path,
            "sha256": hashlib.sha256(content).hexdigest(),
            "mode": str(rule.get("mode", mode)),
            "owner": str(rule.get("owner", "root")),
            "group": str(rule.get("group", "root")),
            "validate": rule.get("validate"),
            "secret": bool(rule.get("secret")),
        } | _notifications(rule)

    # ---- phases

    def _compare(
        self, roles: list[Role], entries: list[dict[str, t.Any]], contents: dict[str, bytes], task_vars: t.Any,
        *, whole: bool,
    ) -> dict[str, t.Any]:  # fmt: skip
        declared_as = ("packages", "debconf", "units")
        lists = {what: [item for role in roles for item in self._list(role, what)] for what in declared_as}
        for unit in lists["units"]:
            if unknown := set(unit) - UNIT_KEYS:
                raise AnsibleActionFail(f"unit {unit.get('name')}: unknown key {sorted(unknown)[0]}")
        packages = sorted(set(lists["packages"]))
        declared = _digest([entries, packages, lists["units"], [role.tasks for role in roles]])
        shown = [e["path"] for e in entries if self._task.diff and not e.get("secret") and "sha256" in e]
        found = self._module(
            {"phase": "compare", "entries": entries, "packages": packages, "units": lists["units"],
             "offered": self._task.args.get("offered") or {}, "declared": declared if whole else "", "show": shown},
            task_vars,
        )  # fmt: skip
        if found.get("failed"):
            return found
        kept = ("changed", "files", "missing", "outdated", "unsettled", "unfinished")
        result = {key: found[key] for key in kept}
        result |= {"declared": declared, "units": lists["units"], "packages": packages, "debconf": lists["debconf"]}
        result["daemons"] = self._daemons(roles) if found["outdated"] else {}
        result["tasks"] = [role.name for role in roles if role.tasks]
        if self._task.diff:
            result["diff"] = [_difference(e, found, contents) for e in entries if e["path"] in found["files"]]
        return result

    def _daemons(self, roles: list[Role]) -> dict[str, list[str]]:
        """By package: the daemons of the roles that declare it."""
        daemons: dict[str, list[str]] = {}
        for role in roles:
            own = [unit["name"] for unit in self._list(role, "units") if _is_daemon(unit)]
            for package in self._list(role, "packages"):
                daemons[package] = [*daemons.get(package, []), *own]
        return daemons

    def _apply(
        self, entries: list[dict[str, t.Any]], contents: dict[str, bytes], todo: dict[str, t.Any], task_vars: t.Any
    ) -> dict[str, t.Any]:
        needed = [entry for entry in entries if entry["path"] in todo]
        sent = {
            path: base64.b64encode(content).decode()
            for path, content in contents.items()
            if "content" in todo.get(path, [])
        }
        return self._module({"phase": "apply", "entries": needed, "contents": sent}, task_vars)

    def _render(
        self, to: Path, roles: list[Role], entries: list[dict[str, t.Any]], contents: dict[str, bytes]
    ) -> dict[str, t.Any]:
        to.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            file = to / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        (to / "entries.json").write_text(json.dumps(entries, indent=1, default=str))
        declared: dict[str, t.Any] = {
            what: [dict(item) | {"role": role.name} for role in roles for item in self._list(role, what)]
            for what in ("units", "flows", "listens", "deviations")
        }
        declared["packages"] = sorted({package for role in roles for package in self._list(role, "packages")})
        (to / "declared.json").write_text(json.dumps(declared, indent=1, default=str))
        return {"changed": False}

    def _module(self, arguments: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        return t.cast(
            dict[str, t.Any],
            self._execute_module(module_name="bsw.core.rootfs", module_args=arguments, task_vars=task_vars),
        )


def _is_daemon(unit: dict[str, t.Any]) -> bool:
    return unit["name"].endswith(".service") and unit.get("state", "started") == "started" and not unit.get("oneshot")


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _notifications(rule: dict[str, t.Any]) -> dict[str, list[str]]:
    return {"restart": _listed(rule.get("restart", [])), "reload": _listed(rule.get("reload", []))}


def _digest(declared: t.Any) -> str:
    return hashlib.sha256(json.dumps(declared, sort_keys=True, default=str).encode()).hexdigest()


def _difference(entry: dict[str, t.Any], found: dict[str, t.Any], contents: dict[str, bytes]) -> dict[str, str]:
    """One file's difference in the form that Ansible prints; of a secret only that it differs."""
    path, reasons = entry["path"], found["files"][entry["path"]]
    headers = {"before_header": path, "after_header": path}
    if "content" not in reasons or entry.get("secret"):
        return headers | {"prepared": f"{path}: {', '.join(reasons)}\n"}
    before = base64.b64decode(found["before"].get(path, "")).decode(errors="replace")
    return headers | {"before": before, "after": contents[path].decode(errors="replace")}
