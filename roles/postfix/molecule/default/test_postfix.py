"""Mail transport, seen on a bare host (no directory, no mail store: what Postfix decides by itself)."""


def say(host, *lines, port=25):
    """The server's answers to a few commands on a plain connection."""
    script = (
        "import socket, sys\n"
        f"s = socket.create_connection(('127.0.0.1', {port}), 10); f = s.makefile('rwb')\n"
        "def answer():\n"
        "    said = b''\n"
        "    while True:\n"
        "        line = f.readline(); said += line\n"
        "        if line[3:4] != b'-': return said.decode()\n"
        "print(answer(), end='')\n"
        f"for line in {list(lines)!r}:\n"
        "    f.write(line.encode() + b'\\r\\n'); f.flush(); print(answer(), end='')\n"
    )
    return host.check_output("python3 -c %s", script)


def test_the_configuration_has_nothing_that_postfix_does_not_know(host):
    assert host.run("postfix check").stderr == ""
    assert "unused parameter" not in host.run("postconf -n 2>&1 >/dev/null").stdout


def test_nobody_can_log_in_before_tls_or_on_the_port_for_the_world(host):
    assert "AUTH" not in say(host, "EHLO elders.test")
    assert "AUTH" not in say(host, "EHLO elders.test", port=587)
    assert "STARTTLS" in say(host, "EHLO elders.test", port=587)


def test_submission_without_tls_is_refused(host):
    assert "530 5.7.0 Must issue a STARTTLS" in say(host, "EHLO elders.test", "MAIL FROM:<a@voorbeeld.test>", port=587)


def test_addresses_are_not_given_away(host):
    assert "502 5.5.1" in say(host, "EHLO elders.test", "VRFY postmaster")


def test_old_protocols_and_ciphers_are_refused(host):
    for flags in ("-tls1_1", "-tls1_2 -cipher AES128-SHA256"):
        assert host.run(f"openssl s_client -connect 127.0.0.1:465 {flags} </dev/null").rc != 0
    assert host.run("openssl s_client -connect 127.0.0.1:465 -tls1_3 </dev/null").rc == 0


def test_the_directory_password_is_readable_by_postfix_only(host):
    for name in ("recipients", "aliases", "lists", "disabled", "owners", "teams"):
        file = host.file(f"/etc/postfix/ldap/{name}.cf")
        assert (file.user, file.group, file.mode) == ("root", "postfix", 0o640)
