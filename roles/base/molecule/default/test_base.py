"""What every host has, seen on a bare host."""

import json


def test_the_firewall_denies_by_default_in_every_direction(host):
    chains = [
        item["chain"]
        for item in json.loads(host.check_output("nft -j list table inet bsw"))["nftables"]
        if "chain" in item
    ]
    assert {chain["name"]: chain["policy"] for chain in chains} == {
        "input": "drop",
        "forward": "drop",
        "output": "drop",
    }


def test_an_undeclared_flow_is_refused_and_remembered_with_its_user(host):
    refused = host.run("runuser -u nobody -- bash -c 'exec 3<>/dev/tcp/198.18.10.1/4444'")
    assert "No route to host" in refused.stderr
    remembered = host.check_output("nft -j list set inet bsw refused4")
    uid = host.user("nobody").uid
    keys = [element["elem"]["val"]["concat"] for element in json.loads(remembered)["nftables"][1]["set"]["elem"]]
    assert any(key[1] == "198.18.10.1" and key[3] == 4444 and key[0] in ("nobody", uid) for key in keys)


def test_ssh_takes_keys_only(host):
    effective = host.check_output("sshd -T").splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin without-password"} <= set(
        effective
    )


def test_a_weak_cipher_is_not_offered_by_any_program(host):
    ciphers = host.check_output("openssl ciphers -s -tls1_2").split(":")
    assert ciphers
    assert all(cipher.startswith("ECDHE-") and ("GCM" in cipher or "CHACHA20" in cipher) for cipher in ciphers)


def test_the_journal_survives_a_restart(host):
    assert "Storage=persistent" in host.file("/etc/systemd/journald.conf.d/bsw.conf").content_string
    assert host.file("/var/log/journal").is_directory
