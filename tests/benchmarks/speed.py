"""How fast a run is: ratios of our times to a rival's, each pair in one process, in alternation.

    make bench                                     all, into tests/benchmarks/results/
    python tests/benchmarks/speed.py --only norm   one group, printed alone

An operator whose correctness tests fail is not timed.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

from plain_script import Images, NaivePolyNeuronR, PlainStep  # noqa: E402 - beside this script
from stopwatch import alternate  # noqa: E402

from polyneuron import (  # noqa: E402
    JointSolve,
    keep_freed_memory,
    make_activation,
    normalised_activation,
)
from polyneuron.kernels import evaluate  # noqa: E402
from polyneuron.kernels.radial.formula import radial_sum  # noqa: E402
from trainers import (  # noqa: E402
    ActivationConfig,
    DataConfig,
    Execution,
    NetworkConfig,
    Recipe,
    RunConfig,
)
from trainers.augment import Augmentation, Normaliser, draw_epoch  # noqa: E402
from trainers.data import datasets  # noqa: E402
from trainers.epoch import TrainingPass  # noqa: E402
from trainers.loop import load_images, set_up  # noqa: E402
from trainers.networks import lenet5, resnet20  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "speed_cpu.json"
THREADS = 2
LARGE = (128, 16, 32, 32)
TESTS = {
    "activation": ["tests/polyneuron/kernels/test_kernels.py"],
    "baselines": ["tests/polyneuron/kernels/test_kernels.py"],
    "norm": ["tests/polyneuron/kernels/test_normalised.py"],
    "step": ["tests/trainers/test_fast_path.py", "tests/polyneuron/test_joint_solve.py"],
    "augmentation": ["tests/trainers/test_augment.py"],
}
"""What must pass before a group is timed."""


@dataclass(frozen=True)
class Row:
    """One comparison."""

    group: str
    operator: str
    rival: str
    ours_ms: float
    rival_ms: float
    target: float | None

    @property
    def ratio(self) -> float:
        """Our time by the rival's."""
        return self.ours_ms / self.rival_ms


Timer = Callable[[dict[str, Callable[[], object]], float], dict[str, float]]
"""From rivals, and the seconds for them, to each one's least milliseconds."""


def compare(
    group: str,
    operator: str,
    ours: Callable[[], object],
    rivals: dict[str, tuple[Callable[[], object], float | None]],
    seconds: float = 4.0,
    timed: Timer = alternate,
) -> Iterator[Row]:
    """Time ours and all its rivals together."""
    times = timed({"": ours, **{name: run for name, (run, _) in rivals.items()}}, seconds)
    for name, (_, target) in rivals.items():
        yield Row(group, operator, name, times[""], times[name], target)


def both_ways(function: Callable[[Tensor], Tensor], x: Tensor, *others: Tensor):  # type: ignore[no-untyped-def]
    """Forward and backward, with gradients of x and of the function's parameters."""
    x = x.detach().requires_grad_()
    g = torch.randn_like(x)
    return lambda: torch.autograd.grad(function(x), (x, *others), g)


ACTIVATION_TARGETS = {(3, 3): 1.25, (5, 3): 1.5, (9, 3): 2.2, (3, 2): 4.0, (9, 2): 10.0}
"""By s and k."""


