"""Observing a network changes nothing in it, and names the layer that runs away."""

import contextlib
import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from polyneuron import PolyNeuronR, ReLU
from trainers import (
    ActivationConfig,
    Configuration,
    DataConfig,
    EpochRecord,
    Event,
    Execution,
    NetworkConfig,
    Recipe,
    RunConfig,
    train,
)
from trainers.augment import Normaliser
from trainers.networks.build import build_network
from trainers.remedies import known_failure, remedies
from trainers.stability import (
    Stability,
    as_numbers,
    largest_inputs,
    observe,
    tail_at_fault,
    tail_gains,
)
from trainers.validation import BATCH, Validation, validate


@pytest.fixture(scope="module")
def seen_images():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return images, torch.randint(0, 10, (64,), generator=generator), Normaliser(images, "dataset")


def resnet(activation="polyneuron_r"):
    return build_network(
        NetworkConfig("resnet20"), ActivationConfig(activation), (3, 32, 32), 10, 0
    )


def test_observing_changes_nothing_and_tells_both_statistics_apart(seen_images):
    net = resnet()
    before, stream = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    seen = observe(net, *seen_images)
    assert torch.equal(torch.get_rng_state(), stream)
    after = net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert len(seen.inputs) == len(seen.batch_inputs) == len(seen.sums) == 19
    # A fresh network's running statistics are 0 and 1, which are not its batches'.
    assert seen.inputs != seen.batch_inputs
    assert seen.gap_percent == seen.error_percent - seen.batch_error_percent


def test_a_validation_that_is_there_is_not_made_again(seen_images):
    correct = np.zeros(100, bool)
    correct[:16] = True
    alone = observe(resnet(), *seen_images)
    inputs = dict.fromkeys(alone.inputs, 7.0)
    seen = observe(resnet(), *seen_images, (Validation(1.0, correct), inputs))
    assert seen.error_percent == 75.0  # 16 of the 64 images, and none of those that follow
    assert seen.inputs == inputs
    assert seen.batch_error_percent == alone.batch_error_percent


def test_the_first_batch_of_a_validation_tells_what_activations_receive():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2 * BATCH, 1, 28, 28), dtype=torch.uint8, generator=generator)
    images[BATCH:] = 255 * (images[BATCH:] > 127)  # of more contrast
    labels, normalise = torch.zeros(2 * BATCH, dtype=torch.int64), Normaliser(images, "dataset")
    net = build_network(NetworkConfig(), ActivationConfig("polyneuron_r"), (1, 28, 28), 10, 0)
    with contextlib.ExitStack() as first:
        largest = first.enter_context(largest_inputs(net))
        validate(net, images, labels, normalise, contextlib.nullcontext(), first)
    whole, half = (observe(net, images[:n], labels[:n], normalise) for n in (2 * BATCH, BATCH))
    assert as_numbers(largest) == half.inputs
    assert whole.inputs != half.inputs
    assert not any(module._forward_pre_hooks for module in net.modules())


def runaway(sum_w):
    """Two layers whose tails grow; the first receives inputs of size 10."""
    net = nn.Sequential(nn.Identity(), PolyNeuronR(), ReLU(), PolyNeuronR())
    with torch.no_grad():
        net[1].w[0, 0] += sum_w
    return net


@pytest.mark.parametrize(("sum_w", "expected"), [(0.2, True), (0.0, False), (-0.2, True)])
def test_a_gain_is_that_of_the_tail(sum_w, expected):
    net, x = runaway(sum_w), torch.linspace(-10, 10, 41)[:, None]
    gain = tail_gains(net, {"1": 10.0})["1"]
    largest = float(net[1](x).detach().abs().max()) / 10
    assert gain == pytest.approx(largest, rel=1e-5)
    text = tail_at_fault(net, lambda: net(x))
    assert bool(text) == expected
    if expected:
        # The second layer's inputs are larger, but they come from the first.
        assert text.startswith("inputs of 1 reached 10 with |Σw| at 0.2, and its tail makes them")


