"""The certificate, the key and the trusted roots of a bare host that has no authority to ask."""

import pytest

HERE = "/etc/ssl/bsw"
INSTALL = "BSW_RELOAD= /usr/local/lib/bsw/certificate-install"
MAKE = "openssl req -x509 -new -key %s -subj /CN=nieuw -addext subjectAltName=DNS:nieuw.test -out %s"


def names(host, kind, path):
    shown = host.check_output(f"openssl {kind} -in {path} -noout -text | grep -o 'DNS:[^, ]*'")
    return sorted(line.removeprefix("DNS:") for line in shown.splitlines())


def public_key(host, path=f"{HERE}/fullchain.pem"):
    return host.check_output("openssl x509 -in %s -noout -pubkey", path)


@pytest.fixture
def kept(host):
    """Certificate and key as they were, put back afterwards."""
    host.check_output(f"cp -a {HERE} /run/kept")
    yield
    host.check_output(f"rm -rf {HERE} && mv /run/kept {HERE}")


def test_the_key_is_for_root_and_for_daemons_of_its_group(host):
    key = host.file(f"{HERE}/key.pem")
    assert (key.user, key.group, key.mode) == ("root", "ssl-cert", 0o640)


def test_a_certificate_for_the_key_and_all_names_stands_there_before_any_authority_was_asked(host):
    assert public_key(host) == host.check_output(f"openssl pkey -in {HERE}/key.pem -pubout")
    wanted = sorted(host.file(f"{HERE}/names").content_string.split())
    assert "voorbeeld.test" in wanted
    assert "mail.voorbeeld.test" in wanted
    assert names(host, "x509", f"{HERE}/fullchain.pem") == wanted
    assert names(host, "req", f"{HERE}/request.pem") == wanted


def test_a_daemon_that_starts_finds_its_certificate(host):
    for daemon in ("nginx", "postfix", "dovecot", "slapd"):
        assert host.file(f"/etc/systemd/system/{daemon}.service.wants/bsw-certificate-prepare.service").exists
    before = host.check_output("systemctl show -p Before bsw-certificate-prepare")
    assert all(f"{daemon}.service" in before for daemon in ("nginx", "postfix", "dovecot", "slapd"))


@pytest.mark.usefixtures("kept")
def test_a_new_certificate_for_the_key_is_put_into_place(host):
    host.check_output(MAKE, f"{HERE}/key.pem", "/run/new.pem")
    host.check_output(f"{INSTALL} /run/new.pem")
    assert names(host, "x509", f"{HERE}/fullchain.pem") == ["nieuw.test"]
    assert host.file(f"{HERE}/fullchain.pem").mode == 0o644
    assert host.check_output(f"ls -A {HERE} | grep fullchain") == "fullchain.pem"


@pytest.mark.usefixtures("kept")
def test_a_certificate_for_another_key_is_left_out(host):
    before = public_key(host)
    host.check_output("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out /run/other.key")
    host.check_output(MAKE, "/run/other.key", "/run/other.pem")
    refused = host.run(f"{INSTALL} /run/other.pem")
    assert refused.failed
    assert "is not for the key" in refused.stderr
    assert public_key(host) == before


@pytest.mark.usefixtures("kept")
def test_nothing_but_certificates_gets_into_the_public_file(host):
    host.check_output(MAKE, f"{HERE}/key.pem", "/run/new.pem")
    host.check_output("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 >> /run/new.pem")
    host.check_output(f"{INSTALL} /run/new.pem")
    assert "PRIVATE" not in host.file(f"{HERE}/fullchain.pem").content_string


@pytest.mark.usefixtures("kept")
def test_a_new_key_gets_a_certificate_at_once(host):
    host.check_output(f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {HERE}/key.pem")
    host.check_output("systemctl restart bsw-certificate-prepare")
    assert public_key(host) == host.check_output(f"openssl pkey -in {HERE}/key.pem -pubout")


@pytest.mark.usefixtures("kept")
def test_a_root_of_ones_own_is_trusted_until_it_is_taken_away(host):
    host.check_output(f"cp {HERE}/roots.pem /run/root.pem")
    verify = "openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt -no-CApath -no-CAstore /run/root.pem"
    assert host.run(verify).succeeded
    host.check_output(f": > {HERE}/roots.pem; systemctl start bsw-roots")
    assert host.run(verify).failed
    host.check_output(f"cp /run/root.pem {HERE}/roots.pem; systemctl start bsw-roots")
    assert host.run(verify).succeeded


def test_without_an_authority_nobody_is_asked(host):
    assert not host.file("/etc/systemd/system/bsw-certificate.service").exists
    assert not host.package("dehydrated").is_installed
