"""The database server on a bare host: who gets in, with what, and that nothing is made twice."""

from shlex import quote
from typing import Any


def ask(host: Any, statement: str, database: str = "postgres") -> str:
    """What the superuser is told."""
    return str(host.check_output(f"runuser -u postgres -- psql -XAtc {quote(statement)} {database}"))


def log_in(host: Any, user: str, password: str, where: str = "host=/run/postgresql") -> Any:
    """An application logs in; the password is in the environment, as libpq has it."""
    where = f"user={user} dbname={user} {where}"
    return host.run(f"PGPASSWORD={password} psql -XAtc 'SELECT current_user' {quote(where)}")


def test_an_application_owns_its_database(host: Any) -> None:
    for name in ("lemonldap", "sogo"):
        question = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocprovider, datlocale"
        assert ask(host, f"{question} FROM pg_database WHERE datname = '{name}'") == f"{name}|UTF8|b|C.UTF-8"


def test_an_application_logs_in_with_its_password_only(host: Any) -> None:
    for where in ("host=/run/postgresql", "host=127.0.0.1 sslmode=require", "host=::1 sslmode=require"):
        assert log_in(host, "lemonldap", "only-for-this-test-1", where).stdout == "lemonldap\n"
        assert "authentication failed" in log_in(host, "lemonldap", "only-for-this-test-2", where).stderr


def test_nobody_enters_anothers_database(host: Any) -> None:
    for other in ("sogo", "postgres"):
        refused = log_in(host, "lemonldap", "only-for-this-test-1", f"host=/run/postgresql dbname={other}")
        assert "no pg_hba.conf entry" in refused.stderr


def test_tcp_is_encrypted_or_refused(host: Any) -> None:
    assert "no encryption" in log_in(host, "sogo", "only-for-this-test-2", "host=127.0.0.1 sslmode=disable").stderr


def test_it_listens_on_loopback_only(host: Any) -> None:
    addresses = {line.split()[3] for line in host.check_output("ss -Hltn sport = :5432").splitlines()}
    assert addresses == {"127.0.0.1:5432", "[::1]:5432"}


def test_pages_have_checksums_and_memory_is_as_declared(host: Any) -> None:
    assert ask(host, "SHOW data_checksums") == "on"
    assert ask(host, "SHOW shared_buffers") == "128MB"
    assert ask(host, "SELECT count(*) FROM pg_file_settings WHERE NOT applied") == "0"


def test_asking_again_changes_nothing(host: Any) -> None:
    question = "SELECT rolname, rolpassword FROM pg_authid ORDER BY 1"
    before = ask(host, question)
    host.check_output("systemctl restart bsw-postgresql-databases.service")
    assert ask(host, question) == before


def test_the_passwords_are_in_no_log(host: Any) -> None:
    assert "only-for-this-test" not in host.check_output("journalctl -b --no-pager -u '*postgresql*'")


def test_the_server_can_do_nothing_beyond_its_job(host: Any) -> None:
    assert host.check_output("systemctl show -P NRestarts postgresql@17-main.service") == "0"
    assert host.check_output("systemctl show -P ProtectSystem postgresql@17-main.service") == "strict"
    assert host.check_output("systemctl show -P User postgresql@17-main.service") == "postgres"
