"""The benchmarks' scripts: what they import from the product is there under those names."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent

LOAD_ALL = """
import importlib.util, pathlib, sys
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))  # as of a script that is run
failed = {}
for path in map(pathlib.Path, sys.argv[1:]):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        failed[path.name] = str(error)
print(failed)
"""
"""One process for all: each one would load torch and Ray anew."""


def test_every_script_loads() -> None:
    scripts = sorted(str(path) for path in FOLDER.glob("*.py") if not path.name.startswith("test_"))
    assert scripts
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, *scripts],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "{}", loaded.stdout
