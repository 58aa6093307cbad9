"""Steps that are replayed do what steps that are taken do.

In place of a CUDA graph, operators are recorded and replayed on the CPU.
"""

import dataclasses
import functools
import warnings

import pytest
import torch
from recorded_run import of, recorded
from recorded_step import captured
from synthetic_images import synthetic

from polyneuron import PolyNeuronWarning
from polyneuron.kernels import choice, plain
from trainers import (
    ActivationConfig,
    DataConfig,
    EpochRecord,
    Execution,
    Recipe,
    RunConfig,
    RunStopped,
    adam,
    cross_entropy,
    devices,
    graph,
    train,
    windows,
)
from trainers.divergence import SavedState
from trainers.epoch import TrainingPass
from trainers.graph import GraphWarning, StepGraph
from trainers.loop import set_up
from trainers.optimizer import load_state, set_rates

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    """Take the CPU for a device with graphs, and compute by operators that can be recorded."""
    monkeypatch.setattr(devices, "captures_steps", lambda device: True)
    monkeypatch.setattr(graph, "captured", captured)
    monkeypatch.setattr(choice, "backends", lambda device: (plain,))
    monkeypatch.setattr(windows, "can_cut", lambda images: False)
    monkeypatch.setattr(adam, "_library", lambda: None)
    monkeypatch.setattr(cross_entropy, "_library", lambda: None)
    graph.warn_of_eager_steps.cache_clear()


@pytest.fixture(scope="module")
def ran_eagerly():
    """Records of runs by their ids: some are asked for again and again."""
    return {}


@pytest.fixture
def eagerly(monkeypatch, ran_eagerly):
    """Train where capturing fails, so that the same steps are taken eagerly."""

    def refused(take, device):
        raise RuntimeError("no graphs today")

    def call(run_config):
        if run_config.run_id not in ran_eagerly:
            with monkeypatch.context() as patch:
                patch.setattr(graph, "captured", refused)
                graph.warn_of_eager_steps.cache_clear()
                with pytest.warns(GraphWarning, match="no graphs today$"):
                    ran_eagerly[run_config.run_id] = recorded(run_config)
        return ran_eagerly[run_config.run_id]

    return call


@pytest.fixture
def replays(monkeypatch):
    """Counts the steps that were replayed."""
    counts = []

    def counting(take, device):
        replay, figures = captured(take, device)

        def counted():
            counts.append(1)
            replay()

        return counted, figures

    monkeypatch.setattr(graph, "captured", counting)
    return counts


def config(activation="polyneuron_r", execution=None, **recipe):
    options = {"epochs": 2, "batch_size": 32, "drop_at": (0.5,), "lambda_prod": 1e-2, **recipe}
    return RunConfig(
        activation=ActivationConfig(activation),
        data=DataConfig("digits", train_images=150),
        recipe=Recipe(**options),
        execution=Execution(threads=1, snapshots=False, **(execution or {})),
    )


def test_a_run_is_the_same_bit_for_bit(eagerly, replays):
    # 4 batches of 32 images and one of 22; the rate drops after the first epoch.
    assert recorded(config()) == eagerly(config())
    assert len(replays) == graph.COMPARED_STEPS + 2 * 4


def test_a_training_set_of_one_batch(eagerly, replays):
    small = config(batch_size=1000)
    assert recorded(small) == eagerly(small)
    assert len(replays) == 1 + 2


@pytest.mark.parametrize("factor", [100.0, 1e6])
def test_a_divergence_is_found_at_the_same_step(factor, eagerly, replays):
    run_config = config(drop_factor=factor, batch_size=16)
    record, records = recorded(run_config)
    assert record.status == "diverged"
    assert record.diverged_step > 0
    assert len(replays) > 9
    assert (record, records) == eagerly(run_config)


def test_a_divergence_at_the_start_is_no_fault_of_the_graph():
    with warnings.catch_warnings():
        warnings.simplefilter("error", GraphWarning)
        run = train(config(learning_rate=1e30))
    assert (run.status, run.diverged_step) == ("diverged", 2)


def test_a_singular_system_at_the_start():
    # At k = 4 three control points so far apart have no spline.
    options = {"k": 4, "half_range": 2 ** (-4 / 3)}
    singular = dataclasses.replace(
        config(), activation=ActivationConfig("polyneuron", options=options)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PolyNeuronWarning)
        run = train(singular)
    assert (run.status, run.diverged_step, run.diverged_layer) == ("diverged", 1, "act1")
    assert "singular" in run.stop_reason


