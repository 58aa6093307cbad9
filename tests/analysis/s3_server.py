"""A server that speaks as much of S3 as pyarrow's client asks of one, on the loopback interface.

Objects are in memory and appear when their upload is complete. Requests are written down, so that
a test can see what travelled.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

WHEN = "2026-01-05T09:00:00.000Z"
HTTP_WHEN = "Mon, 05 Jan 2026 09:00:00 GMT"


class Bucket(ThreadingHTTPServer):
    """The objects of all buckets by `bucket/key`, and what was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.uploads: dict[str, dict[int, bytes]] = {}

    def address(self, path: str) -> str:
        """The address of a path for `analysis.load`."""
        options = f"scheme=http&endpoint_override=127.0.0.1:{self.server_port}&region=us-east-1"
        return f"s3://key:secret@{path}?{options}"


@contextmanager
def s3_server() -> Iterator[Bucket]:
    with Bucket() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each small answer waits 40 ms for an acknowledgement
    server: Bucket

    def log_message(self, *_: object) -> None:
        pass

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix("/")
        path = path.rstrip("/") if path.count("/") == 1 and path.endswith("/") else path
        self.server.requests.append((self.command, path))
        query = parse_qs(parts.query, keep_blank_values=True)
        return path, {name: values[0] for name, values in query.items()}

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = _unchunked(self.rfile)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signed = "aws-chunked" in self.headers.get("Content-Encoding", "")
        return _unchunked(io.BytesIO(body)) if signed else body

    def _answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _xml(self, text: str) -> None:
        head = '<?xml version="1.0" encoding="UTF-8"?>'
        self._answer(200, f"{head}{text}".encode(), Content_Type="application/xml")

    def _missing(self) -> None:
        self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>", Content_Type="application/xml")

    def do_HEAD(self) -> None:
        path, _ = self._asked()
        there = self.server.objects.get(path)
        if there is not None:
            self._answer(200, Content_Length=str(len(there)), Last_Modified=HTTP_WHEN)
        elif "/" not in path:
            self._answer(200)
        else:
            self._answer(404)

    def do_GET(self) -> None:
        path, query = self._asked()
        if "list-type" in query:
            self._list(path, query)
        elif path not in self.server.objects:
            self._missing()
        else:
            content = self.server.objects[path]
            wanted = self.headers.get("Range")
            if wanted is None:
                self._answer(200, content, Last_Modified=HTTP_WHEN)
                return
            first, last = (int(word) for word in wanted.removeprefix("bytes=").split("-"))
            last = min(last, len(content) - 1)
            span = f"bytes {first}-{last}/{len(content)}"
            self._answer(
                206, content[first : last + 1], Content_Range=span, Last_Modified=HTTP_WHEN
            )

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        files, folders = [], set()
        for path, content in sorted(self.server.objects.items()):
            key = path.removeprefix(f"{bucket}/")
            if key == path or not key.startswith(prefix):
                continue
            below, found, _ = key[len(prefix) :].partition(delimiter or "\0")
            if found:
                folders.add(prefix + below + delimiter)
            else:
                files.append((key, len(content)))
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size>"
            f"<LastModified>{WHEN}</LastModified></Contents>"
            for key, size in files
        ) + "".join(
            f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
            for folder in sorted(folders)
        )
        count = f"<KeyCount>{len(files) + len(folders)}</KeyCount><IsTruncated>false</IsTruncated>"
        self._xml(f"<ListBucketResult>{count}{listed}</ListBucketResult>")

    def do_PUT(self) -> None:
        path, query = self._asked()
        body = self._body()
        if "uploadId" in query:
            self.server.uploads[query["uploadId"]][int(query["partNumber"])] = body
        else:
            self.server.objects[path] = body
        self._answer(200, ETag='"0"')

    def do_POST(self) -> None:
        path, query = self._asked()
        self._body()
        if "uploads" in query:
            upload = str(len(self.server.uploads))
            self.server.uploads[upload] = {}
            name = f"<UploadId>{upload}</UploadId>"
            self._xml(f"<InitiateMultipartUploadResult>{name}</InitiateMultipartUploadResult>")
        else:
            parts = self.server.uploads.pop(query["uploadId"])
            self.server.objects[path] = b"".join(parts[number] for number in sorted(parts))
            tag = "<ETag>0</ETag>"
            self._xml(f"<CompleteMultipartUploadResult>{tag}</CompleteMultipartUploadResult>")

    def do_DELETE(self) -> None:
        path, _ = self._asked()
        self.server.objects.pop(path, None)
        self._answer(204)


def _unchunked(stream: BinaryIO) -> bytes:
    """Join chunks, each behind its size in hexadecimal; one of size 0 and trailers end them."""
    content = b""
    while size := int(stream.readline().split(b";")[0], 16):
        content += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass
    return content
