"""Exported networks compute what they did, without this package.

One program holds all activations: most of an export's time does not depend on what is in it.
"""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from polyneuron import activation_names, activation_options, make_activation
from polyneuron.basis import basis

BATCH = torch.export.Dim("batch")
CHANNELS = {"layer": None, "channel": 3, "neuron": (3, 5)}

Case = tuple[str, str, dict[str, int]]
"""Name, scope and options of an activation."""

STARTS: list[Case] = [
    # A spline is unrolled over its knots.
    (name, "channel", {"knots": 5} if "knots" in activation_options(name) else {})
    for name in activation_names()
]
OTHERS: list[Case] = [
    ("polyneuron", "neuron", {}),
    ("polyneuron", "channel", {"s": 5}),
    # Unless k is 3, more than three control points are solved for by elimination.
    ("polyneuron", "channel", {"s": 5, "k": 2}),
    ("polyneuron_r", "layer", {"s": 5}),
    ("polyneuron_r", "neuron", {"k": 2}),
    ("apl", "neuron", {}),
]
CASES: dict[str, Case] = {
    "-".join([name, scope, *(f"{key}{value}" for key, value in options.items())]): (
        *(name, scope),
        options,
    )
    for name, scope, options in STARTS + OTHERS
}


class Everything(nn.Module):
    """Each activation, on one input."""

    def __init__(self) -> None:
        super().__init__()
        self.activations = nn.ModuleList()
        for name, scope, options in CASES.values():
            generator = None if options else torch.Generator().manual_seed(0)
            made = make_activation(
                name, scope=scope, channels=CHANNELS[scope], generator=generator, **options
            )
            self.activations.append(made)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(activation(x) for activation in self.activations)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return Everything().eval()


def inputs() -> Tensor:
    """Values up to 50 and control points of the start, in a larger batch than is exported."""
    x = torch.linspace(-50, 50, 4 * 3 * 5).reshape(4, 3, 5)
    x[0] = torch.tensor([-1.0, 0, 1, 0.5, -0.5])
    return x


def assert_same(found: Tensor, activation: nn.Module) -> None:
    x = inputs()
    expected = activation(x).detach()
    # Eq. 1's terms are large where their sum is not: each is rounded, in an order of its own.
    allowed = 1e-5 * (1 + expected.abs())
    if hasattr(activation, "coefficients"):
        eps = torch.finfo(x.dtype).eps
        sizes = (*x.shape[1:], 1)[: x.ndim - 1] if activation.functions > 3 else (-1, 1)
        w, _ = activation.coefficients()
        for c_i, w_i in zip(activation.c_x.detach().T, w.detach().T, strict=True):
            terms = w_i.reshape(sizes) * basis((x - c_i.reshape(sizes)).abs(), activation.k)
            allowed = allowed + 8 * eps * terms.abs()
    assert bool(((found - expected).abs() <= allowed).all())


LOADING = """
import sys, torch
for path in sys.argv[2:]:
    load = torch.jit.load if path.endswith(".pt") else lambda file: torch.export.load(file).module()
    torch.save(load(path)(torch.load(sys.argv[1])), path + ".y")
assert "polyneuron" not in sys.modules
"""


@pytest.fixture(scope="module")
def programs(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """What torch's own two formats compute in a process without this package."""
    folder = tmp_path_factory.mktemp("programs")
    torch.save(inputs(), folder / "x")
    example = inputs()[:2]
    torch.jit.trace(network, (example,)).save(folder / "traced.pt")
    program = torch.export.export(network, (example,), dynamic_shapes=({0: BATCH},))
    torch.export.save(program, folder / "exported.pt2")
    files = [folder / "traced.pt", folder / "exported.pt2"]
    command = [sys.executable, "-c", LOADING, str(folder / "x"), *map(str, files)]
    subprocess.run(command, check=True, cwd=folder)
    return {file.stem: torch.load(f"{file}.y") for file in files}


@pytest.fixture(scope="module")
def onnx_files(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """What onnxruntime computes from both of torch's exporters."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder, example = tmp_path_factory.mktemp("onnx"), inputs()[:2]
    options = {
        "traced": {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}},
        "exported": {"dynamo": True, "dynamic_shapes": ({0: BATCH},)},
    }
    found = {}
    for exporter, how in options.items():
        file = folder / f"{exporter}.onnx"
        torch.onnx.export(network, (example,), file, **how)
        session = runtime.InferenceSession(file)
        found[exporter] = session.run(None, {session.get_inputs()[0].name: inputs().numpy()})
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exporter", ["traced", "exported"])
@pytest.mark.parametrize("case", CASES)
def test_onnx(case: str, exporter: str, network: Everything, onnx_files: dict[str, list]) -> None:
    n = list(CASES).index(case)
    assert_same(torch.from_numpy(onnx_files[exporter][n]), network.activations[n])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format", ["traced", "exported"])
@pytest.mark.parametrize("case", CASES)
def test_a_saved_program_loads_without_this_package(
    case: str, format: str, network: Everything, programs: dict[str, list]
) -> None:
    n = list(CASES).index(case)
    assert_same(programs[format][n], network.activations[n])
