"""Secrets: made once, random, independent, and readable by nobody without the key."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy import paths
from deploy.errors import Refused
from deploy.inventory import load, secrets, vault

RIJK = "group_vars/rijk/secrets.yml"


@pytest.fixture
def key(lab: Path) -> Path:
    """Where the key of the inventory is."""
    return vault.key_path("lab")


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_each_organisation_gets_the_secrets_of_its_roles_and_no_others(lab: Path) -> None:
    made = secrets.ensure(lab)
    found = secrets.read(load(lab))
    assert set(found["internet"]) == {"pebble_key_secret", "powerdns_api_secret", "powerdns_dnssec_secret"}
    elsewhere = ("pebble", "lemonldap", "sogo")
    assert set(found["rijk"]) == {name for name in secrets.SECRETS if not any(role in name for role in elsewhere)}
    assert set(made) == {f"{organisation}/{name}" for organisation, names in found.items() for name in names}


def test_a_second_time_nothing_is_made_and_no_file_is_touched(lab: Path) -> None:
    secrets.ensure(lab)
    before = (lab / RIJK).read_bytes()
    assert secrets.ensure(lab) == []
    assert (lab / RIJK).read_bytes() == before


def test_a_secret_that_is_there_stays_when_others_are_made(lab: Path) -> None:
    edit(lab / "group_vars/rijk/main.yml", "antivirus: clamav", "antivirus: off")
    edit(lab / "group_vars/rijk/main.yml", "mail: postfix", "mail: off")
    edit(lab / "hosts.yml", "directory, mail, antivirus, web", "directory, web")
    secrets.ensure(lab)
    before = secrets.read(load(lab))["rijk"]
    assert "rspamd_dkim_secret" not in before
    edit(lab / "group_vars/rijk/main.yml", "mail: off", "mail: postfix")
    edit(lab / "hosts.yml", "directory, web", "directory, mail, web")
    made = secrets.ensure(lab)
    after = secrets.read(load(lab))["rijk"]
    assert made == ["rijk/rspamd_controller_secret", "rijk/rspamd_dkim_secret"]
    assert before.items() <= after.items()


def test_no_two_secrets_are_alike(lab: Path) -> None:
    secrets.ensure(lab)
    values = [value for one in secrets.read(load(lab)).values() for value in one.values()]
    assert len(values) == len(set(values))


def test_the_same_inventory_gets_other_secrets_elsewhere(lab: Path) -> None:
    secrets.ensure(lab)
    first = secrets.read(load(lab))
    for file in lab.glob("group_vars/*/secrets.yml"):
        file.unlink()
    secrets.ensure(lab)
    second = secrets.read(load(lab))
    assert not {*first["rijk"].values()} & {*second["rijk"].values()}


def test_passwords_have_256_random_bits() -> None:
    assert all(len(secrets.password()) == 43 for _ in range(10))


def test_keys_are_what_their_consumers_take() -> None:
    curve = load_pem_private_key(secrets.p256().encode(), None)
    assert isinstance(curve, ec.EllipticCurvePrivateKey)
    assert curve.curve.name == "secp256r1"
    mail = load_pem_private_key(secrets.rsa2048().encode(), None)
    assert isinstance(mail, rsa.RSAPrivateKey)
    assert (mail.key_size, mail.public_key().public_numbers().e) == (2048, 65537)


def test_nothing_of_a_secret_is_in_the_file(lab: Path) -> None:
    secrets.ensure(lab)
    content = (lab / RIJK).read_text()
    assert content.startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert "secret" not in content


def test_only_the_owner_can_read_the_key_and_the_secrets(lab: Path, key: Path) -> None:
    before = os.umask(0)
    try:
        secrets.ensure(lab)
    finally:
        os.umask(before)
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert (lab / RIJK).stat().st_mode & 0o777 == 0o600


def test_the_key_is_outside_the_inventory(lab: Path, key: Path) -> None:
    assert key == paths.CONFIG / "vault" / "lab.key"


def test_a_key_that_others_can_read_is_refused(lab: Path, key: Path) -> None:
    secrets.ensure(lab)
    key.chmod(0o640)
    with pytest.raises(Refused, match=f"^{key}: others can read the vault key; chmod 600 {key}$"):
        secrets.read(load(lab))


@pytest.mark.parametrize("act", [secrets.ensure, lambda path: secrets.read(load(path))])
def test_secrets_without_their_key_are_refused_and_no_new_key_is_made(
    lab: Path, key: Path, act: Callable[[Path], object]
) -> None:
    secrets.ensure(lab)
    key.unlink()
    with pytest.raises(Refused) as refused:
        act(lab)
    assert str(refused.value) == f"{key}: no vault key; put the key there that the secrets were made with"
    assert not key.exists()


def test_secrets_with_another_key_are_refused(lab: Path, key: Path) -> None:
    secrets.ensure(lab)
    key.write_text("another\n")
    with pytest.raises(Refused) as refused:
        secrets.read(load(lab))
    line = f"lab/group_vars/internet/secrets.yml: cannot be decrypted with {key}; put the key it was made with there"
    assert str(refused.value) == line


def test_every_missing_secret_is_named(lab: Path) -> None:
    with pytest.raises(Refused) as refused:
        secrets.read(load(lab))
    lines = str(refused.value).splitlines()
    inventory = load(lab)
    assert len(lines) == sum(len(secrets.needed(one)) for one in inventory.organisations.values())
    assert lines[0] == (
        "lab/group_vars/internet/secrets.yml: missing secret pebble_key_secret; run `bsw inventory secrets`"
    )


def test_a_vault_that_holds_something_else_is_refused(lab: Path) -> None:
    secrets.ensure(lab)
    vault.Vault("lab").write(lab / RIJK, b"- a\n- b\n")
    with pytest.raises(
        Refused, match=f"^lab/{RIJK}: not a mapping of names to texts; mend it with `ansible-vault edit`$"
    ):
        secrets.read(load(lab))


def test_ansible_reads_the_secrets_with_the_key(lab: Path, key: Path) -> None:
    secrets.ensure(lab)
    ansible = str(Path(sys.executable).parent / "ansible-vault")
    command = [ansible, "view", "--vault-password-file", str(key), str(lab / RIJK)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8", "PATH": ""})
    assert yaml.safe_load(shown.stdout) == secrets.read(load(lab))["rijk"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = lab / "kept"
    vault.write(file, b"old")

    def fail(_: int) -> None:
        raise OSError

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):  # noqa: PT011
        vault.write(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(lab.glob(".kept*")) == []


def test_every_secret_that_a_role_requires_is_made() -> None:
    required = set()
    for spec in paths.ROLES.glob("*/meta/argument_specs.yml"):
        options = yaml.safe_load(spec.read_text())["argument_specs"]["main"].get("options") or {}
        required |= {name for name, option in options.items() if name.endswith("_secret") and option.get("required")}
    assert required <= secrets.SECRETS.keys()
