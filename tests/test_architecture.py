"""ARCHITECTURE.md speaks of files that exist, and of every room."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
PACKAGES = ("polyneuron", "trainers", "sweeps", "analysis")
NO_ROOMS = {"specs", "__pycache__"}  # specifications are data


def test_every_path_exists() -> None:
    """A path may start at a package's folder; NAME stands for a file to be added."""
    paths = re.findall(r"`([\w/.]+(?:\.(?:py|toml|json)|/))`", TEXT)
    starts = [ROOT, *ROOT.glob("*/"), *ROOT.glob("analysis/*/")]
    assert len(paths) > 40
    for path in paths:
        place = path.rsplit("/", 1)[0] if "NAME." in path else path.replace("NAME/", "")
        assert any((start / place).exists() for start in starts), path


def test_every_folder_of_a_package_is_a_room_with_an_answer() -> None:
    rooms = TEXT[TEXT.index("## Rooms") : TEXT.index("## Where to add what")]
    for package in PACKAGES:
        for folder in (ROOT / package).glob("*/"):
            assert folder.name in NO_ROOMS or f"`{folder.name}/`" in rooms, folder
