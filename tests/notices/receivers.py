"""Real receivers on this machine: a web server for webhooks, a mail server that keeps what it is given, a clock."""

import json
import socketserver
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Clock:
    """A ledger's clock that the test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, **span: float) -> None:
        self.moment += timedelta(**span)


class _Running:
    """A server in a thread of its own, on a free port."""

    server: socketserver.TCPServer

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


class Webhook(_Running):
    """Keeps every request; ``answer`` is its status, ``on_request`` what happens before it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict, dict]] = []
        self.answer = 200
        self.on_request: Callable[[], None] = lambda: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((json.loads(body), dict(self.headers)))
                outer.on_request()
                self.send_response(outer.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [headers["X-Landed-Notice"] for _, headers in self.got]


class MailSink(_Running):
    """The least of SMTP (RFC 5321) that a client needs; keeps recipients and messages."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], EmailMessage]] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                recipients: list[str] = []
                self.reply("220 sink")
                while line := self.rfile.readline():
                    command = line.decode().strip()
                    if command.upper().startswith("RCPT"):
                        recipients.append(command.split("<")[1].split(">")[0])
                    if command.upper() == "DATA":
                        self.reply("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        raw = b"".join(one.removeprefix(b".") if one.startswith(b"..") else one for one in lines)
                        outer.got.append((recipients, message_from_bytes(raw, policy=policy.default)))
                    self.reply("221 bye" if command.upper() == "QUIT" else "250 ok")
                    if command.upper() == "QUIT":
                        return

            def reply(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?smtp=127.0.0.1&from=landed@example.com&mode=insecure"
