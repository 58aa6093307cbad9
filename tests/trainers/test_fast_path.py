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


@pytest.mark.parametrize("activation", ["polyneuron_r", "polyneuron", "swish"])
def test_the_losses_of_the_first_100_steps_agree(activation, plainly, mnist_root):
    run_config = config(activation, data="mnist")
    fast = first_losses(run_config, 100)
    plain = plainly(first_losses, run_config, 100)
    assert not torch.equal(fast, plain)  # else the same kernels ran twice
    assert float((fast - plain).abs().max()) <= 1e-3


@pytest.mark.parametrize("activation", ["polyneuron_r", "polyneuron", "swish", "apl"])
def test_the_losses_of_the_first_steps_agree_on_digits(activation, plainly):
    # 50: training multiplies any difference, and where APL's kinks lie differently it jumps.
    run_config = config(activation, batch_size=32)
    fast, plain = first_losses(run_config, 50), plainly(first_losses, run_config, 50)
    assert not torch.equal(fast, plain)
    assert float((fast - plain).abs().max()) <= 1e-3


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
