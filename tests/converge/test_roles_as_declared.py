"""The controller half of rootfs: from a role's tree, rules and lists to what each path of a host should be."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from tests.converge.conftest import Complaint, Controller, Roles

DEFAULTS = {"owner": "root", "group": "root", "mode": "0644", "secret": False, "validate": None}


def test_the_tree_becomes_the_hosts_paths_with_safe_defaults(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app/app.conf", "a = 1\n")
    digest = hashlib.sha256(b"a = 1\n").hexdigest()
    assert controller.entries("app") == {
        "/etc/app/app.conf": {
            "path": "/etc/app/app.conf", "sha256": digest, "role": "app", "restart": [], "reload": [], **DEFAULTS
        }
    }  # fmt: skip


def test_an_executable_bit_stays(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/usr/local/lib/app/run", "#!/bin/sh\n", 0o755)
    assert controller.entries("app")["/usr/local/lib/app/run"]["mode"] == "0755"


def test_a_link_stays_a_link_even_one_that_points_nowhere_here(roles: Roles, controller: Controller) -> None:
    roles.link("app/rootfs/etc/systemd/system/old.service", "/dev/null")
    roles.link("app/rootfs/etc/app/enabled", "../elsewhere/site")
    links = {path: entry["link"] for path, entry in controller.entries("app").items()}
    assert links == {"/etc/systemd/system/old.service": "/dev/null", "/etc/app/enabled": "../elsewhere/site"}


def test_a_template_loses_its_suffix_and_is_rendered(roles: Roles, controller: Controller) -> None:
    roles.write("app/defaults/main.yml", "app_port: 25\n")
    roles.write("app/vars/main.yml", "__app_name: '{{ app_host }}.test'\n")
    roles.write(
        "app/rootfs/etc/app.conf.j2", "{% if true %}\nport = {{ app_port }}\n{% endif %}\nname = {{ __app_name }}\n"
    )
    assert controller.contents("app", app_host="een") == {"/etc/app.conf": "port = 25\nname = een.test\n"}


def test_a_file_without_suffix_is_taken_as_it_is(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app.conf", "{{ not_ours }}\\n\n")
    assert controller.contents("app") == {"/etc/app.conf": "{{ not_ours }}\\n\n"}


def test_a_template_may_include_others_of_its_role(roles: Roles, controller: Controller) -> None:
    roles.write("app/templates/part.j2", "shared = yes\n")
    roles.write("app/rootfs/etc/app.conf.j2", "{% include 'part.j2' %}\n")
    assert controller.contents("app") == {"/etc/app.conf": "shared = yes\n"}


def test_the_inventorys_value_beats_a_roles_default_and_a_roles_own_beats_both(
    roles: Roles, controller: Controller
) -> None:
    roles.write("app/defaults/main.yml", "app_port: 25\napp_fixed: default\n")
    roles.write("app/vars/main.yml", "app_fixed: own\n")
    roles.write("app/rootfs/etc/app.conf.j2", "{{ app_port }} {{ app_fixed }}\n")
    assert controller.contents("app", app_port=587, app_fixed="inventory") == {"/etc/app.conf": "587 own\n"}


def test_a_role_sees_the_options_of_every_role_of_its_host(roles: Roles, controller: Controller) -> None:
    roles.write("web/defaults/main.yml", "web_name: www\n")
    roles.write("app/rootfs/etc/app.conf.j2", "{{ web_name }}\n")
    assert controller.contents("app", "web")["/etc/app.conf"] == "www\n"


# ---- rules


@pytest.mark.parametrize(
    ("glob", "matched"),
    [
        ("/etc/app/*", {"/etc/app/a.conf", "/etc/app/.hidden"}),
        ("/etc/app/**", {"/etc/app/a.conf", "/etc/app/.hidden", "/etc/app/sub/b.conf"}),
        ("/etc/app/?.conf", {"/etc/app/a.conf"}),
        ("/etc/app/a.conf", {"/etc/app/a.conf"}),
        ("/etc/app/a*", {"/etc/app/a.conf"}),
        ("**.conf", {"/etc/app/a.conf", "/etc/app/sub/b.conf"}),
        ("/etc/app", set()),
    ],
)
def test_one_star_stays_in_its_directory_and_two_span_them(
    roles: Roles, controller: Controller, glob: str, matched: set[str]
) -> None:
    for path in ("a.conf", ".hidden", "sub/b.conf", "axconf"):
        if path != "axconf":
            roles.write(f"app/rootfs/etc/app/{path}")
    roles.write("app/rootfs/etc/application")
    roles.write("app/vars/main.yml", f'app_rootfs: [{{match: "{glob}", mode: "0600"}}]\n')
    assert {path for path, entry in controller.entries("app").items() if entry["mode"] == "0600"} == matched


def test_a_dot_in_a_glob_is_a_dot(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/axconf")
    roles.write("app/vars/main.yml", 'app_rootfs: [{match: /etc/a.conf, mode: "0600"}]\n')
    assert controller.entries("app")["/etc/axconf"]["mode"] == "0644"


def test_a_later_rule_wins_and_notifications_add_up(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app/app.conf")
    roles.write(
        "app/vars/main.yml",
        """\
        app_rootfs:
          - {match: "/etc/app/**", mode: "0640", group: app, restart: app.service}
          - {match: "/etc/app/app.conf", restart: [web.service, app.service], validate: "check %s"}
          - {match: "/etc/app/*", mode: "0600", secret: true}
        """,
    )
    entry = controller.entries("app")["/etc/app/app.conf"]
    assert entry | {"sha256": ""} == {
        "path": "/etc/app/app.conf", "sha256": "", "role": "app", "owner": "root", "group": "app", "mode": "0600",
        "secret": True, "validate": "check %s", "restart": ["app.service", "web.service"], "reload": [],
    }  # fmt: skip


def test_a_file_whose_condition_is_false_is_removed_and_still_notifies(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app/extra.conf.j2", "{{ undefined_here }}\n")
    roles.write(
        "app/vars/main.yml",
        "app_rootfs: [{match: /etc/app/extra.conf, when: app_extra | bool, restart: [app.service]}]\n",
    )
    wanted = {"path": "/etc/app/extra.conf", "absent": True, "role": "app", "restart": ["app.service"], "reload": []}
    assert controller.entries("app", app_extra=False) == {"/etc/app/extra.conf": wanted}
    assert "absent" not in controller.entries("app", app_extra=True, undefined_here=1)["/etc/app/extra.conf"]


def test_generated_files_follow_the_same_rules(roles: Roles, controller: Controller) -> None:
    roles.write(
        "app/vars/main.yml",
        """\
        app_files:
          - {path: /etc/app/zone, content: "{{ app_zone }}", mode: "0600", secret: true, reload: app.service}
        """,
    )
    entry = controller.entries("app", app_zone="example.\n")["/etc/app/zone"]
    assert (entry["mode"], entry["secret"], entry["reload"]) == ("0600", True, ["app.service"])
    assert controller.contents("app", app_zone="example.\n") == {"/etc/app/zone": "example.\n"}


def test_a_generated_file_whose_condition_is_false_is_removed(roles: Roles, controller: Controller) -> None:
    roles.write("app/vars/main.yml", "app_files: [{path: /etc/zone, content: x, when: app_zoned | bool}]\n")
    assert controller.entries("app", app_zoned=False)["/etc/zone"].get("absent")
    assert "absent" not in controller.entries("app", app_zoned=True)["/etc/zone"]


def test_paths_that_a_role_wants_gone_are_absent(roles: Roles, controller: Controller) -> None:
    roles.write("app/vars/main.yml", "app_absent: [/etc/app/old]\n")
    assert controller.entries("app")["/etc/app/old"]["absent"]


# ---- clear errors


def test_an_unknown_rule_key_is_refused_with_its_file(roles: Roles, complaint: Complaint) -> None:
    roles.write("app/vars/main.yml", "app_rootfs: [{match: /etc/app, restarts: [app.service]}]\n")
    assert complaint("app") == "roles/app/vars/main.yml: a rule has the unknown key restarts"


def test_an_unknown_key_of_a_generated_file_is_refused(roles: Roles, complaint: Complaint) -> None:
    roles.write("app/vars/main.yml", "app_files: [{path: /etc/app, contents: x}]\n")
    assert complaint("app") == "app_files: unknown key contents"


def test_an_unknown_key_of_a_unit_is_refused_with_its_name(roles: Roles, complaint: Complaint) -> None:
    roles.write("app/vars/main.yml", "app_units: [{name: app.service, wanted: true}]\n")
    assert complaint("app") == "unit app.service: unknown key wanted"


def test_two_roles_that_declare_one_path_are_both_named(roles: Roles, complaint: Complaint) -> None:
    for role in ("app", "web"):
        roles.write(f"{role}/rootfs/etc/shared.conf")
    assert complaint("app", "web") == "/etc/shared.conf: both app and web declare it"


def test_a_path_that_one_role_removes_may_be_another_roles(roles: Roles, controller: Controller) -> None:
    roles.write("app/vars/main.yml", "app_absent: [/etc/shared.conf]\n")
    roles.write("web/rootfs/etc/shared.conf")
    assert controller.entries("app", "web")["/etc/shared.conf"]["role"] == "web"


def test_a_declaration_that_is_not_a_list_is_refused(roles: Roles, complaint: Complaint) -> None:
    roles.write("app/vars/main.yml", "app_units: {name: app.service}\n")
    assert complaint("app") == "roles/app/vars/main.yml: app_units is not a list"


def test_a_template_that_does_not_render_is_named(roles: Roles, complaint: Complaint) -> None:
    file = roles.write("app/rootfs/etc/app.conf.j2", "{{ app_ports }}\n")
    said = complaint("app")
    assert said.startswith(f"{file}: ")
    assert "'app_ports' is undefined" in said


def test_a_role_that_does_not_exist_is_named(roles: Roles, complaint: Complaint) -> None:
    assert complaint("nowhere") == "rootfs: no role named nowhere"


# ---- phases


def test_comparing_asks_the_host_once_about_everything(roles: Roles, controller: Controller) -> None:
    roles.write("app/vars/main.yml", "app_packages: [b, a]\napp_units: [{name: app.service}]\n")
    roles.write("app/tasks/main.yml", "[]\n")
    roles.write("web/vars/main.yml", "web_packages: [b]\nweb_debconf: ['web web/x boolean true']\n")
    found = controller.run("app", "web")
    assert len(controller.sent) == 1
    assert controller.sent[0]["packages"] == ["a", "b"]
    assert (found["packages"], found["units"]) == (["a", "b"], [{"name": "app.service"}])
    assert (found["debconf"], found["tasks"]) == (["web web/x boolean true"], ["app"])


def test_the_digest_changes_with_files_packages_units_and_tasks(roles: Roles, controller: Controller) -> None:
    def digest() -> str:
        controller.run("app")
        declared: str = controller.sent[-1]["declared"]
        return declared

    roles.write("app/defaults/main.yml")
    seen = [digest()]
    for path, content in (
        ("rootfs/etc/app.conf", "1"), ("rootfs/etc/app.conf", "2"), ("vars/main.yml", "app_packages: [app]"),
        ("vars/main.yml", "app_units: [{name: app.service}]"), ("tasks/main.yml", "[]"),
    ):  # fmt: skip
        roles.write(f"app/{path}", content)
        seen.append(digest())
    assert len(set(seen)) == len(seen)
    assert digest() == seen[-1]


def test_a_look_at_one_role_alone_is_not_mistaken_for_an_unfinished_run(roles: Roles, controller: Controller) -> None:
    for role in ("app", "web"):
        roles.write(f"{role}/rootfs/etc/{role}.conf")
    whole = controller.run("app", "web")
    part = controller.run("app", "web", only=["app"])
    assert [entry["path"] for entry in controller.sent[-1]["entries"]] == ["/etc/app.conf"]
    assert [sent["declared"] for sent in controller.sent] == [whole["declared"], ""]
    assert part["declared"] != whole["declared"]


def test_only_what_differs_is_sent_and_content_only_where_it_differs(roles: Roles, controller: Controller) -> None:
    for name in ("content", "mode", "same"):
        roles.write(f"app/rootfs/etc/{name}", name)
    controller.run("app", phase="apply", todo={"/etc/content": ["content", "new"], "/etc/mode": ["mode"]})
    sent = controller.sent[-1]
    assert [entry["path"] for entry in sent["entries"]] == ["/etc/content", "/etc/mode"]
    assert sent["contents"] == {"/etc/content": base64.b64encode(b"content").decode()}


def test_a_failure_on_the_host_is_passed_on_as_it_is(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app.conf")
    controller.found = {"failed": True, "msg": "no space left on device"}
    assert controller.run("app")["msg"] == "no space left on device"


# ---- differences


def test_a_difference_shows_what_is_there_and_what_was_declared(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app.conf", "declared\n")
    before = {"/etc/app.conf": base64.b64encode(b"by hand\n").decode()}
    controller.found = {"files": {"/etc/app.conf": ["content"]}, "before": before}
    (shown,) = controller.run("app", diff=True)["diff"]
    assert controller.sent[-1]["show"] == ["/etc/app.conf"]
    assert (shown["before"], shown["after"]) == ("by hand\n", "declared\n")
    assert shown["before_header"] == "/etc/app.conf"


def test_a_difference_of_mode_alone_says_so_without_content(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app.conf", "declared\n")
    controller.found = {"files": {"/etc/app.conf": ["mode", "owner"]}}
    (shown,) = controller.run("app", diff=True)["diff"]
    assert shown["prepared"] == "/etc/app.conf: mode, owner\n"
    assert "declared" not in json.dumps(shown)


def test_of_a_secret_only_the_fact_that_it_differs_is_shown(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app.key", "hunter2\n")
    roles.write("app/vars/main.yml", "app_rootfs: [{match: /etc/app.key, secret: true}]\n")
    controller.found = {"files": {"/etc/app.key": ["content"]}}
    found = controller.run("app", diff=True)
    assert controller.sent[-1]["show"] == []
    assert found["diff"] == [
        {"before_header": "/etc/app.key", "after_header": "/etc/app.key", "prepared": "/etc/app.key: content\n"}
    ]
    assert "hunter2" not in json.dumps([found, controller.sent])


def test_without_a_wish_for_differences_no_content_is_read(roles: Roles, controller: Controller) -> None:
    roles.write("app/rootfs/etc/app.conf")
    assert "diff" not in controller.run("app")
    assert controller.sent[-1]["show"] == []


# ---- packages


def test_the_host_is_told_which_versions_there_are(roles: Roles, controller: Controller) -> None:
    roles.write("app/vars/main.yml", "app_packages: [app]\n")
    controller.run("app", offered={"app": "1.0-2", "libapp": "1.0-2"})
    assert controller.sent[-1]["offered"] == {"app": "1.0-2", "libapp": "1.0-2"}


def test_of_outdated_packages_the_daemons_of_the_roles_that_declare_them_are_known(
    roles: Roles, controller: Controller
) -> None:
    roles.write("web/vars/main.yml", "web_packages: [web]\nweb_units: [{name: web.service}]\n")
    roles.write(
        "app/vars/main.yml",
        """\
        app_packages: [web, app]
        app_units:
          - {name: app.service}
          - {name: app-prepare.service, oneshot: true}
          - {name: app.timer}
          - {name: app-extra.service, state: stopped}
        """,
    )
    controller.found = {"outdated": {"libapp": ["1", "2"]}}
    found = controller.run("web", "app")
    assert found["outdated"] == {"libapp": ["1", "2"]}
    assert found["daemons"] == {"web": ["web.service", "app.service"], "app": ["app.service"]}


# ---- rendering


def test_rendering_writes_every_file_and_all_that_is_declared_without_asking_a_host(
    roles: Roles, controller: Controller, tmp_path: Path
) -> None:
    roles.write("app/rootfs/etc/app.conf.j2", "{{ 'a' + 'b' }}\n")
    roles.write(
        "app/vars/main.yml",
        """\
        app_packages: [app]
        app_units: [{name: app.service}]
        app_flows: [{user: app, to: [any], protocol: tcp, port: 25, reason: mail}]
        app_listens: [{protocol: tcp, port: "{{ app_port }}", from: [any], reason: mail}]
        app_deviations: [{client: web, reasons: {nonce: it sends none}}]
        """,
    )
    to = tmp_path / "rendered"
    controller.run("app", phase="render", to=str(to), variables={"app_port": 2525})
    assert controller.sent == []
    assert (to / "etc/app.conf").read_text() == "ab\n"
    assert json.loads((to / "declared.json").read_text()) == {
        "packages": ["app"],
        "units": [{"name": "app.service", "role": "app"}],
        "flows": [{"user": "app", "to": ["any"], "protocol": "tcp", "port": 25, "reason": "mail", "role": "app"}],
        "listens": [{"protocol": "tcp", "port": 2525, "from": ["any"], "reason": "mail", "role": "app"}],
        "deviations": [{"client": "web", "reasons": {"nonce": "it sends none"}, "role": "app"}],
    }
    (entry,) = json.loads((to / "entries.json").read_text())
    assert (entry["path"], entry["owner"]) == ("/etc/app.conf", "root")