def test_no_tail_is_at_fault_where_the_failure_has_another_cause():
    net = nn.Sequential(nn.Linear(2, 2), ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        net[0].weight.fill_(3e38)
    assert tail_at_fault(net, lambda: net(torch.full((1, 2), 2.0))) == ""


def stability(inputs, batch_inputs, gains, error=50.0, batch_error=50.0):
    return Stability(inputs, batch_inputs, {}, gains, error, batch_error)


def test_a_warning_needs_a_far_input_and_a_tail():
    fine = {"a": 9.0, "b": 9.0}
    assert stability(fine, fine, {"a": 20.0, "b": 1.0}).warning() == ""
    far = {"a": 9.0, "b": 900.0}
    assert stability(fine, far, {"a": 1.0, "b": 1.2}).warning() == ""
    text = stability(fine, far, {"a": 1.0, "b": 80.0}).warning()
    assert text == "inputs of b reached 900, and its tail makes them 80 times as large"
    broken = stability({"a": math.nan, "b": 9.0}, fine, {"a": math.nan, "b": 1.0})
    assert (broken.farthest, broken.warning()[:22]) == ("a", "inputs of a reached na")


def test_a_warning_of_statistics_that_do_not_agree():
    fine = {"a": 9.0}
    assert stability(fine, fine, {"a": 1.0}, 59.9, 50.0).warning() == ""
    assert stability(fine, fine, {"a": 1.0}, 40.0, 90.0).warning() == ""
    text = stability(fine, fine, {"a": 1.0}, 88.0, 50.0).warning()
    assert text.startswith("running statistics give 88.0 % error, those of the batch 50.0 %")


def run_of(network="lenet5", options=None, activation="polyneuron_r", epochs=3, **recipe):
    return RunConfig(
        activation=ActivationConfig(activation, options=options or {}),
        network=NetworkConfig(network),
        data=DataConfig("digits", train_images=256),
        recipe=Recipe(epochs=epochs, batch_size=32, **recipe),
        execution=Execution(threads=1, snapshots=False),
    )


def test_each_epoch_tells_its_largest_input_and_sum():
    records = []
    train(run_of(epochs=2), records.append)
    epochs = [record for record in records if isinstance(record, EpochRecord)]
    assert all(1 < epoch.largest_input < 100 for epoch in epochs)
    assert {epoch.largest_input_layer for epoch in epochs} <= {"act1", "act2", "act3", "act4"}
    # The mean over the functions, of which there is one a layer, is no larger than the largest.
    assert all(epoch.largest_sum_w >= epoch.penalty_sum > 0 for epoch in epochs)
    assert all(epoch.statistics_gap_percent is None for epoch in epochs)


def test_a_resnet_tells_the_gap_and_functions_without_penalty_no_sum():
    records = []
    train(run_of("resnet20", activation="relu", epochs=1), records.append)
    (epoch,) = [record for record in records if isinstance(record, EpochRecord)]
    assert -100 <= epoch.statistics_gap_percent <= 100
    assert epoch.largest_sum_w is None


def test_a_run_warns_once_and_before_the_epoch_in_which_it_shows(monkeypatch):
    monkeypatch.setattr(Stability, "warning", lambda _: "inputs of act1 reached 51")
    records = []
    train(run_of(), records.append)
    kinds = [record.kind if isinstance(record, Event) else "epoch" for record in records[:-1]]
    assert kinds == ["start", "unstable", "epoch", "epoch", "epoch", "done"]
    (warning,) = [one for one in records if isinstance(one, Event) and one.kind == "unstable"]
    assert warning.detail == (
        "inputs of act1 reached 51; try recipe.activation_learning_rate: 1e-4"
    )


@pytest.mark.parametrize(
    ("options", "recipe", "advice"),
    [
        ({"k": 5}, {}, "try k: 3"),
        ({}, {"learning_rate": 0.3}, "try recipe.activation_learning_rate: 1e-4"),
    ],
)
def test_a_divergence_names_the_tail_and_a_remedy(options, recipe, advice):
    run = train(run_of(options=options, **recipe))
    assert run.status == "diverged"
    place, _, reason = run.stop_reason.partition("; inputs of act")
    assert "layer act" in place
    assert "its tail makes them" in reason
    assert advice in reason


def configuration(activation="polyneuron_r", options=None, own_rate=None, **network):
    return Configuration(
        ActivationConfig(activation, options=options or {}),
        NetworkConfig("resnet20", **network),
        recipe=dataclasses.replace(Recipe(), activation_learning_rate=own_rate),
    )


def test_readings_that_are_known_to_fail():
    assert "pre_act" in known_failure(configuration())
    assert "pre_act" in known_failure(configuration(own_rate=1e-4, residual="act_then_add"))
    literal = known_failure(configuration(residual="pre_act", shortcut="projection"))
    assert literal == (
        "polyneuron_r on resnet20 stays at chance in some seeds at a rate of 0.001, as its tails"
        " run away; try recipe.activation_learning_rate: 1e-4"
    )


def test_readings_that_are_not_known_to_fail():
    assert not known_failure(configuration(own_rate=1e-4, residual="pre_act"))
    assert not known_failure(configuration("relu"))
    assert not known_failure(configuration("polyneuron"))
    assert not known_failure(configuration(options={"k": 1}))
    assert not known_failure(configuration(options={"tail_range": 3.0}))
    assert not known_failure(Configuration())


def test_remedies_follow_the_cause():
    assert remedies(configuration(options={"init": "random"})) == "; try init: relu_like"
    assert "try k: 3" in remedies(configuration("polyneuron", {"k": 5}))
    assert remedies(configuration("relu")) == ""