def test_a_run_resumes_bit_for_bit(tmp_path, eagerly, replays):
    def stop(record):
        if isinstance(record, EpochRecord):
            raise RunStopped("interrupted")

    stored = config(execution={"checkpoint_folder": tmp_path})
    assert train(stored, stop).status == "interrupted"
    record, records = recorded(stored)
    uncut, all_records = eagerly(config())
    assert record == uncut
    assert len(replays) == 2 * (graph.COMPARED_STEPS + 4)
    assert of(EpochRecord, records)[-1] == of(EpochRecord, all_records)[-1]


def test_a_checkpoint_of_another_device(monkeypatch):
    here, images = config(), synthetic(1, 28, 64)
    with_graph = set_up(here, CPU, images)
    TrainingPass(with_graph, 1).step(0)
    monkeypatch.setattr(devices, "captures_steps", lambda device: False)
    without = set_up(here, CPU, images)
    TrainingPass(without, 1).step(0)
    rates = {}
    for training, other in ((with_graph, without), (without, with_graph)):
        stored = other.optimizer.state_dict()
        load_state(training.optimizer, stored)
        set_rates(training.optimizer, here.recipe, 2)
        for group in training.optimizer.param_groups:
            rates[type(group["lr"])] = float(group["lr"])
            assert group["capturable"] == isinstance(group["lr"], torch.Tensor)
        for parameter, state in training.optimizer.state.items():
            assert state["step"] == 1
            assert state["exp_avg"].shape == parameter.shape
    assert rates == pytest.approx({torch.Tensor: 1e-4, float: 1e-4})


def test_a_step_that_cannot_be_captured(eagerly):
    # On the CPU the spline through control points asks at once whether it exists.
    expected = eagerly(config("polyneuron"))
    message = "more slowly: operation not permitted when stream is capturing$"
    with pytest.warns(GraphWarning, match=message) as caught:
        assert recorded(config("polyneuron")) == expected
    assert len([warning for warning in caught if warning.category is GraphWarning]) == 1


@pytest.mark.parametrize("forgotten", ["fused_adam", "index", "convolution_backward"])
def test_replays_that_do_something_else_are_not_used(forgotten, monkeypatch, eagerly):
    expected = eagerly(config())
    wrong = functools.partial(captured, without=forgotten)
    monkeypatch.setattr(graph, "captured", wrong)
    with pytest.warns(GraphWarning, match="replayed steps differ from eager ones"):
        assert recorded(config()) == expected


def test_rates_and_penalties_are_read_at_every_replay():
    def second_step(steps, change):
        training = set_up(config(), CPU, synthetic(1, 28, 64))
        training.net.train()
        now = TrainingPass(training, 1, steps(training))
        now.step(0)
        change(training)
        now.step(1)
        return now.norms[1], torch.cat([p.flatten() for p in training.net.parameters()])

    def penalties(training):
        training.objective.lambda_sum.fill_(3e4)

    def rates(training):
        for group in training.optimizer.param_groups:
            group["lr"].fill_(0.5)

    unchanged = second_step(StepGraph, lambda training: None)
    for change in (penalties, rates):
        replayed = second_step(StepGraph, change)
        eager = second_step(lambda training: None, change)
        assert all(map(torch.equal, replayed, eager))
        assert torch.equal(replayed[0], unchanged[0]) == (change is rates)
        assert not torch.equal(replayed[1], unchanged[1])


def test_a_state_goes_back_into_the_same_memory():
    training = set_up(config(), CPU, synthetic(1, 28, 64))
    net, optimizer = training.net, training.optimizer
    fresh = SavedState(net, optimizer)
    now = TrainingPass(training, 1)
    now.step(0)
    kept = SavedState(net, optimizer)
    places = {p: {n: t.data_ptr() for n, t in s.items()} for p, s in optimizer.state.items()}
    first = [parameter.clone() for parameter in net.parameters()]
    now.step(1)
    second = [parameter.clone() for parameter in net.parameters()]
    kept.restore(net, optimizer)
    assert all(map(torch.equal, net.parameters(), first))
    now.step(1)
    assert all(map(torch.equal, net.parameters(), second))
    fresh.restore(net, optimizer)
    now.step(0)
    assert all(map(torch.equal, net.parameters(), first))
    assert places == {
        p: {n: t.data_ptr() for n, t in s.items()} for p, s in optimizer.state.items()
    }
