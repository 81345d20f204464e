"""The bundle over HTTP: its files, and nothing else."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.bundle import serve, serving

BIG = bytes(range(256)) * 20_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files, and a secret beside it."""
    tree = tmp_path / "bundle"
    (tree / "apt/pool").mkdir(parents=True)
    (tree / "apt/pool/g++_1~2+3_amd64.deb").write_bytes(BIG)
    (tree / "bundle.lock").write_text("{}")
    (tree / "linked").symlink_to("bundle.lock")
    (tree / "outside").symlink_to("../secret")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "bundle-key").mkdir()
    (tmp_path / "bundle-key/secret").write_text("secret")
    return tree


@pytest.fixture
def client(tree: Path) -> Iterator[http.client.HTTPConnection]:
    with serving(tree) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        yield connection
        connection.close()


def ask(client: http.client.HTTPConnection, path: str, method: str = "GET") -> tuple[int, bytes]:
    client.putrequest(method, path, skip_accept_encoding=True)
    client.endheaders()
    answer = client.getresponse()
    return answer.status, answer.read()


def test_a_file_is_sent_whole(client: http.client.HTTPConnection) -> None:
    assert ask(client, "/apt/pool/g%2b%2b_1%7e2%2b3_amd64.deb") == (200, BIG)


def test_one_connection_serves_many_files(client: http.client.HTTPConnection) -> None:
    for _ in range(50):
        assert ask(client, "/bundle.lock") == (200, b"{}")
    assert ask(client, "/linked") == (200, b"{}")


def test_head_says_the_length_only(client: http.client.HTTPConnection) -> None:
    client.request("HEAD", "/apt/pool/g++_1~2+3_amd64.deb")
    answer = client.getresponse()
    assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, str(len(BIG)), b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/%2e%2e/secret",
        "/apt/../../secret",
        "/apt/%2e%2e%2f%2e%2e%2fsecret",
        "//../secret",
        "/outside",
        "/../bundle-key/secret",
        "/bundle.lock%00",
        "/%ff",
        "secret",
        "http://elsewhere.test/bundle.lock",
        "//etc/passwd",
    ],
)
def test_nothing_outside_the_bundle_is_sent(client: http.client.HTTPConnection, path: str) -> None:
    status, body = ask(client, path)
    assert status == 404
    assert b"secret" not in body


@pytest.mark.parametrize("path", ["/", "/apt", "/apt/", "/apt/pool/"])
def test_folders_are_not_listed(client: http.client.HTTPConnection, path: str) -> None:
    status, body = ask(client, path)
    assert status == 404
    assert b"pool" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(client: http.client.HTTPConnection, tree: Path, method: str) -> None:
    assert ask(client, "/bundle.lock", method)[0] == 501
    assert (tree / "bundle.lock").read_text() == "{}"


def test_a_new_bundle_is_served_as_soon_as_it_has_the_name(tmp_path: Path, tree: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tree)
    new = tmp_path / "new"
    new.mkdir()
    (new / "bundle.lock").write_text("new")
    with serving(link) as port:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        assert ask(client, "/bundle.lock") == (200, b"{}")
        link.unlink()
        assert ask(client, "/bundle.lock")[0] == 404
        client.close()
        link.symlink_to(new)
        assert ask(client, "/bundle.lock") == (200, b"new")
        client.close()


def test_the_port_is_free_again_afterwards(tree: Path) -> None:
    with serving(tree) as port:
        pass
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_only_this_machine_can_reach_it(tree: Path) -> None:
    with serving(tree) as port, socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_a_client_that_leaves_is_no_news(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tree) as port:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET /apt/pool/g++_1~2+3_amd64.deb HTTP/1.1\r\n\r\n")
                client.recv(1)
        after = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        assert ask(after, "/bundle.lock")[0] == 200
        after.close()
    assert capsys.readouterr().err == ""


def test_a_unix_socket_will_do(tmp_path: Path, tree: Path) -> None:
    path = tmp_path / "socket"
    path.touch()  # left by one that was killed
    threading.Thread(target=serve, args=(tree, path), daemon=True).start()
    for _ in range(1000):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            if client.connect_ex(str(path)) == 0:
                client.sendall(b"GET /bundle.lock HTTP/1.1\r\nConnection: close\r\n\r\n")
                assert client.makefile("rb").read().endswith(b"\r\n\r\n{}")
                return
    pytest.fail("the socket never came")


def test_a_socket_that_listens_already_will_do(tree: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(tree, listener), daemon=True).start()
    client = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=5)
    assert ask(client, "/bundle.lock") == (200, b"{}")
    client.close()


@pytest.mark.parametrize(("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_an_address_will_do(tree: Path, address: str, family: socket.AddressFamily) -> None:
    with socket.create_server((address, 0), family=family) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            serve(tree, (address, port))
