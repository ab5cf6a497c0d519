"""Small programs that play parts: ``python acting.py ROLE …``. Only the standard library, to start at once."""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def beat(file: str, *births: str) -> None:
    """Touches a file for ever; notes each of its births in another."""
    for births_file in births:
        with Path(births_file).open("a") as noted:
            noted.write(f"{time.monotonic()} {os.getpid()}\n")
    while True:
        Path(file).touch()
        time.sleep(0.05)


def crash(births: str, code: str) -> None:
    """Notes its birth and ends with a code."""
    with Path(births).open("a") as noted:
        noted.write(f"{time.monotonic()} {os.getpid()}\n")
    sys.exit(int(code))


def page(port: str, sick: str, births: str) -> None:
    """Answers 200, but not at all while the file ``sick`` is there."""
    with Path(births).open("a") as noted:
        noted.write(f"{time.monotonic()} {os.getpid()}\n")

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            while Path(sick).exists():
                time.sleep(0.05)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    HTTPServer(("127.0.0.1", int(port)), Answer).serve_forever()


def family(file: str, born: str) -> None:
    """Has a child in its group and one that left it; nobody of them listens to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    command = [sys.executable, "-I", "-S", "-c", stubborn]
    children = [subprocess.Popen(command), subprocess.Popen(command, start_new_session=True)]
    Path(born).write_text(json.dumps([os.getpid(), *(child.pid for child in children)]))
    beat(file)


def last_word(file: str, heard: str) -> None:
    """Notes when it was asked to stop."""

    def note(*_: object) -> None:
        with Path(heard).open("a") as noted:
            noted.write(f"{Path(file).stem}\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, note)
    beat(file)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
