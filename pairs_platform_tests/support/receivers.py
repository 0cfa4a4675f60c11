"""Local receivers of messages: a web server for webhooks, Slack and SMS gateways, and a mail server."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pairs_platform_tests.support.waiting import WAIT_SECONDS


class WebReceiver:
    """Keeps what was posted; answers with the next of `statuses`, then with 200."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str]] = []
        self.statuses: list[int] = []
        self.port = 0

    @property
    def texts(self) -> list[str]:
        """Everything that was posted and taken."""
        return [text for _, text in self.posted]


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    found = WebReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status = found.statuses.pop(0) if found.statuses else 200
            if status == 200:
                found.posted.append((self.path, text))
            answer = b"ok" if "services" in self.path else json.dumps({"result": {"status": "ok"}}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_SECONDS)


class MailReceiver:
    """Keeps mails as (subject, text)."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str]] = []
        self.port = 0


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    """A mail server that speaks as much of RFC 5321 as a client needs."""
    found = MailReceiver()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 test")
            while line := self.rfile.readline().decode().strip():
                if line.upper().startswith("DATA"):
                    self.say("354 go on")
                    found.mails.append(self.mail())
                    self.say("250 taken")
                elif line.upper().startswith("QUIT"):
                    self.say("221 bye")
                    return
                else:
                    self.say("250 test")

        def mail(self) -> tuple[str, str]:
            lines = []
            while (line := self.rfile.readline().decode()) != ".\r\n":
                lines.append(line)
            read = message_from_string("".join(lines), policy=default)
            body = read.get_body(("plain", "html"))
            return str(read["subject"]), body.get_content()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    server = Server(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_SECONDS)
