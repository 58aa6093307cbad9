import dataclasses
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from recorded_run import final_network, of, recorded, timeless

from trainers import (
    ActivationConfig,
    DataConfig,
    EpochRecord,
    Event,
    Execution,
    NetworkConfig,
    Recipe,
    RunConfig,
    Snapshot,
    cross_entropy,
    train,
)
from trainers.data import datasets
from trainers.seconds import Seconds

TABLE1 = ("relu", "swish", "apl", "polyneuron", "polyneuron_r")


def config(activation="polyneuron_r", epochs=3, seed=0, **fields):
    fields.setdefault("data", DataConfig("digits", train_images=300))
    fields.setdefault("recipe", Recipe(epochs=epochs))
    fields.setdefault("execution", Execution(threads=1))
    return RunConfig(activation=ActivationConfig(activation), seed=seed, **fields)


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def stored(tmp_path):
    return Execution(threads=1, checkpoint_folder=tmp_path / "checkpoints")


@pytest.mark.parametrize("activation", TABLE1)
def test_it_overfits_64_images(activation):
    recipe = Recipe(epochs=60, pad=0, flip="none", drop_at=(), weight_decay=0.0, batch_size=32)
    data = DataConfig("digits", train_images=64, validation="held_out", held_out_images=8)
    execution = Execution(threads=1, snapshots=False)
    _, records = recorded(config(activation, data=data, recipe=recipe, execution=execution))
    assert of(EpochRecord, records)[-1].train_error_percent == 0


@pytest.mark.parametrize(
    ("network", "activation"),
    [("lenet5", "relu"), ("lenet5", "polyneuron_r"), ("resnet20", "swish")],
)
def test_it_is_the_plain_loop(network, activation, stored, train_plainly, monkeypatch):
    # Compiled, the loss is rounded in another order than torch's: test_cross_entropy.py.
    monkeypatch.setattr(cross_entropy, "_library", lambda: None)
    data = DataConfig("digits", train_images=70, validation="held_out", held_out_images=50)
    recipe = Recipe(epochs=3, batch_size=32, lambda_prod=1e-2)
    ours = config(
        activation, data=data, recipe=recipe, execution=stored, network=NetworkConfig(network)
    )
    run, records = recorded(ours)
    net, epochs, failed = train_plainly(ours)
    assert failed is None
    assert equal(final_network(stored.checkpoint_folder), net.state_dict())
    for record, (loss, correct, right) in zip(of(EpochRecord, records), epochs, strict=True):
        # Ours adds 3 batch means in float64, the loop 70 times one of them.
        assert record.train_loss == pytest.approx(loss, rel=1e-12)
        assert record.train_error_percent == pytest.approx(100 * (70 - correct) / 70, rel=1e-12)
        assert record.val_error_percent == pytest.approx(100 * (50 - right) / 50, rel=1e-12)
    right = np.unpackbits(np.frombuffer(run.correct_bits, np.uint8), count=50)
    assert right.sum() == epochs[-1][2]


def test_the_gradient_norm_is_the_root_mean_square_over_steps():
    one_step = Recipe(epochs=1, batch_size=300, pad=0, flip="none")
    (record,) = of(EpochRecord, recorded(config("relu", recipe=one_step))[1])
    from torch.nn import functional as F

    from trainers.augment import Normaliser
    from trainers.networks import build_network

    images = datasets.split(
        datasets.load("digits", datasets.data_root(), 28), DataConfig("digits", train_images=300)
    )
    net = build_network(NetworkConfig(), ActivationConfig("relu"), (1, 28, 28), 10, 0)
    values = Normaliser(images.train_images, "dataset")(images.train_images)
    F.cross_entropy(net(values), images.train_labels).backward()
    norm = sum(p.grad.double().square().sum() for p in net.parameters()).sqrt().item()
    # float32 gradients of one batch, summed in another order.
    assert record.gradient_norm == pytest.approx(norm, rel=1e-4)


def test_records_come_in_order_and_add_up():
    run, records = recorded(config(epochs=4))
    start = records.index(Event("start", 0))
    assert {(type(record), record.epoch) for record in records[:start]} <= {(Snapshot, 0)}
    assert records[-2:] == [Event("done", 4), run]
    epochs = of(EpochRecord, records)
    assert [record.epoch for record in epochs] == [1, 2, 3, 4]
    # Halves round up: drops after 3 and 3 of 4 epochs.
    assert [record.learning_rate for record in epochs] == pytest.approx([1e-3] * 3 + [1e-5])
    errors = [record.val_error_percent for record in epochs]
    assert run.last_val_error_percent == errors[-1]
    assert run.best_val_error_percent == min(errors)
    assert run.best_epoch == 1 + errors.index(min(errors))
    assert (run.status, run.stop_reason) == ("completed", "")
    assert (run.epochs_planned, run.epochs_done) == (4, 4)
    assert (run.parameters, run.activation_functions) == (61_706 + 32, 4)
    assert (run.device, run.tf32) == ("cpu", False)
    assert run.data_sha256 == datasets.load("digits", datasets.data_root(), 28).sha256


