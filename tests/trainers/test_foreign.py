"""Networks and data that are not ours train like ours: exactly, from seeds, and on from a stop."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from recorded_run import final_network, recorded

from polyneuron import activation_modules
from trainers import train
from trainers.config import (
    ActivationConfig,
    DataConfig,
    Execution,
    NetworkConfig,
    Recipe,
    RunConfig,
)
from trainers.data.datasets import load_configured
from trainers.data.sources import DataUnavailableError
from trainers.networks.build import build_network
from trainers.records import EpochRecord, RunStopped

MLP = NetworkConfig("foreign_modules:mlp", weight_init="own", options={"dropout": 0.5})
SHORT = Recipe(epochs=3, batch_size=16, flip="none", pad=0)


def run(network=MLP, data="foreign_modules:stripes", activation="polyneuron_r", **fields):
    fields = {"recipe": SHORT, "seed": 1, **fields}
    options = fields.pop("data_options", {})
    return RunConfig(
        ActivationConfig(activation), network, DataConfig(data, options=options), **fields
    )


@pytest.mark.parametrize("kind", ["uint8", "float"])
@pytest.mark.parametrize("normalise", ["dataset", "image"])
def test_a_users_network_learns_a_users_images(kind, normalise):
    recipe = dataclasses.replace(SHORT, epochs=40, normalise=normalise, learning_rate=1e-2)
    network = dataclasses.replace(MLP, options={"width": 32})
    record = train(run(network, data_options={"kind": kind}, recipe=recipe))
    assert record.status == "completed"
    # 12 images of 3 classes: chance is 67 %.
    assert record.last_val_error_percent < 10


@pytest.mark.parametrize("border", [True, False])
@pytest.mark.parametrize("flip", ["left_right", "up_down", "none"])
def test_float_images_are_augmented_like_bytes(border, flip):
    """The same images as bytes and as floats: windows, mirrors and borders are the same."""
    from trainers.augment import Augmentation, Normaliser, draw_epoch

    recipe = Recipe(pad=2, flip=flip, pad_before_normalising=border)
    batches = []
    for kind in ("uint8", "float"):
        data = DataConfig("foreign_modules:stripes", options={"kind": kind})
        images = load_configured(data, None).train_images
        draws = draw_epoch(len(images), recipe, 0, 1, torch.device("cpu"))
        made = Augmentation(images, recipe, Normaliser(images, "dataset"))
        batches.append(made.batch(torch.arange(20), draws))
    # Both are normalised by their own mean and deviation, so the scale of 255 cancels.
    torch.testing.assert_close(*batches, rtol=1e-4, atol=1e-5)


def test_a_seed_is_a_run_and_dropout_draws_from_it(tmp_path):
    bits = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(hash(folder) % 100)
        execution = Execution(threads=1, checkpoint_folder=tmp_path / folder)
        _, records = recorded(run(seed=seed, execution=execution))
        bits.append(repr((records, final_network(tmp_path / folder))))
    assert bits[0] == bits[1] != bits[2]


@pytest.mark.parametrize("recipe", [{}, {"optimizer": "sgd", "nesterov": True, "momentum": 0.5}])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(tmp_path, recipe):
    recipe = dataclasses.replace(SHORT, schedule="cosine", warmup_epochs=1, **recipe)

    def executed(folder):
        return run(recipe=recipe, execution=Execution(threads=1, checkpoint_folder=folder))

    def stop(record):
        if isinstance(record, EpochRecord):
            raise RunStopped("interrupted")

    assert train(executed(tmp_path / "stopped"), stop).epochs_done == 1
    resumed, _ = recorded(executed(tmp_path / "stopped"))
    whole, _ = recorded(executed(tmp_path / "whole"))
    assert resumed == whole
    one, other = (final_network(tmp_path / name) for name in ("stopped", "whole"))
    assert {k: v.tolist() for k, v in one.items()} == {k: v.tolist() for k, v in other.items()}


def test_weights_are_those_of_the_networks_own_code_and_of_the_seed():
    def weights(activation, seed, network=MLP):
        net = build_network(network, ActivationConfig(activation), (2, 10, 14), 3, seed)
        return net[1].weight

    assert torch.equal(weights("relu", 0), weights("polyneuron_r", 0))
    assert not torch.equal(weights("relu", 0), weights("relu", 1))
    # torch's own: uniform, at most 1 / sqrt(inputs).
    assert weights("relu", 0).abs().max() <= 280**-0.5
    drawn = dataclasses.replace(MLP, weight_init="he_normal")
    assert weights("relu", 0, drawn).abs().max() > 280**-0.5


@pytest.mark.parametrize("scope", ["layer", "channel", "neuron"])
def test_activations_are_put_into_a_network_that_knows_none(scope):
    network = NetworkConfig("foreign_modules:plain", weight_init="own", replace=("ReLU",))
    net = build_network(network, ActivationConfig("swish", scope), (2, 10, 14), 3, 0)
    ((_, made),) = activation_modules(net)
    assert made.functions == {"layer": 1, "channel": 4, "neuron": 4 * 10 * 14}[scope]
    assert train(run(network, activation="swish")).status == "completed"


@pytest.mark.parametrize("channels", [1, 3])
def test_torchvisions_resnet18_with_its_relus_replaced(channels):
    network = NetworkConfig("torchvision:resnet18", weight_init="own", replace=("ReLU",))
    net = build_network(network, ActivationConfig("relu"), (channels, 32, 32), 7, 0)
    assert sum(1 for _ in activation_modules(net)) == 17
    if channels == 1:  # a grey image is one in three equal colours
        grey, colour = torch.rand(2, 1, 32, 32), None
        colour = build_network(network, ActivationConfig("relu"), (3, 32, 32), 7, 0)
        with torch.no_grad():
            one, other = net.eval()(grey), colour.eval()(grey.expand(2, 3, 32, 32))
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


NETWORK_FAULTS = {
    "no such module": ("nowhere:net", {}, "nowhere:net: no module 'nowhere'"),
    "no such function": ("foreign_modules:mpl", {}, "no 'mpl'; did you mean mlp?"),
    "another argument": (
        "foreign_modules:mlp",
        {"options": {"depth": 3}},
        r"mlp \(.*foreign_modules.py:\d+\): got an unexpected keyword argument 'depth'; it is"
        r" called with \(activation, in_channels=..., classes=..., image_size=..., depth=...\)",
    ),
    "too many outputs": (
        "foreign_modules:too_wide",
        {},
        r"too_wide \(.*\): for 2 images of 3 classes expected an output \(2, 3\); got \(2, 4\)",
    ),
    "no activation": ("foreign_modules:nothing_learned", {}, "make each by activation"),
    "no network": ("foreign_modules:stripes", {}, "expected an nn.Module; got tuple"),
    "no such classifier": ("torchvision:resnet19", {"replace": ("ReLU",)}, "no classifier"),
    "no reference": ("own:", {}, "name: expected module:function, as my_models:build; got 'own:'"),
}


@pytest.mark.parametrize("case", NETWORK_FAULTS)
def test_what_is_no_network_is_refused_with_its_file_and_its_mend(case):
    name, settings, message = NETWORK_FAULTS[case]

    def build():
        network = NetworkConfig(name, weight_init="own", **settings)
        build_network(network, ActivationConfig("relu"), (2, 10, 14), 3, 0)

    with pytest.raises(ValueError, match=message) as refusal:
        build()
    assert len(str(refusal.value).splitlines()) <= 2


DATA_FAULTS = {
    "another argument": (
        "foreign_modules:stripes",
        {"colour": 3},
        r"stripes \(.*\): got an unexpected keyword argument 'colour'; it is called with \(root,",
    ),
    "a label missing": ("foreign_modules:one_label_missing", {}, "as many train_labels"),
    "not four": ("foreign_modules:only_images", {}, "expected (.*val_labels.); got Tensor"),
    "no such data set": ("torchvision:FashonMNIST", {}, "did you mean FashionMNIST?"),
    "no classes": ("torchvision:CelebA", {"download": False}, "CelebA"),
}


@pytest.mark.parametrize("case", DATA_FAULTS)
def test_what_is_no_data_is_refused(case, tmp_path):
    name, options, message = DATA_FAULTS[case]
    with pytest.raises(ValueError, match=message):
        load_configured(DataConfig(name, options=options), tmp_path)


def write_images(folder, n, size=(12, 9), colour=False):
    """Write n images of each of two classes; the second is brighter."""
    for label, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            shape = (size[1], size[0], 3) if colour else (size[1], size[0])
            pixels = np.full(shape, 100 * label + number, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03d}.png")


def test_a_folder_of_images_with_two_parts(tmp_path):
    write_images(tmp_path / "train", 5)
    write_images(tmp_path / "val", 2)
    images = load_configured(DataConfig("folder:x", folder=str(tmp_path)), tmp_path)
    assert images.train_images.shape == (10, 1, 9, 12)
    assert images.train_labels.tolist() == [0] * 5 + [1] * 5
    assert images.val_images[:, 0, 0, 0].tolist() == [0, 1, 100, 101]
    assert images.classes == 2


def test_of_a_folder_without_parts_one_image_in_five_is_for_validation(tmp_path):
    write_images(tmp_path / "all", 10, colour=True)
    data = DataConfig("folder:all", folder=str(tmp_path / "all"), options={"side": 8})
    images = load_configured(data, tmp_path)
    assert images.train_images.shape == (16, 3, 8, 8)
    assert images.val_images[:, 0, 0, 0].tolist() == [4, 9, 104, 109]


def test_a_folder_that_has_no_images_is_refused(tmp_path):
    def load(folder):
        return load_configured(DataConfig("folder:x", folder=str(folder)), tmp_path)

    with pytest.raises(DataUnavailableError, match="no such folder"):
        load(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataUnavailableError, match="expected images as CLASS/NAME"):
        load(tmp_path / "empty")
    write_images(tmp_path / "a", 2)
    (tmp_path / "a" / "dark" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataUnavailableError, match=r"0\.png cannot be read as an image"):
        load(tmp_path / "a")
    write_images(tmp_path / "b", 2)
    write_images(tmp_path / "b" / "dark" / "inside", 2, size=(5, 5))
    with pytest.raises(ValueError, match=r"one size: .* has 12x9 and .* 5x5; resize .*side: 32"):
        load(tmp_path / "b")


def test_torchvisions_data_sets_are_read_by_name(tmp_path):
    """FashionMNIST's files as torchvision keeps them, with images of our own."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 6), ("t10k", 4)):
        sizes = b"".join(size.to_bytes(4, "big") for size in (2051, n, 28, 28))
        pixels = np.arange(n, dtype=np.uint8).repeat(784).tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(sizes + pixels)
        sizes = b"".join(size.to_bytes(4, "big") for size in (2049, n))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(sizes + bytes(range(n)))
    images = load_configured(DataConfig("torchvision:FashionMNIST"), tmp_path)
    assert images.train_images[:, 0, 0, 0].tolist() == images.train_labels.tolist() == [*range(6)]
    assert (images.val_images.shape, images.classes) == ((4, 1, 28, 28), 6)
