from __future__ import annotations

import pytest

from deploy.sovereignty.listening import Socket, sockets, undeclared

LISTED = """\
udp UNCONN 0      0      127.0.0.1:53 0.0.0.0:* users:(("unbound",pid=7568,fd=3))
udp UNCONN 0      0   127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=9,fd=3))
udp UNCONN 0      0   198.18.10.11:53 0.0.0.0:* users:(("pdns_server",pid=1,fd=5))
udp UNCONN 0      0   198.18.10.11%host0:68 0.0.0.0:* users:(("systemd-network",pid=2,fd=5))
udp UNCONN 0      0   [fe80::1]%host0:546 [::]:* users:(("systemd-network",pid=2,fd=6))
tcp LISTEN 0      128      0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=66,fd=6))
tcp LISTEN 0      128         [::]:22    [::]:* users:(("sshd",pid=66,fd=7),("systemd",pid=1,fd=3))
tcp LISTEN 0      256        [::1]:53    [::]:* users:(("unbound",pid=7568,fd=6))
tcp LISTEN 0      256  [::ffff:127.0.0.1]:8080 *:* users:(("java",pid=8,fd=6))
tcp LISTEN 0      511            *:80        *:* users:(("nginx",pid=3,fd=6),("nginx",pid=4,fd=6))
tcp LISTEN 0      64       0.0.0.0:2049 0.0.0.0:*
"""
SSH = {"protocol": "tcp", "port": 22}
DNS = {"protocol": "udp", "port": "53"}


def test_loopback_is_nobody_elses_business() -> None:
    assert {socket.port for socket in sockets(LISTED)} == {22, 53, 68, 80, 546, 2049}
    assert {socket.program for socket in sockets(LISTED)} >= {"pdns_server", "nginx"}
    assert not {"unbound", "java", "systemd-resolve"} & {socket.program for socket in sockets(LISTED)}


def test_each_program_of_a_socket_is_named_once() -> None:
    assert Socket("tcp", 22, "[::]", "sshd systemd") in sockets(LISTED)
    assert Socket("tcp", 80, "*", "nginx") in sockets(LISTED)


def test_a_socket_that_nobody_declares_is_named_with_program_and_port() -> None:
    found = undeclared(sockets(LISTED), [SSH, DNS], [{"protocol": "udp", "port": 67}, {"protocol": "udp", "port": 547}])
    assert [str(socket) for socket in found] == [
        "nginx on port 80/tcp of *",
        "the kernel on port 2049/tcp of 0.0.0.0",
    ]


def test_a_port_is_declared_for_one_protocol_only() -> None:
    tcp_only = undeclared(sockets(LISTED), [{"protocol": "tcp", "port": 53}], [])
    assert "pdns_server" in {socket.program for socket in tcp_only}


@pytest.mark.parametrize("port", [68, 546])
def test_a_dhcp_client_is_undeclared_where_no_lease_is_asked_for(port: int) -> None:
    assert port in {socket.port for socket in undeclared(sockets(LISTED), [SSH], [])}


def test_nothing_listed_is_nothing_found() -> None:
    assert sockets("\n") == []
