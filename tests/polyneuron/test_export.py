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

CASES = [
    ("swish", {}),
    ("apl", {}),
    ("polyneuron", {}),
    ("polyneuron", {"s": 5}),
    ("polyneuron_r", {}),
    ("polyneuron_r", {"k": 2}),
    ("cubic_spline", {"knots": 5}),
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, (case[0], *case[1].values()))))
def network(request: pytest.FixtureRequest) -> nn.Sequential:
    name, options = request.param
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
@pytest.mark.filterwarnings("ignore")
def test_onnx(network: nn.Sequential, dynamo: bool, tmp_path: Path) -> None:
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
load = torch.jit.load if sys.argv[1].endswith(".pt") else lambda p: torch.export.load(p).module()
torch.save(load(sys.argv[1])(torch.load(sys.argv[2])), sys.argv[3])
assert "polyneuron" not in sys.modules
"""


@pytest.mark.parametrize("format", ["pt", "pt2"])
def test_a_saved_program_loads_without_this_package(
    network: nn.Sequential, format: str, tmp_path: Path
) -> None:
    path, example = tmp_path / f"network.{format}", inputs()[:2]
    if format == "pt":
        torch.jit.trace(network, (example,)).save(path)
    else:
        program = torch.export.export(network, (example,), dynamic_shapes=({0: BATCH},))
        torch.export.save(program, path)
    torch.save(inputs(), tmp_path / "x")
    arguments = [str(path), str(tmp_path / "x"), str(tmp_path / "y")]
    subprocess.run([sys.executable, "-c", LOADING, *arguments], check=True, cwd=tmp_path)
    assert_same(torch.load(tmp_path / "y"), network)
