"""Imports run one way, and what is light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "polyneuron": {"polyneuron"},
    "trainers": {"polyneuron", "trainers"},
    "sweeps": {"polyneuron", "trainers", "sweeps", "analysis"},
    "analysis": {"analysis"},
}
FORBIDDEN = {
    "analysis": {"torch", "ray", "optuna", "pydantic", "pandas", "matplotlib"},
    "polyneuron": {"torchvision", "ray", "optuna", "pydantic", "pandas", "scipy", "matplotlib"}
    | {"jaxtyping", "beartype", "pytest"},
    "trainers": {"ray", "optuna", "pydantic", "pandas", "matplotlib"},
    "sweeps": {"torch", "ray", "optuna", "pandas", "pydantic", "rich"},
    # What `sweeps --help` loads.
    "sweeps.commands.cli": {"torch", "ray", "optuna", "pandas", "scipy", "matplotlib"},
}


def _imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        ours = _imported(file) & set(ALLOWED)
        assert ours <= ALLOWED[package], f"{file} imports {ours - ALLOWED[package]}"


@pytest.mark.parametrize("package", FORBIDDEN)
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    code = f"import sys, {package}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert package in loaded
    assert not {name.partition(".")[0] for name in loaded} & FORBIDDEN[package]


def test_every_name_of_analysis_is_found_where_it_is_said_to_be() -> None:
    import analysis

    for name in analysis.__all__:
        assert getattr(analysis, name).__name__ == name
        assert name in dir(analysis)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        analysis.nothing  # noqa: B018


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_says_that_it_is_typed(package: str) -> None:
    # PEP 561: without the file, type checkers of others ignore our annotations.
    assert (ROOT / package / "py.typed").is_file()


def test_only_sweeps_knows_ray_and_optuna() -> None:
    # Optuna's importances are asked of Optuna, in a function: importing analysis needs none.
    asks = {ROOT / "analysis" / "statistics" / "importance.py": {"optuna"}}
    for package in ("polyneuron", "trainers", "analysis"):
        for file in (ROOT / package).rglob("*.py"):
            assert _imported(file) & {"ray", "optuna"} == asks.get(file, set()), file


def test_training_on_a_processor_imports_no_compiler_of_torch_and_no_algebra() -> None:
    # Over a second of each worker's start, of which no step of ours makes use.
    code = """
import sys, tempfile
from pathlib import Path
from trainers import DataConfig, Execution, Recipe, RunConfig, train
with tempfile.TemporaryDirectory() as folder:
    run = train(RunConfig(
        data=DataConfig("digits", train_images=64), recipe=Recipe(epochs=2),
        execution=Execution("cpu", threads=1, checkpoint_folder=Path(folder)),
    ))
print(run.status, *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *loaded = done.stdout.split()
    assert status == "completed"
    assert not {"torch._dynamo", "torch._inductor", "sympy"} & set(loaded)
