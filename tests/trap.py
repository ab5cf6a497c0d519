"""A trap for processes: whoever looks up or calls a host other than this machine is written down, and refused."""

import os
import subprocess
import sys
from pathlib import Path

#: Notes every name that is looked up and every address that is called; uvloop would do both out of sight.
_TRAP = """
import os, sys
sys.modules["uvloop"] = None
def note(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "::1") and not str(host).startswith("127."):
        with open(os.environ["LANDED_TEST_TRAP"], "a") as trap:
            trap.write(f"{host} {sys.argv}\\n")
        raise OSError(f"the network is blocked in this test: {host}")
sys.addaudithook(note)
"""


def trapped(folder: Path, caught: Path) -> dict[str, str]:
    """Variables with which a Python process and its children walk into the trap.

    Args:
        folder: is made; holds the trap.
        caught: the file that whatever is caught is written into; not made while nothing is.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_TRAP)
    return {"PYTHONPATH": str(folder), "LANDED_TEST_TRAP": str(caught)}


def assert_it_works(folder: Path) -> None:
    """A child of the same surroundings that looks somebody up is caught."""
    control = folder / "control"
    code = "import socket\ntry: socket.getaddrinfo('landed.invalid', 80)\nexcept OSError: pass"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **trapped(folder, control)}, check=True)
    assert "landed.invalid" in control.read_text()