def test_correct_bits_are_the_last_epochs_correct_images():
    run, records = recorded(config())
    right = np.unpackbits(np.frombuffer(run.correct_bits, np.uint8))
    assert len(run.correct_bits) == 45
    error = of(EpochRecord, records)[-1].val_error_percent
    assert 100 * (1 - right.sum() / 360) == pytest.approx(error, rel=1e-12)


def test_clocks_and_memory_are_measured():
    records = []
    run = train(config(), records.append)
    epochs = of(EpochRecord, records)
    assert all(0 < record.train_seconds < record.epoch_seconds for record in epochs)
    seconds = sum(record.train_seconds for record in epochs)
    assert run.train_seconds == pytest.approx(seconds)
    whole = sum(record.epoch_seconds for record in epochs)
    # Of evaluation, an epoch's time has the validation alone.
    assert run.evaluation_seconds > whole - run.train_seconds > 0
    assert run.images_per_second == pytest.approx(3 * 300 / seconds)
    assert epochs[-1].memory_megabytes > 100


def test_a_runs_time_is_told_apart_by_what_it_was_spent_on(tmp_path):
    started = time.perf_counter()
    run = train(config(epochs=2, execution=Execution(threads=1, checkpoint_folder=tmp_path)))
    whole = time.perf_counter() - started
    spent = {f.name: getattr(run, f"{f.name}_seconds") for f in dataclasses.fields(Seconds)}
    assert all(seconds > 0 for seconds in spent.values()), spent
    assert sum(spent.values()) < whole


def test_what_is_not_done_takes_no_time():
    run = train(config(epochs=1, execution=Execution(threads=1, snapshots=False)))
    assert (run.snapshot_seconds, run.checkpoint_seconds) == (0, 0)


def test_the_time_of_a_run_that_diverges_is_training():
    run = train(config(recipe=Recipe(epochs=1, learning_rate=1e6)))
    assert (run.status, run.epochs_done) == ("diverged", 0)
    assert run.train_seconds > 0


@pytest.mark.parametrize("threads", [1, 2])
def test_one_seed_gives_one_run(threads, tmp_path):
    runs = []
    for name in ("a", "b"):
        execution = Execution(threads=threads, checkpoint_folder=tmp_path / name)
        runs.append(recorded(config("apl", epochs=1, execution=execution)))
    assert runs[0] == runs[1]
    assert equal(final_network(tmp_path / "a"), final_network(tmp_path / "b"))


def test_another_seed_gives_another_run():
    assert recorded(config(seed=0))[0].correct_bits != recorded(config(seed=1))[0].correct_bits


def test_the_global_generator_has_no_say_and_is_left_alone():
    torch.manual_seed(1)
    first = recorded(config())
    state = torch.get_rng_state()
    assert recorded(config()) == first
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
def test_observing_does_not_change_the_run(tmp_path, network):
    def observed(name=None, **fields):
        folder = None if name is None else tmp_path / name
        execution = Execution(threads=1, checkpoint_folder=folder, **fields)
        data = DataConfig("digits", train_images=64, validation="held_out", held_out_images=40)
        small = config(data=data, network=NetworkConfig(network), execution=execution)
        return dataclasses.replace(small, recipe=Recipe(epochs=3, batch_size=32))

    run, records = recorded(observed("watched"))
    assert of(Snapshot, records)
    assert timeless(train(observed("alone", snapshots=False, checkpoint_every=100))) == run
    assert equal(final_network(tmp_path / "watched"), final_network(tmp_path / "alone"))
    assert timeless(train(observed(snapshots=False))) == run


def test_settings_of_the_process_are_put_back():
    threads = torch.get_num_threads()
    recorded(config(epochs=1, execution=Execution(threads=threads + 1, deterministic=True)))
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_held_out_part_is_validated_on():
    held_out = DataConfig("digits", validation="held_out", held_out_images=100)
    run, _ = recorded(config(data=held_out))
    assert len(run.correct_bits) == 13
    assert run.correct_bits != recorded(config())[0].correct_bits[:13]