def activation_rows(
    targets: dict[tuple[int, int], float] = ACTIVATION_TARGETS,
    timed: Timer = alternate,
    dtype: torch.dtype = torch.float32,
) -> Iterator[Row]:
    """PolyNeuron-R against ReLU and others, at (128, 16, 32, 32)."""
    storage = "" if dtype == torch.float32 else f", {str(dtype).removeprefix('torch.')}"
    for (s, k), target in targets.items():
        for scope in ("layer", "channel"):
            for name, memory_format in FORMATS.items():
                x = torch.randn(LARGE, dtype=dtype).to(memory_format=memory_format)
                module = make_activation("polyneuron_r", s=s, k=k, channels=16, scope=scope)
                rivals = {"torch ReLU": (both_ways(torch.relu, x), target)}
                if (s, k) == (3, 3):
                    rivals["torch SiLU"] = both_ways(F.silu, x), None
                yield from compare(
                    "activation",
                    f"PolyNeuron-R s={s} k={k}, {scope}, {name}{storage}",
                    both_ways(module, x, *module.parameters()),
                    rivals,
                    timed=timed,
                )
    for name in ("polyneuron", "swish", "apl"):
        x = torch.randn(LARGE, dtype=dtype).to(memory_format=torch.channels_last)
        module = make_activation(name)
        ours = both_ways(module, x, *module.parameters())
        rivals = {"torch ReLU": (both_ways(torch.relu, x), None)}
        operator = f"{name}, layer, channels-last{storage}"
        yield from compare("activation", operator, ours, rivals, timed=timed)


def baseline_rows() -> Iterator[Row]:
    """What PolyNeuron is compared with, against ReLU and against its own plain formula."""
    x = torch.randn(LARGE).to(memory_format=torch.channels_last)
    relu = both_ways(torch.relu, x), None
    for name in BASELINES:
        module = make_activation(name).eval()
        function, parameters = module.kernel()
        parameters = tuple(parameter.detach().requires_grad_() for parameter in parameters)
        plain = both_ways(
            lambda x, f=function, parameters=parameters: f.plain(x, *parameters), x, *parameters
        )
        ours = both_ways(module, x, *module.parameters())
        rivals = {"torch ReLU": relu, "its plain formula": (plain, None)}
        yield from compare("baselines", f"{name}, layer, channels-last", ours, rivals)
    # In training it looks for the extremes of the batch first.
    module = make_activation("ensemble")
    ours = both_ways(module, x, *module.parameters())
    yield from compare(
        "baselines", "ensemble in training, layer, channels-last", ours, {"torch ReLU": relu}
    )


BASELINES = (
    *("swish", "apl", "prelu", "srelu", "pade"),
    *("abu", "ensemble", "cubic_spline"),
)
FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def formula_rows() -> Iterator[Row]:
    """The kernel against the formula that it stands for."""
    x = torch.randn(LARGE)
    module = make_activation("polyneuron_r")
    parameters = tuple(module.parameters())

    def plain(x: Tensor) -> Tensor:
        return radial_sum(x, module.c_x, module.w, module.v, 3)

    def ours(x: Tensor) -> Tensor:
        return evaluate(x, module.c_x, module.w, module.v, 3)

    naive = NaivePolyNeuronR()
    rivals = {
        "the plain reference": (both_ways(plain, x, *parameters), None),
        "the reference under torch.compile": (
            both_ways(torch.compile(plain), x, *parameters),
            None,
        ),
        "a broadcast over control points": (both_ways(naive, x, *naive.parameters()), None),
    }
    operator = "PolyNeuron-R s=3 k=3, layer, contiguous"
    yield from compare("activation", operator, both_ways(ours, x, *parameters), rivals, 6.0)


NORM_TARGETS = {16: 0.6, 32: 0.9, 64: 0.9}
"""By channels."""


def norm_rows(targets: dict[int, float] = NORM_TARGETS, timed: Timer = alternate) -> Iterator[Row]:
    """Batch norm and PolyNeuron-R in one, against torch's batch norm and ReLU."""
    for channels, side in ((16, 32), (32, 16), (64, 8)):
        for with_residual in (False, True):
            shape = (128, channels, side, side)
            z = torch.randn(shape).to(memory_format=torch.channels_last)
            residual = torch.randn_like(z).requires_grad_() if with_residual else None
            ours, theirs = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
            activation = make_activation("polyneuron_r")
            added = () if residual is None else (residual,)

            def plain(z: Tensor, norm: nn.Module = theirs, residual=residual) -> Tensor:  # type: ignore[no-untyped-def]
                u = norm(z)
                return torch.relu(u if residual is None else u + residual)

            def fused(z, norm=ours, activation=activation, residual=residual):  # type: ignore[no-untyped-def]
                return normalised_activation(norm, activation, z, residual)

            own = (*added, *ours.parameters(), *activation.parameters())
            name = f"batch norm{' + residual' * with_residual} + PolyNeuron-R"
            yield from compare(
                "norm",
                f"{name}, {channels}@{side}x{side}",
                both_ways(fused, z, *own),
                {
                    "torch's modules with ReLU": (
                        both_ways(plain, z, *added, *theirs.parameters()),
                        targets[channels],
                    )
                },
                timed=timed,
            )


