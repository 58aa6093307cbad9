"""Optuna's dashboard on a sweep's study: on this machine alone, and read-only.

The dashboard has no login and can rename and delete studies. It is therefore served on the
loopback address, to requests whose Host is this machine, and every request that would change
something is refused: only the driver changes the study.
"""

from __future__ import annotations

import os
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import optuna

from analysis.program import program
from analysis.store.errors import StoreError
from sweeps.driver.preparation import stored_spec
from sweeps.extras import optional
from sweeps.search.databases import database_url, open_database
from sweeps.store.paths import SweepPaths

HOST = "127.0.0.1"
USUAL_PORT = 8080
LOCAL_NAMES = (HOST, "localhost")
READING = ("GET", "HEAD", "OPTIONS")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def serve(root: Path, name: str, port: int | None, announce: Callable[[str], None]) -> None:
    """Serve the dashboard of a sweep's study until Ctrl-C.

    Args:
        root: of all results.
        name: of the sweep.
        port: to listen on; None: 8080, or another where that is taken.
        announce: is told the address.

    Raises:
        NotInstalledError: optuna-dashboard is not installed.
        StoreError: no such sweep or study, or the port is taken.
    """
    paths = SweepPaths(root.resolve(), name)
    stored_spec(paths)
    with open_database(database_url(paths)) as storage, make_dashboard(storage, port) as server:
        study = _study_id(storage, name)
        address = f"http://{HOST}:{server.server_port}/dashboard/studies/{study}"
        announce(address)
        if sys.platform == "darwin" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ:
            webbrowser.open(address)
        server.serve_forever()


def make_dashboard(
    storage: optuna.storages.RDBStorage, port: int | None, host: str = HOST
) -> WSGIServer:
    """Make the server: it listens, and answers once it is told to serve.

    Args:
        storage: of the studies that it shows.
        port: to listen on; None: 8080, or another where that is taken.
        host: the address to listen on.

    Raises:
        NotInstalledError: optuna-dashboard is not installed.
        StoreError: the port is taken.
    """
    dashboard = optional("optuna_dashboard", "dashboard", f"{program()} dashboard")
    application = read_only(dashboard.wsgi(storage))
    try:
        chosen = _free_port() if port is None else port
        return make_server(host, chosen, application, _Server, _Quiet)
    except OSError as error:
        raise StoreError(f"cannot listen on port {port}: {error.strerror}; try --port 0") from None


def read_only(application: WSGIApplication) -> WSGIApplication:
    """Refuse requests that change something, or that a page of another site had a browser send."""

    def guarded(environ: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        host = str(environ.get("HTTP_HOST", "")).rpartition(":")[0]
        if environ["REQUEST_METHOD"] in READING and host in LOCAL_NAMES:
            return application(environ, respond)
        respond("403 Forbidden", [("Content-Type", "application/json")])
        return [b'{"reason": "the study belongs to the sweep: it can be read, not changed"}']

    return guarded


def _study_id(storage: optuna.storages.RDBStorage, name: str) -> int:
    try:
        return storage.get_study_id_from_name(name)
    except KeyError:
        raise StoreError(f"the sweep {name!r} has no study yet") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, USUAL_PORT))
        except OSError:
            return 0
    return USUAL_PORT