@pytest.mark.parametrize("scope", ["channel", "neuron"])
def test_other_scopes_train(scope):
    activation = ActivationConfig("polyneuron_r", scope)
    run, records = recorded(
        dataclasses.replace(
            config(), activation=activation, execution=Execution(threads=1, snapshots=False)
        )
    )
    assert run.activation_functions == {"channel": 226, "neuron": 6508}[scope]
    losses = [record.train_loss for record in of(EpochRecord, records)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(epochs=3, precision="bfloat16"),
        Recipe(epochs=3, drop_last=True),
        Recipe(epochs=3, decay="decoupled", decay_on="weights"),
        Recipe(epochs=3, normalise="image", pad_before_normalising=False, flip="up_down"),
        Recipe(epochs=3, activation_learning_rate=1e-4),
    ],
)
def test_each_option_changes_the_run_and_still_learns(recipe):
    usual = [record.train_loss for record in of(EpochRecord, recorded(config())[1])]
    losses = [r.train_loss for r in of(EpochRecord, recorded(config(recipe=recipe))[1])]
    assert losses != usual
    assert losses[-1] < losses[0]


def test_bfloat16_stays_near_float32():
    usual = of(EpochRecord, recorded(config("relu"))[1])
    half = of(
        EpochRecord, recorded(config("relu", recipe=Recipe(epochs=3, precision="bfloat16")))[1]
    )
    for a, b in zip(usual, half, strict=True):
        # bfloat16 keeps 8 bits: 0.4 % an operation, over some tens of them.
        assert b.train_loss == pytest.approx(a.train_loss, rel=0.05)


def test_contiguous_images_give_nearly_the_same_run():
    plain = Execution(threads=1, channels_last=False)
    usual = of(EpochRecord, recorded(config("relu"))[1])
    other = of(EpochRecord, recorded(config("relu", execution=plain))[1])
    for a, b in zip(usual, other, strict=True):
        # Other convolution kernels sum in another order; Adam amplifies it for 9 steps.
        assert b.train_loss == pytest.approx(a.train_loss, rel=1e-3)


def test_resnet20_trains_on_digits_of_its_own_size():
    data = DataConfig("digits", train_images=128)
    small = config(
        "relu", epochs=2, network=NetworkConfig("resnet20"), data=data, recipe=Recipe(epochs=2)
    )
    run, records = recorded(small)
    assert run.parameters == 269_722 - 2 * 9 * 16  # one input channel, not three
    assert of(EpochRecord, records)[1].train_loss < of(EpochRecord, records)[0].train_loss


def test_lenet5_learns_mnist(mnist_root):
    execution = Execution(threads=1, data_root=mnist_root, snapshots=False)
    data = DataConfig("mnist", train_images=6000)
    constant = Recipe(epochs=2, drop_at=())
    run = train(config(data=data, recipe=constant, execution=execution))
    assert len(run.correct_bits) == 1250
    # Chance is 90 %; 94 steps bring the seeds 0 to 4 to between 26 % and 38 %.
    assert run.last_val_error_percent < 45


def test_resnet20_learns_cifar10(cifar10_root):
    small = config(
        "polyneuron",
        network=NetworkConfig("resnet20"),
        data=DataConfig("cifar10", "held_out", held_out_images=200, train_images=512),
        recipe=Recipe(epochs=2, batch_size=64),
        execution=Execution(threads=1, data_root=cifar10_root, snapshots=False),
    )
    run, records = recorded(small)
    assert run.parameters == 269_722 + 114
    first, second = of(EpochRecord, records)
    assert second.train_loss < first.train_loss
    assert second.train_error_percent < 90


@pytest.mark.parametrize(
    ("execution", "message"),
    [
        (Execution(device="cuda:97"), r"device='cuda:97': this machine has \d+ CUDA devices; use"),
        (Execution(device="abacus"), r"device='abacus' is no device; use 'cpu', 'cuda' or"),
        (Execution(device="mps"), r"device='mps' is not supported; use 'cpu'"),
    ],
)
def test_a_device_that_is_not_there(execution, message):
    with pytest.raises(ValueError, match=message):
        train(config(execution=execution))


def test_an_unknown_activation():
    with pytest.raises(ValueError, match=r"unknown activation 'rulu'.*relu"):
        train(config("rulu"))


def test_plain_values_need_no_torch_and_training_no_ray():
    code = (
        "import sys, trainers\n"
        "trainers.RunConfig().sections()\n"
        "heavy = {'torch', 'torchvision', 'ray', 'optuna', 'pydantic'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        # An identity has the defaults of the activation's options, which its class knows.
        "trainers.RunConfig().run_id\n"
        "trainers.train\n"
        "assert not (heavy - {'torch'}) & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_one_seed_gives_one_run_on_a_gpu():
    execution = Execution(device="cuda", deterministic=True)
    assert recorded(config(execution=execution)) == recorded(config(execution=execution))
