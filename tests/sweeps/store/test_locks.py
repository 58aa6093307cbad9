import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.store.errors import StoreError
from sweeps.store.locks import driver_alive, driver_lock, driver_process
from sweeps.store.paths import SweepPaths


def test_a_crashed_driver_loses_its_lock(tmp_path: Path) -> None:
    paths = SweepPaths(tmp_path, "a")
    paths.create()
    code = (
        "import time; from pathlib import Path\n"
        "from sweeps.store.locks import driver_lock; from sweeps.store.paths import SweepPaths\n"
        f"with driver_lock(SweepPaths(Path({str(tmp_path)!r}), 'a')):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert driver_alive(paths)
        with pytest.raises(StoreError, match="run by another process"), driver_lock(paths):
            pass
        other.kill()
    assert not driver_alive(paths)
    with driver_lock(paths):
        assert driver_alive(paths)


def test_the_driver_is_known_by_host_and_process_while_it_lives(tmp_path: Path) -> None:
    paths = SweepPaths(tmp_path, "a")
    paths.create()
    with pytest.raises(StoreError, match="nobody runs the sweep 'a' now"):
        driver_process(paths)
    with driver_lock(paths):
        assert driver_process(paths) == (socket.gethostname(), os.getpid())
    with pytest.raises(StoreError, match="nobody runs the sweep 'a' now"):
        driver_process(paths)
