"""Training on the fast kernels is training on the formulas, up to rounding."""

import statistics

import pytest
import torch

from polyneuron.kernels import choice, plain
from trainers import (
    ActivationConfig,
    DataConfig,
    Execution,
    NetworkConfig,
    Recipe,
    RunConfig,
    train,
)
from trainers.epoch import TrainingPass
from trainers.loop import load_images, set_up

CPU = torch.device("cpu")


def config(activation, network="lenet5", data="digits", seed=0, **recipe):
    return RunConfig(
        activation=ActivationConfig(activation),
        network=NetworkConfig(network, residual="act_then_add"),
        data=DataConfig(data),
        recipe=Recipe(**recipe),
        seed=seed,
        execution=Execution(threads=1, snapshots=False),
    )


@pytest.fixture
def plainly(monkeypatch):
    """Call a function without any compiled kernel."""

    def call(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(choice, "backends", lambda device: (plain,))
            return function(*arguments)

    return call


def first_losses(run_config, steps):
    training = set_up(run_config, CPU, load_images(run_config, CPU))
    training.net.train()
    losses = []
    epoch = 1
    while len(losses) < steps:
        now = TrainingPass(training, epoch)
        for step in range(min(len(now.batches), steps - len(losses))):
            now.step(step)
            losses.append(float(now.losses[step]))
        epoch += 1
    return torch.tensor(losses)


def assert_agree(fast, plain):
    """Fail unless the losses differ as rounding makes them differ, and no more.

    Training multiplies a difference: a max pool or a kink that goes the other way makes a jump, at
    a step that depends on the processor's vectors. On AVX-512 the losses of 20 steps differ by at
    most 2.4e-5, those of 50 or 100 by at most 4.7e-3; two plain trainings whose weights differ by
    one unit in the last place part as far. A learning rate that is wrong by 1 % makes a difference
    of 5e-3 or more in the first 20 steps.
    """
    assert not torch.equal(fast, plain)  # else the same kernels ran twice
    difference = (fast - plain).abs()
    assert float(difference[:20].max()) <= 1e-4
    assert float(difference.max()) <= 1e-2


@pytest.mark.parametrize("activation", ["polyneuron_r", "polyneuron", "swish"])
def test_the_losses_of_the_first_100_steps_agree(activation, plainly, mnist_root):
    run_config = config(activation, data="mnist")
    fast = first_losses(run_config, 100)
    plain = plainly(first_losses, run_config, 100)
    assert_agree(fast, plain)


@pytest.mark.parametrize("activation", ["polyneuron_r", "polyneuron", "swish", "apl"])
def test_the_losses_of_the_first_steps_agree_on_digits(activation, plainly):
    run_config = config(activation, batch_size=32)
    fast, plain = first_losses(run_config, 50), plainly(first_losses, run_config, 50)
    assert_agree(fast, plain)


def test_the_losses_of_a_resnet_agree(plainly):
    run_config = config("polyneuron_r", "resnet20", batch_size=16)
    fast, plain = first_losses(run_config, 3), plainly(first_losses, run_config, 3)
    assert not torch.equal(fast, plain)
    assert float((fast - plain).abs().max()) <= 1e-3


def test_whole_runs_end_within_seed_noise(plainly):
    seeds = range(3)
    runs = [config("polyneuron_r", seed=seed, epochs=6, batch_size=64) for seed in seeds]
    fast = [train(run).last_val_error_percent for run in runs]
    plain = [plainly(train, run).last_val_error_percent for run in runs]
    noise = max(statistics.stdev(fast), statistics.stdev(plain))
    assert abs(statistics.mean(fast) - statistics.mean(plain)) <= noise
