"""What a good inventory says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy import paths
from deploy.inventory import load, show
from deploy.inventory.components import CAPABILITIES, EVERYWHERE, ROLE_ORDER

LAB = paths.REPOSITORY / "inventories" / "lab"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_primary_organisation_gives_the_inventory_its_domain_and_components(lab: Path) -> None:
    inventory = load(lab)
    assert (inventory.name, inventory.environment, inventory.primary.id) == ("lab", "lab", "rijk")
    assert inventory.domain == "rijk.test"
    assert inventory.components["mail"] == "postfix"


def test_a_host_has_its_roles_in_the_order_of_converging(lab: Path) -> None:
    hosts = load(lab).hosts
    assert hosts["reserve"].roles == ("base", "unbound", "powerdns")
    assert hosts["outside"].roles == ("base", "unbound", "pebble", "powerdns")
    wanted = "base unbound powerdns certificates openldap nginx clamav rspamd dovecot postfix"
    assert hosts["stack"].roles == tuple(wanted.split())


def test_a_host_is_named_after_itself_and_its_organisation(lab: Path) -> None:
    stack = load(lab).hosts["stack"]
    assert (stack.name, stack.organisation, stack.fqdn) == ("stack", "rijk", "stack.rijk.test")


def test_ssh_finds_a_host_at_its_ipv4_address_unless_told_otherwise(lab: Path) -> None:
    edit(lab / "hosts.yml", "ansible_host: 198.18.10.11", "ansible_host: stack.mgmt.test")
    hosts = load(lab).hosts
    assert hosts["stack"].ansible_host == "stack.mgmt.test"
    assert hosts["reserve"].ansible_host == "198.18.10.13"


def test_addresses_are_in_canonical_form_with_the_main_ones_first(lab: Path) -> None:
    edit(lab / "hosts.yml", '"fd00:18:10::13"', '"FD00:18:10:0:0::13"')
    assert load(lab).hosts["reserve"].addresses == ("198.18.10.13", "fd00:18:10::13", "198.18.10.23")


def test_off_without_quotes_switches_a_capability_off(lab: Path) -> None:
    assert load(lab).organisations["internet"].components["mail"] == "off"


def test_public_names_follow_from_what_runs(lab: Path) -> None:
    organisations = load(lab).organisations
    assert organisations["internet"].public_names == {"acme": "acme.test", "ns1": "ns1.test"}
    keys = ["mail", "ldap", "autoconfig", "autodiscover", "mta-sts", "www", "ns1", "ns2"]
    assert organisations["rijk"].public_names == {key: f"{key}.rijk.test" for key in keys}


def test_a_public_name_can_be_chosen(lab: Path) -> None:
    edit(
        lab / "group_vars/rijk/main.yml",
        "  contact:",
        "  names: {mail: mx.rijk.test, ns2: elders.rijk.test}\n  contact:",
    )
    primary = load(lab).primary
    assert primary.public_names["mail"] == "mx.rijk.test"
    assert list(primary.nameservers) == ["ns1.rijk.test", "elders.rijk.test"]


def test_variables_of_a_host_go_before_those_of_its_organisation_and_of_everyone(lab: Path) -> None:
    (lab / "host_vars").mkdir()
    (lab / "host_vars/stack.yaml").write_text("postfix_message_size: 99\n")
    edit(lab / "group_vars/all/main.yml", "ansible_user: root", "postfix_level: low\npostfix_message_size: 1")
    hosts = load(lab).hosts
    assert hosts["stack"].variables["postfix_message_size"] == 99
    assert hosts["reserve"].variables["postfix_message_size"] == 50
    assert hosts["outside"].variables["postfix_message_size"] == 1
    assert hosts["stack"].variables["postfix_level"] == "low"


def test_variables_may_stand_in_hosts_yml_and_in_single_files(lab: Path) -> None:
    edit(lab / "hosts.yml", "  children:", "  vars: {ansible_port: 22}\n  children:")
    edit(lab / "hosts.yml", "    rijk:", "    rijk:\n      vars: {postfix_level: low}")
    (lab / "group_vars/internet/main.yml").rename(lab / "group_vars/internet.yml")
    inventory = load(lab)
    assert inventory.hosts["stack"].variables["postfix_level"] == "low"
    assert inventory.hosts["outside"].variables["ansible_port"] == 22


def test_a_template_is_left_to_ansible(lab: Path) -> None:
    edit(lab / "group_vars/rijk/main.yml", "postfix_message_size: 50", "postfix_message_size: '{{ 5 * 10 }}'")
    assert load(lab)


def test_an_option_of_a_role_that_declares_nothing_yet_passes(lab: Path) -> None:
    edit(lab / "group_vars/rijk/main.yml", "postfix_message_size: 50", "dovecot_anything: [1]")
    assert load(lab)


@pytest.mark.parametrize(
    "option",
    [
        "postfix_enabled: true",
        "postfix_level: high",
        "postfix_networks: [a, 1]",
        "postfix_networks: []",
        "postfix_relay: {host: mx, port: 25}",
    ],
)
def test_a_right_option_passes(lab: Path, option: str) -> None:
    edit(lab / "group_vars/rijk/main.yml", "postfix_message_size: 50", option)
    assert load(lab)


def test_a_loaded_inventory_cannot_be_changed(lab: Path) -> None:
    inventory = load(lab)
    with pytest.raises(ValidationError):
        inventory.hosts["stack"].ipv4 = "198.18.10.99"


def test_show_has_the_domain_the_components_and_the_hosts(lab: Path) -> None:
    shown = json.loads(json.dumps(show(load(lab))))
    assert shown["domain"] == "rijk.test"
    assert shown["components"]["web"] == "nginx"
    assert shown["hosts"]["reserve"] == {
        "organisation": "rijk",
        "fqdn": "reserve.rijk.test",
        "ansible_host": "198.18.10.13",
        "ipv4": "198.18.10.13",
        "ipv6": "fd00:18:10::13",
        "runs": ["dns"],
        "roles": ["base", "unbound", "powerdns"],
    }


def test_the_table_of_components_names_roles_and_capabilities_that_exist() -> None:
    for capability in CAPABILITIES.values():
        assert {role for roles in capability.components.values() for role in roles} <= set(ROLE_ORDER)
        assert {*capability.needs, *capability.needs_here} <= CAPABILITIES.keys()
    assert set(EVERYWHERE) <= set(ROLE_ORDER)


# the lab that is shipped


def test_the_lab_is_right() -> None:
    inventory = load(LAB)
    assert list(inventory.hosts) == ["outside", "stack", "reserve", "partner"]
    assert inventory.domain == "rijk.test"


def test_ansible_reads_the_same_as_we_do(tmp_path: Path) -> None:
    copy = tmp_path / "lab"
    shutil.copytree(LAB, copy, ignore=shutil.ignore_patterns("secrets.yml", "people"))
    (tmp_path / "ansible.cfg").touch()
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(copy), "--list"]
    environment = {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=tmp_path)
    listed = json.loads(ran.stdout)
    inventory = load(copy)
    assert listed["_meta"]["hostvars"] == {name: host.variables for name, host in inventory.hosts.items()}
    for name, organisation in inventory.organisations.items():
        assert listed[name]["hosts"] == list(organisation.hosts)
