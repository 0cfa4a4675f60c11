"""A local server that speaks S3, and empty buckets on it."""

import copy
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pairs_platform.lake.files import object_folder
from pairs_platform_tests.support.waiting import WAIT_SECONDS


@dataclass(frozen=True)
class ObjectStorage:
    """A running server with one empty bucket.

    Attributes
    ----------
    url : str
    options : dict
        Arguments of s3fs.
    """

    url: str
    options: dict[str, Any]

    @property
    def folder(self) -> Any:
        return object_folder(self.url, copy.deepcopy(self.options))

    @property
    def options_json(self) -> str:
        return json.dumps(self.options)


@contextmanager
def running_s3() -> Iterator[str]:
    """URL of the server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def new_bucket(endpoint: str) -> ObjectStorage:
    import boto3

    keys = {"key": "planted-key-id", "secret": "planted-secret-key"}
    name = f"bucket-{uuid.uuid4().hex}"
    boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=keys["key"],
        aws_secret_access_key=keys["secret"],
        region_name="us-east-1",
    ).create_bucket(Bucket=name)
    client = {"region_name": "us-east-1"}
    retries = {"retries": {"max_attempts": 1}, "connect_timeout": WAIT_SECONDS, "read_timeout": WAIT_SECONDS}
    return ObjectStorage(
        f"s3://{name}/lakes/mine",
        {"endpoint_url": endpoint, **keys, "client_kwargs": client, "config_kwargs": retries},
    )
