"""Exported networks compute what they did, without this package."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from polyneuron import make_activation
from polyneuron.basis import basis

BATCH = torch.export.Dim("batch")

Case = tuple[str, dict[str, int]]
"""Name and options of an activation."""

CASES: list[Case] = [
    ("swish", {}),
    ("apl", {}),
    ("polyneuron", {}),
    ("polyneuron", {"s": 5}),
    ("polyneuron_r", {}),
    ("polyneuron_r", {"k": 2}),
    ("cubic_spline", {"knots": 5}),
]


def name_of(case: Case) -> str:
    return "-".join(map(str, (case[0], *case[1].values())))


def network_of(case: Case) -> nn.Sequential:
    name, options = case
    generator = torch.Generator().manual_seed(0)
    activation = make_activation(
        name, scope="channel", channels=3, generator=None if options else generator, **options
    )
    return nn.Sequential(activation).eval()


def inputs() -> Tensor:
    """Values up to 50 and control points of the start, in a larger batch than is exported."""
    x = torch.linspace(-50, 50, 4 * 3 * 5).reshape(4, 3, 5)
    x[0] = torch.tensor([-1.0, 0, 1, 0.5, -0.5])
    return x


def assert_same(found: Tensor, network: nn.Sequential) -> None:
    x = inputs()
    expected = network(x).detach()
    # Eq. 1's terms are large where their sum is not: each is rounded, in an order of its own.
    allowed = 1e-5 * (1 + expected.abs())
    activation = network[0]
    if hasattr(activation, "w"):
        eps = torch.finfo(x.dtype).eps
        for c_i, w_i in zip(activation.c_x.detach().T, activation.w.detach().T, strict=True):
            terms = w_i[:, None] * basis((x - c_i[:, None]).abs(), activation.k)
            allowed = allowed + 8 * eps * terms.abs()
    assert bool(((found - expected).abs() <= allowed).all())


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "exported"])
@pytest.mark.parametrize("case", CASES, ids=name_of)
@pytest.mark.filterwarnings("ignore")
def test_onnx(case: Case, dynamo: bool, tmp_path: Path) -> None:
    network = network_of(case)
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path, example = tmp_path / "network.onnx", inputs()[:2]
    if dynamo:
        shapes = ({0: BATCH},)
        torch.onnx.export(network, (example,), path, dynamo=True, dynamic_shapes=shapes)
    else:
        axes = {"x": {0: "batch"}}
        torch.onnx.export(
            network, (example,), path, dynamo=False, input_names=["x"], dynamic_axes=axes
        )
    session = runtime.InferenceSession(path)
    (y,) = session.run(None, {session.get_inputs()[0].name: inputs().numpy()})
    assert_same(torch.from_numpy(y), network)


LOADING = """
import sys, torch
for path in sys.argv[2:]:
    load = torch.jit.load if path.endswith(".pt") else lambda file: torch.export.load(file).module()
    torch.save(load(path)(torch.load(sys.argv[1])), path + ".y")
assert "polyneuron" not in sys.modules
"""


@pytest.fixture(scope="module")
def loaded_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save every network in both formats, and run them in one process without this package."""
    folder = tmp_path_factory.mktemp("programs")
    torch.save(inputs(), folder / "x")
    example = inputs()[:2]
    for case in CASES:
        network = network_of(case)
        torch.jit.trace(network, (example,)).save(folder / f"{name_of(case)}.pt")
        program = torch.export.export(network, (example,), dynamic_shapes=({0: BATCH},))
        torch.export.save(program, folder / f"{name_of(case)}.pt2")
    programs = sorted(map(str, folder.glob("*.pt*")))
    assert len(programs) == 2 * len(CASES)
    command = [sys.executable, "-c", LOADING, str(folder / "x"), *programs]
    subprocess.run(command, check=True, cwd=folder)
    return folder


@pytest.mark.parametrize("format", ["pt", "pt2"])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_saved_program_loads_without_this_package(
    case: Case, format: str, loaded_elsewhere: Path
) -> None:
    y = torch.load(loaded_elsewhere / f"{name_of(case)}.{format}.y")
    assert_same(y, network_of(case))
