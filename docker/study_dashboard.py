"""Optuna's dashboard of all studies in the database that SWEEPS_STUDY_URL names, read-only.

It has no login. Within its container it listens on every address; compose publishes its port on
the loopback address of the host.
"""

import os

from sweeps.commands.dashboard import USUAL_PORT, make_dashboard
from sweeps.search.databases import URL_VARIABLE, open_database

if __name__ == "__main__":
    with (
        open_database(os.environ[URL_VARIABLE]) as storage,
        make_dashboard(storage, USUAL_PORT, host="0.0.0.0") as server,
    ):
        server.serve_forever()
