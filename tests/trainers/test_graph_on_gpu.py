"""Steps replayed from a real CUDA graph, on images that need no files."""

import copy
import warnings

import pytest
import torch
from synthetic_images import synthetic

from polyneuron.kernels.backend import KernelWarning
from trainers import ActivationConfig, DataConfig, Execution, NetworkConfig, Recipe, RunConfig
from trainers.devices import settings
from trainers.divergence import Diverged
from trainers.epoch import TrainingPass, train_epoch
from trainers.graph import GraphWarning, StepGraph
from trainers.loop import set_up
from trainers.optimizer import load_state

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

GPU = torch.device("cuda", 0)
IMAGES = {"lenet5": (1, 28, 5 * 128 + 40), "resnet20": (3, 32, 5 * 128 + 40)}


@pytest.fixture(autouse=True)
def _strictly():
    """Fail where a kernel or the graph is given up; compare equal algorithms alone."""
    with warnings.catch_warnings(), settings(Execution("cuda", deterministic=True), GPU):
        warnings.simplefilter("error", GraphWarning)
        warnings.simplefilter("error", KernelWarning)
        yield


def set_up_on_gpu(network="lenet5", activation="polyneuron_r", **recipe):
    config = RunConfig(
        activation=ActivationConfig(activation),
        network=NetworkConfig(network, residual="act_then_add"),
        data=DataConfig("mnist"),
        recipe=Recipe(**recipe),
    )
    return set_up(config, GPU, synthetic(*IMAGES[network]).to(GPU))


def run_pass(training, graph, epoch=1):
    training.net.train()
    now = TrainingPass(training, epoch, graph)
    for step in range(len(now.batches)):
        now.step(step)
    return now.losses.clone()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("activation", ["relu", "swish", "polyneuron", "polyneuron_r"])
@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
def test_replayed_steps_are_eager_ones(network, activation, precision):
    training = set_up_on_gpu(network, activation, precision=precision)
    graph = StepGraph(training)
    replayed = run_pass(training, graph)
    assert graph._replay is not None
    eager = run_pass(set_up_on_gpu(network, activation, precision=precision), None)
    torch.testing.assert_close(replayed, eager, rtol=1e-3, atol=1e-3)


def test_nothing_is_waited_for():
    training = set_up_on_gpu("resnet20", "polyneuron")
    graph = StepGraph(training)
    run_pass(training, graph)
    now = TrainingPass(training, 2, graph)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(len(now.batches)):
            now.step(step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert now.losses.isfinite().all()


def test_a_run_resumes_bit_for_bit():
    uncut = set_up_on_gpu()
    graph = StepGraph(uncut)
    run_pass(uncut, graph)
    resumed = set_up_on_gpu()
    resumed.net.load_state_dict(uncut.net.state_dict())
    # A copy, as a checkpoint is: torch would let both optimizers share their moments.
    load_state(resumed.optimizer, copy.deepcopy(uncut.optimizer.state_dict()))
    expected = run_pass(uncut, graph, epoch=2)
    assert torch.equal(run_pass(resumed, StepGraph(resumed), epoch=2), expected)
    for one, other in zip(resumed.net.parameters(), uncut.net.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("rate", [1.0, 1e30])
def test_a_divergence_is_the_same(rate):
    found = []
    for eager in (False, True):
        training = set_up_on_gpu(learning_rate=rate)
        try:
            train_epoch(training, 1, None if eager else StepGraph(training))
        except Diverged as diverged:
            found.append((diverged.step, diverged.layer, str(diverged)))
    assert len(found) in ((2,) if rate == 1e30 else (0, 2))
    assert found[:1] == found[1:]
