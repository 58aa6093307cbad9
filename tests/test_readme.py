"""The README's blocks, pasted in order, run on a machine without a GPU, data or network."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pasted import ROOT, newcomer, paste, pasted_lines

README = (ROOT / "README.md").read_text("utf-8")
pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not (Path(sys.prefix) / "bin" / "activate").exists(), reason="needs a virtual environment"
    ),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("checkout")
    with newcomer(folder) as environment:
        yield folder, environment


@pytest.fixture(scope="module")
def shown(checkout: tuple[Path, dict[str, str]]) -> str:
    folder, environment = checkout
    return paste(pasted_lines(README, folder), folder, environment)


def test_every_block_runs_when_pasted(shown: str) -> None:
    assert "training on digits instead" in shown  # the quickstart, without data and network
    assert re.search(r"^\d+ passed", shown, re.MULTILINE)  # make test
    assert len(re.findall(r"^best: trial", shown, re.MULTILINE)) >= 4
    assert re.search(r"mean \|Σw\|, mean \|Σwc\|: \[\S+, \S+\]", shown)


def test_what_the_last_line_says_runs_as_printed(
    shown: str, checkout: tuple[Path, dict[str, str]]
) -> None:
    steps = re.findall(r"^Go on with\n  (.*)\n  (.*)$", shown, re.MULTILINE)
    assert ".venv/bin/sweeps results quickstart --csv" in steps[0][0]
    output = paste("\n".join(steps[0]) + "\n", *checkout)
    assert "polyneuron_r" in (checkout[0] / "quickstart.csv").read_text("utf-8")
    assert "report.html" in output


def test_what_is_installed_is_not_installed_again(checkout: tuple[Path, dict[str, str]]) -> None:
    shown = paste("make install\n", *checkout)
    assert "Nothing to be done" in shown
    assert "pip" not in shown


def test_links_lead_to_files() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_only_blocks_that_are_pasted_are_there() -> None:
    assert set(re.findall(r"^```(.+)$", README, re.MULTILINE)) == {"bash", "python"}
