"""Servers behind TLS, with a certificate authority of the test; those of the wheels speak none themselves."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])
"""With which a client of PostgreSQL asks for TLS; the server answers S. https://www.postgresql.org/docs/current/protocol-message-formats.html"""


@dataclass(frozen=True)
class Authority:
    """A certificate authority.

    Attributes
    ----------
    file : Path
        Its certificate, for clients.
    context : ssl.SSLContext
        Of a server that is called localhost and nothing else.
    """

    file: Path
    context: ssl.SSLContext


def make_authority(folder: Path, name: str) -> Authority:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    path = folder / f"{name}.pem"
    authority.cert_pem.write_to_path(str(path))
    return Authority(path, context)


@contextmanager
def behind_tls(authority: Authority, connect: Callable[[], socket.socket], *, postgres: bool) -> Iterator[int]:
    """Port of a proxy that ends TLS in front of a plain server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, authority, connect, postgres), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(
    listener: socket.socket, authority: Authority, connect: Callable[[], socket.socket], postgres: bool
) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, authority, connect, postgres), daemon=True).start()


def _serve(client: socket.socket, authority: Authority, connect: Callable[[], socket.socket], postgres: bool) -> None:
    with client:
        try:
            if postgres:
                if client.recv(8) != SSL_REQUEST:
                    return
                client.sendall(b"S")
            inner = authority.context.wrap_socket(client, server_side=True)
        except (ssl.SSLError, OSError):
            return
        with inner, connect() as outer:
            back = threading.Thread(target=_pipe, args=(outer, inner), daemon=True)
            back.start()
            _pipe(inner, outer)
            back.join()  # a socket that is closed while it is read would leave its number to another one


def _pipe(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        return
    finally:
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
