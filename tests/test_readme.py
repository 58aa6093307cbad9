"""What the README shows is run as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.spec.reading import bundled_names, load_spec
from sweeps.spec.search_space import trial_count

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def run(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_network_of_ones_own_trains_a_step(tmp_path: Path) -> None:
    (code,) = [block for block in blocks("python") if "torchvision" in block]
    output = run([sys.executable, "-c", code], tmp_path)
    assert re.search(r"mean \|Σw\|, mean \|Σwc\|: \[\S+, \S+\]", output)


def test_results_are_read_as_shown(tmp_path: Path) -> None:
    (code,) = [block for block in blocks("python") if "analysis" in block]
    train = ["-m", "sweeps", "train", "--data", "digits", "--epochs", "1"]
    run([sys.executable, *train], tmp_path)
    assert "polyneuron_r" in run([sys.executable, "-c", code], tmp_path)


def test_the_specification_is_sound(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "my-sweep.yaml").write_text(text, "utf-8")
    assert load_spec(str(tmp_path / "my-sweep.yaml")).data.validation == "held_out"


@pytest.mark.parametrize("name", bundled_names())
def test_the_table_of_questions_counts_right(name: str) -> None:
    spec = load_spec(name)
    row = re.search(rf"^\| `{name}` \|.*\| (\d+) x (\d+) \|$", README, re.MULTILINE)
    assert row is not None
    assert row.groups() == (str(trial_count(spec)), str(len(spec.seeds)))


def test_commands_and_links_exist() -> None:
    help_text = run([sys.executable, "-m", "sweeps", "--help"], ROOT)
    for command in set(re.findall(r"^sweeps ([a-z]+)", README, re.MULTILINE)):
        assert re.search(rf"^\s+{command}\s", help_text, re.MULTILINE), command
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_the_table_of_speed_is_what_was_measured() -> None:
    sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
    from speed_table import speed_tables, with_table

    assert with_table(README, speed_tables()) == README
