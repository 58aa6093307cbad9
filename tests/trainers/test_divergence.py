import dataclasses
import warnings

import pytest
import torch
from torch import nn

from polyneuron import PolyNeuronWarning, make_activation
from trainers import (
    ActivationConfig,
    DataConfig,
    EpochRecord,
    Event,
    Execution,
    Recipe,
    RunConfig,
    checkpoint,
    train,
)
from trainers.divergence import (
    CHECK_EVERY,
    Diverged,
    diagnose,
    first_nonfinite,
    locate_singular_system,
)

SINGULAR_HALF_RANGE = 2 ** (-4 / 3)
"""At k = 4 three control points so far apart have no spline."""


def config(recipe, seed=0, **execution):
    return RunConfig(
        activation=ActivationConfig("polyneuron_r"),
        data=DataConfig("digits", train_images=1200),
        recipe=recipe,
        seed=seed,
        execution=Execution(threads=1, snapshots=False, **execution),
    )


def rising(factor):
    """After a quiet first epoch of 75 steps the rate rises, in place of falling."""
    return Recipe(epochs=2, batch_size=16, drop_at=(0.5,), drop_factor=factor)


@pytest.mark.parametrize("factor", [60.0, 100.0, 1e4])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_found_at_the_step_at_which_the_plain_loop_meets_it(factor, seed, train_plainly):
    run_config = config(rising(factor), seed)
    run = train(run_config)
    _, _, failed = train_plainly(run_config)
    if failed is None:
        assert run.status == "completed"
    else:
        assert run.status == "diverged"
        assert (run.epochs_done + 1, run.diverged_step) == failed
        assert run.diverged_layer


def test_some_of_these_do_diverge_after_the_first_look():
    steps = [train(config(rising(100.0), seed)).diverged_step for seed in (0, 1, 2)]
    assert any(step is not None and step % CHECK_EVERY != 1 for step in steps)


def test_the_record_says_where_and_why_and_keeps_what_there_was():
    records = []
    run = train(config(rising(1e6)), records.append)
    assert run.status == "diverged"
    assert (run.epochs_done, run.epochs_planned) == (1, 2)
    (epoch,) = [record for record in records if isinstance(record, EpochRecord)]
    assert run.last_val_error_percent == epoch.val_error_percent
    assert len(run.correct_bits) == 45
    expected = f"epoch 2, step {run.diverged_step}, layer {run.diverged_layer}: its output is not"
    assert run.stop_reason.startswith(expected)
    assert records[-2:] == [Event("diverged", 2, run.stop_reason), run]


def test_the_network_is_kept_as_it_was_before_the_step(tmp_path):
    run_config = config(rising(1e6), checkpoint_folder=tmp_path)
    run = train(run_config)
    (path,) = tmp_path.glob("*/final.ckpt")
    assert all(value.isfinite().all() for value in checkpoint.read(path)["net"].values())
    again = []
    returned = train(run_config, again.append)
    assert again[-1] == returned
    # The stored record cannot have the time of its own writing.
    assert dataclasses.replace(returned, checkpoint_seconds=run.checkpoint_seconds) == run


def test_a_step_that_breaks_a_parameter_is_taken_back(tmp_path):
    run = train(config(Recipe(epochs=1, learning_rate=1e39), checkpoint_folder=tmp_path))
    assert (run.diverged_step, run.diverged_layer) == (1, "conv1")
    assert run.stop_reason.endswith("its weight is not finite after the update")
    (path,) = tmp_path.glob("*/final.ckpt")
    assert all(value.isfinite().all() for value in checkpoint.read(path)["net"].values())


def test_a_diverged_run_diverges_again_when_it_was_interrupted(tmp_path):
    from trainers import RunStopped

    def stop(record):
        if isinstance(record, EpochRecord):
            raise RunStopped("interrupted")

    stored = config(rising(1e6), checkpoint_folder=tmp_path)
    assert train(stored, stop).status == "interrupted"
    resumed, uncut = train(stored), train(config(rising(1e6)))
    assert resumed.stop_reason == uncut.stop_reason
    assert resumed.correct_bits == uncut.correct_bits


def test_a_run_that_never_finished_an_epoch():
    run = train(config(Recipe(epochs=1, learning_rate=1e30)))
    assert (run.status, run.epochs_done, run.diverged_step) == ("diverged", 0, 2)
    assert run.stop_reason.endswith("its output is not finite")
    assert run.last_val_error_percent is None
    assert run.best_epoch is None
    assert run.correct_bits == b""


def test_a_singular_system_is_located_in_its_layer():
    net = nn.Sequential(*(make_activation("polyneuron") for _ in range(3)))
    with torch.no_grad():
        net[1].c_x.zero_()
    with pytest.raises(Diverged, match="layer 1: ") as caught, locate_singular_system(net):
        net(torch.ones(2))
    assert (caught.value.step, caught.value.layer) == (0, "1")


@pytest.mark.parametrize(("snapshots", "step"), [(True, 0), (False, 1)])
def test_a_singular_system_at_the_start(snapshots, step):
    options = {"k": 4, "half_range": SINGULAR_HALF_RANGE}
    singular = dataclasses.replace(
        config(Recipe(epochs=2)),
        activation=ActivationConfig("polyneuron", options=options),
        execution=Execution(threads=1, snapshots=snapshots),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PolyNeuronWarning)
        run = train(singular)
    assert (run.status, run.diverged_step, run.diverged_layer) == ("diverged", step, "act1")
    assert "singular" in run.stop_reason
    assert "k = 4" in run.stop_reason


class Root(nn.Module):
    """Its gradient at 0 is infinite."""

    def forward(self, x):
        return x.abs().sqrt()


def diagnosed(net, x, rate=0.1):
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    return diagnose(net, optimizer, lambda: net(x).sum())


def test_diagnosis_of_an_output():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with torch.no_grad():
        net[0].weight.fill_(3e38)
    assert diagnosed(net, torch.full((1, 2), 2.0)) == ("0", "its output is not finite")


def test_diagnosis_of_a_gradient_names_the_layer_nearest_the_loss():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False), Root(), nn.Linear(2, 1))
    with torch.no_grad():
        net[1].weight.zero_()
    layer, cause = diagnosed(net, torch.ones(1, 2))
    assert (layer, cause) == ("1", "the gradient of its weight is not finite")


def test_diagnosis_of_an_update():
    net = nn.Sequential(nn.Linear(2, 1))
    layer, cause = diagnosed(net, torch.full((1, 2), 1e10), rate=1e30)
    assert (layer, cause) == ("0", "its weight is not finite after the update")


def test_diagnosis_of_a_loss():
    net = nn.Sequential(nn.Linear(2, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    loss = diagnose(net, optimizer, lambda: net(torch.ones(1, 2)).sum() * float("nan"))
    assert loss == ("", "the loss is not finite")


def test_diagnosis_of_nothing():
    net = nn.Sequential(nn.Linear(2, 1))
    assert diagnosed(net, torch.ones(1, 2)) == (
        "",
        "not finite at first, and finite when the step was taken again",
    )


def test_first_nonfinite():
    fine, inf, nan = torch.zeros(4), torch.zeros(4), torch.zeros(4, dtype=torch.float64)
    inf[2], nan[1] = float("inf"), float("nan")
    assert first_nonfinite(fine) is None
    assert first_nonfinite(fine, inf) == 2
    assert first_nonfinite(inf, nan) == 1
