"""The exact versions of `constraints.txt`, which `make install` installs."""

import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.name)
def test_a_pinned_version_installs_on_the_oldest_python_that_is_promised(pin: Requirement) -> None:
    """A distribution's own Python is often an early one, as Debian's 3.11.2."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    try:
        found = metadata(pin.name)
    except PackageNotFoundError:
        pytest.skip("not installed here")
    if found["Version"] not in pin.specifier:
        pytest.skip(f"version {found['Version']} is installed here")
    assert oldest in SpecifierSet(found["Requires-Python"] or "")
