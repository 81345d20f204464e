"""A good inventory on disk, small enough to keep in mind; the tests break it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from deploy import paths

FILES = {
    "lab/hosts.yml": """\
        all:
          children:
            internet:
              hosts:
                outside:
                  ipv4: 198.18.10.14
                  ipv6: "fd00:18:10::14"
                  runs: [dns, acme_authority]
            rijk:
              hosts:
                stack:
                  ansible_host: 198.18.10.11
                  ipv4: 198.18.10.11
                  ipv6: "fd00:18:10::11"
                  runs: [dns, certificates, directory, mail, antivirus, web]
                reserve:
                  ipv4: 198.18.10.13
                  ipv6: "fd00:18:10::13"
                  extra_addresses: [198.18.10.23]
                  runs: [dns]
        """,
    "lab/group_vars/all/main.yml": """\
        platform:
          environment: lab
          primary: rijk
          management: [198.18.10.1]
          dns_root:
            - {name: ns1.test, ipv4: 198.18.10.14, ipv6: "fd00:18:10::14"}
          acme:
            directory: https://acme.test:14000/dir
        ansible_user: root
        """,
    "lab/group_vars/internet/main.yml": """\
        organisation:
          name: Internet
          domain: test
          contact: hostmaster@test
          zones: [".", 18.198.in-addr.arpa.]
        components:
          dns: powerdns
          acme_authority: pebble
          mail: off
        """,
    "lab/group_vars/rijk/main.yml": """\
        organisation:
          name: Voorbeeldrijk
          domain: rijk.test
          contact: security@rijk.test
        components:
          dns: powerdns
          certificates: acme
          directory: openldap
          mail: postfix
          antivirus: clamav
          web: nginx
        postfix_message_size: 50
        """,
    "roles/postfix/meta/argument_specs.yml": """\
        argument_specs:
          main:
            options:
              postfix_message_size: {type: int, default: 25, description: "largest message in MB"}
              postfix_enabled: {type: bool}
              postfix_networks: {type: list, elements: str}
              postfix_level: {type: str, choices: [low, high]}
              postfix_relay:
                type: dict
                options:
                  host: {type: str, required: true}
                  port: {type: int}
              postfix_relay_secret: {type: str, required: true}
        """,
}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the good inventory, as a person in its parent directory would name it."""
    for name, content in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "ROLES", tmp_path / "roles")
    monkeypatch.setattr(paths, "CONFIG", tmp_path / "config")
    return Path("lab")