def training_step(network: str, activation: str, data: str) -> Callable[[], None]:
    """Our step as a run takes it: augmentation, forward, eq. 4, backward, Adam, its records."""
    config = RunConfig(
        activation=ActivationConfig(activation),
        network=NetworkConfig(network, residual="act_then_add"),  # type: ignore[arg-type]
        data=DataConfig(data),  # type: ignore[arg-type]
        recipe=Recipe(),
        execution=Execution(threads=THREADS, snapshots=False),
    )
    device = torch.device("cpu")
    training = set_up(config, device, load_images(config, device))
    training.net.train()
    epoch = TrainingPass(training, 1)
    steps = iter(range(len(epoch.batches)))
    return lambda: epoch.step(next(steps))


def eager_step(net: nn.Module, x: Tensor) -> Callable[[], None]:
    """A plain step on one batch that is there already: eager modules, fused Adam."""
    labels = torch.arange(len(x), device=x.device) % 10
    optimizer = torch.optim.Adam(net.parameters(), weight_decay=1e-4, fused=True)

    def step() -> None:
        loss = F.cross_entropy(net(x), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def network_step(network: Callable[..., nn.Module], name: str, x: Tensor) -> Callable[[], None]:
    """As `eager_step`, with one of our activations."""
    net = network(lambda channels: make_activation(name)).to(memory_format=torch.channels_last)
    joint, labels = JointSolve(net), torch.arange(len(x)) % 10
    optimizer = torch.optim.Adam(net.parameters(), weight_decay=1e-4, fused=True)

    def step() -> None:
        with joint:
            loss = F.cross_entropy(net(x), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def shallow_resnet(activation: Callable[[int], nn.Module]) -> nn.Module:
    """ResNet-20 in the form in which every activation, and so PolyNeuron-R, stays bounded."""
    return resnet20(activation, residual="act_then_add")


def step_rows() -> Iterator[Row]:
    """Whole training steps of 128 images."""
    last = torch.channels_last
    images = torch.randn(128, 3, 32, 32).to(memory_format=last)
    relu = shallow_resnet(lambda channels: nn.ReLU()).to(memory_format=last)
    ours = network_step(shallow_resnet, "polyneuron_r", images)
    rivals = {"torch's ReLU ResNet-20, eager, channels-last": (eager_step(relu, images), 0.95)}
    yield from compare("step", "ResNet-20 step, PolyNeuron-R", ours, rivals, 15.0)
    for network, x in ((shallow_resnet, images), (lenet5, torch.randn(128, 1, 28, 28))):
        exact, relaxed = (network_step(network, name, x) for name in ("polyneuron", "polyneuron_r"))
        name = "LeNet-5" if network is lenet5 else "ResNet-20"
        rivals = {"the same with PolyNeuron-R": (relaxed, 1.02)}
        yield from compare("step", f"{name} step, exact PolyNeuron", exact, rivals, 12.0)
    whole = datasets.load("mnist", datasets.data_root(), 28)
    net = lenet5(lambda channels: NaivePolyNeuronR())
    plain = PlainStep(net, whole.train_images[:6400], whole.train_labels[:6400])
    rivals = {"a plain script, naive activation": (plain, 1 / 6)}
    ours = training_step("lenet5", "polyneuron_r", "mnist")
    yield from compare(
        "step", "LeNet-5 step with data and records, PolyNeuron-R", ours, rivals, 10.0
    )


def augmentation_rows() -> Iterator[Row]:
    """A batch of 128 augmented images, against one image at a time."""
    for name, side, target in (("cifar10", 32, 1 / 20), ("mnist", 28, 1 / 50)):
        images = datasets.load(name, datasets.data_root(), side).train_images
        recipe = Recipe()
        augmentation = Augmentation(images, recipe, Normaliser(images, recipe.normalise))
        draws = draw_epoch(len(images), recipe, 0, 1, torch.device("cpu"))
        chosen = draws.order[:128]
        single = Images(images[:128], torch.zeros(128))

        def ours(augmentation=augmentation, chosen=chosen, draws=draws) -> Tensor:  # type: ignore[no-untyped-def]
            return augmentation.batch(chosen, draws)

        def one_by_one(single: Images = single) -> Tensor:
            return torch.stack([single[n][0] for n in range(128)])

        rivals = {"torchvision's transforms, one image at a time": (one_by_one, target)}
        yield from compare("augmentation", f"augmentation of 128 images, {name}", ours, rivals, 3.0)


def kept_for_backward(device: str = "cpu") -> int:
    """How many tensors of x's size or more PolyNeuron-R keeps for its backward pass."""
    x = torch.randn(8, 16, 32, 32, device=device, requires_grad=True)
    sizes: list[int] = []
    pack = lambda tensor: sizes.append(tensor.untyped_storage().nbytes()) or tensor  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        make_activation("polyneuron_r").to(device)(x)
    return sum(size >= x.nbytes for size in sizes)


GROUPS: dict[str, tuple[Callable[[], Iterator[Row]], ...]] = {
    "activation": (activation_rows, formula_rows),
    "baselines": (baseline_rows,),
    "norm": (norm_rows,),
    "step": (step_rows,),
    "augmentation": (augmentation_rows,),
}


def is_correct(group: str, tests: dict[str, list[str]] = TESTS) -> bool:
    """Whether the group's correctness tests pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", *tests[group]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{group}: its correctness tests fail, so it is not timed\n{done.stdout[-1500:]}")
    return done.returncode == 0


def machine() -> dict[str, str | int]:
    """What was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    vectors = [flag for flag in ("avx512f", "avx2") if any(f" {flag} " in line for line in lines)]
    return {
        "processor": model,
        "vectors": vectors[0] if vectors else "none",
        "threads": THREADS,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def main() -> None:
    """Run the groups asked for, print their table and store it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=GROUPS, help="one group, printed alone")
    parser.add_argument("--skip-tests", action="store_true", help="when they have just passed")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    keep_freed_memory()
    rows = []
    for group in [arguments.only] if arguments.only else GROUPS:
        if not arguments.skip_tests and not is_correct(group):
            continue
        for rows_of in GROUPS[group]:
            rows += printed(rows_of())
    content = table(machine(), rows, kept_for_backward())
    if arguments.only is None:
        RESULTS.write_text(json.dumps(content, indent=1) + "\n")


def printed(rows: Iterator[Row]) -> list[Row]:
    """Print rows as they come."""
    found = []
    for row in rows:
        found.append(row)
        target = "" if row.target is None else f"<= {row.target:.3g}"
        print(f"{row.operator:58} {row.rival:46} {row.ratio:6.3f} {target}", flush=True)
    return found


def table(machine: dict[str, str | int], rows: list[Row], kept: int) -> dict[str, object]:
    """What is stored of all rows; its last lines are printed."""
    print(json.dumps(machine), f"kept for backward: {kept}")
    stored = [{**asdict(row), "ratio": row.ratio} for row in rows]
    return {"machine": machine, "rows": stored, "kept_for_backward": kept}


if __name__ == "__main__":
    main()
