"""An S3 server on this machine, whose objects and requests a test can see."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

pytest.register_assert_rewrite("analysis.store.testing")

CREDENTIALS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
}
REQUEST = re.compile(r"(HEAD|GET|PUT|POST|DELETE) (/\S*) HTTP")
DENY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"],
}


class Bucket(logging.Handler):
    """The bucket `bucket` of moto's server; a handler of the log in which each request is a line.

    It is seen with boto3, which shares no code with the client of pyarrow that is tested.
    """

    def __init__(self, port: int, client: Any) -> None:
        super().__init__()
        self._port = port
        self._client = client
        self.requests: list[tuple[str, str]] = []

    def address(self, path: str) -> str:
        """The address of a path for `analysis.load`."""
        options = f"scheme=http&endpoint_override=127.0.0.1:{self._port}&region=us-east-1"
        return f"s3://key:secret@bucket/{path}?{options}"

    @property
    def keys(self) -> set[str]:
        """The keys of all objects."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket="bucket")
        return {found["Key"] for page in pages for found in page.get("Contents", ())}

    def content(self, key: str) -> bytes:
        return self._client.get_object(Bucket="bucket", Key=key)["Body"].read()

    def overwrite(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket="bucket", Key=key, Body=content)

    def forbid(self) -> None:
        """Refuse every request to the bucket, by a policy."""
        policy = json.dumps({"Version": "2012-10-17", "Statement": [DENY]})
        self._client.put_bucket_policy(Bucket="bucket", Policy=policy)

    def emit(self, record: logging.LogRecord) -> None:
        if found := REQUEST.search(record.getMessage()):
            self.requests.append((found[1], found[2]))


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    moto = pytest.importorskip("moto.server", reason="the S3 server comes with the extra `dev`")
    import boto3

    log = logging.getLogger("werkzeug")
    level = log.level
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        _, port = server.get_host_and_port()
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **CREDENTIALS)
        client.create_bucket(Bucket="bucket")
        found = Bucket(port, client)
        log.addHandler(found)
        log.setLevel(logging.INFO)
        yield found
        log.removeHandler(found)
        reset = Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")
        urlopen(reset).close()  # the objects of all servers of a process are one dictionary
    finally:
        log.setLevel(level)
        server.stop()
