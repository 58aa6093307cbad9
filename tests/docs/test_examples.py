"""The examples of the documentation run, in a folder with the results of two runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sweeps.commands.cli import run_command

    folder = tmp_path_factory.mktemp("two_runs")
    for activation in ("relu", "polyneuron_r"):
        train = ["sweeps", "train", "--data", "digits", "--epochs", "1", "--activation", activation]
        for seed in ("0", "1"):
            name = f"{activation}-{seed}"
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                patch.setattr(sys, "argv", [*train, "--seed", seed, "--name", name])
                assert run_command() == 0
    return folder


def code_of(example: Path) -> str:
    if example.suffix == ".py":
        return example.read_text("utf-8")
    cells = json.loads(example.read_text("utf-8"))["cells"]
    return "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize(
    "name", sorted(file.name for file in EXAMPLES.iterdir() if file.suffix in (".py", ".ipynb"))
)
def test_an_example_runs(name: str, two_runs: Path, tmp_path: Path) -> None:
    shutil.copytree(two_runs / "results", tmp_path / "results")
    (tmp_path / "example.py").write_text(code_of(EXAMPLES / name), "utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    if name.startswith("plot_"):
        assert (tmp_path / name.removeprefix("plot_")).with_suffix(".png").exists()


def test_notebooks_are_kept_without_outputs() -> None:
    for file in EXAMPLES.glob("*.ipynb"):
        for cell in json.loads(file.read_text("utf-8"))["cells"]:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None
