"""Far ends that the tests start on the loopback themselves: an MLflow server, and S3-compatible storage."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from pipeline.settings import Settings

BUCKET = "landed"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mlflow_server(folder: Path, *arguments: str, port: int = 0, **environment: str) -> Iterator[str]:
    """The URL of a running MLflow server that keeps everything in a folder; on a given port, or on any."""
    port = port or free_port()
    command = [
        str(Path(sys.executable).parent / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"), *arguments,
    ]  # fmt: skip
    quiet = {**Settings().quiet_environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "TMPDIR": str(folder)}
    log = folder / "server.log"
    with log.open("wb") as out:
        everything = {**os.environ, **quiet, **environment}
        process = subprocess.Popen(command, stdout=out, stderr=out, env=everything, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/health", process, log)
        yield url
    finally:
        # With its workers, which would wait for connections to end.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 150
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no MLflow server: {log.read_text(errors='replace')[-2000:]}")


@dataclass(frozen=True)
class Storage:
    """S3-compatible storage with one empty bucket."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it; the credentials are dummies that only this fake accepts."""
        return {
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self):
        import boto3

        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.endpoint, **keys)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


@pytest.fixture(scope="session")
def storage() -> Iterator[Storage]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    far_end = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    far_end.start()
    host, port = far_end.get_host_and_port()
    made = Storage(f"http://{host}:{port}")
    made.client().create_bucket(Bucket=BUCKET)
    yield made
    far_end.stop()
