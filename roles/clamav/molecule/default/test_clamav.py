"""The virus scanner, seen on a bare host."""

# assembled here, so that no scanner stumbles over this repository
EICAR = "".join(["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE", "!$H+H*"])


def test_the_test_virus_is_found(host):
    host.run_expect([0], f"printf %s '{EICAR}' > /tmp/sample")
    assert "Lab.Eicar-Test" in host.run("clamdscan --fdpass /tmp/sample").stdout


def test_a_clean_file_is_let_through(host):
    assert host.run("clamdscan --fdpass /etc/hostname").rc == 0


def test_nobody_is_asked_for_signatures_unless_the_inventory_names_a_source(host):
    assert host.run("systemctl is-enabled clamav-freshclam.service").stdout.strip() == "masked"
    effective = host.check_output("clamconf")
    assert "database.clamav.net" not in effective
    assert 'DNSDatabaseInfo = "no"' in effective or "DNSDatabaseInfo disabled" in effective
