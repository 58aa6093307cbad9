import shutil
import subprocess
import sys

import pytest
import torch

from trainers.config import DataConfig
from trainers.data import datasets, sources
from trainers.data.datasets import DataUnavailableError, split


@pytest.fixture(autouse=True)
def _nothing_kept():
    datasets.load.cache_clear()
    yield
    datasets.load.cache_clear()


@pytest.fixture
def mnist_copy(mnist_root, tmp_path):
    """A data root of our own, which may be damaged."""
    shutil.copytree(mnist_root / "MNIST", tmp_path / "data" / "MNIST")
    for path in (tmp_path / "data").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (tmp_path / "data").chmod(0o755)
    return tmp_path / "data"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home" / ".cache" / "polyneuron-sweeps"


def same(a, b):
    return a.sha256 == b.sha256 and all(map(torch.equal, a.tensors(), b.tensors()))


def test_mnist_is_what_torchvision_reads(mnist_root):
    from torchvision.datasets import MNIST

    images = datasets.load("mnist", mnist_root)
    train, test = MNIST(str(mnist_root)), MNIST(str(mnist_root), train=False)
    assert torch.equal(images.train_images[:, 0], train.data)
    assert torch.equal(images.train_labels, train.targets)
    assert torch.equal(images.val_images[:, 0], test.data)
    assert torch.equal(images.val_labels, test.targets)


def test_cifar10_is_what_torchvision_reads(cifar10_root):
    from torchvision.datasets import CIFAR10

    images = datasets.load("cifar10", cifar10_root)
    train, test = CIFAR10(str(cifar10_root)), CIFAR10(str(cifar10_root), train=False)
    assert torch.equal(images.train_images.permute(0, 2, 3, 1), torch.from_numpy(train.data))
    assert images.train_labels.tolist() == train.targets
    assert torch.equal(images.val_images.permute(0, 2, 3, 1), torch.from_numpy(test.data))
    assert images.val_labels.tolist() == test.targets


def test_digits_are_those_that_scikit_learn_reads() -> None:
    from sklearn.datasets import load_digits

    images = datasets.load("digits", sources.data_root(), 8)
    whole = torch.cat([images.train_images, images.val_images])[:, 0]
    expected = (torch.from_numpy(load_digits().images).float() * (255 / 16)).round()
    assert torch.equal(whole, expected.to(torch.uint8))


@pytest.mark.parametrize("side", [28, 32])
def test_digits_are_resized_and_split_in_the_files_order(side):
    from sklearn.datasets import load_digits

    images = datasets.load("digits", sources.data_root(), side)
    assert images.train_images.shape == (1437, 1, side, side)
    assert images.val_images.shape == (360, 1, side, side)
    assert images.train_labels.tolist() == load_digits().target[:1437].tolist()
    assert images.val_labels.tolist() == load_digits().target[1437:].tolist()
    # Resizing back by averaging gives the original picture, but for blurred edges.
    small = torch.nn.functional.adaptive_avg_pool2d(images.train_images.float(), 8)[:, 0]
    original = torch.from_numpy(load_digits().images[:1437]).float() * (255 / 16)
    assert torch.corrcoef(torch.stack([small.flatten(), original.flatten()]))[0, 1] > 0.95


def test_the_cache_holds_the_same_images_and_is_used(mnist_copy):
    fresh = datasets.load("mnist", mnist_copy)
    cache = mnist_copy / "tensors" / "mnist-v1.pt"
    assert cache.is_file()
    datasets.load.cache_clear()
    # A raw file altered after its checksum was taken is not read again.
    (mnist_copy / "MNIST/raw/train-images-idx3-ubyte").write_bytes(b"")
    assert same(datasets.load("mnist", mnist_copy), fresh)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]


@pytest.mark.parametrize("place", [0.01, 0.5, 0.999])
def test_a_damaged_cache_is_made_again(mnist_copy, place):
    fresh = datasets.load("mnist", mnist_copy)
    cache = mnist_copy / "tensors" / "mnist-v1.pt"
    content = bytearray(cache.read_bytes())
    content[int(place * len(content))] ^= 0xFF
    cache.write_bytes(content)
    datasets.load.cache_clear()
    assert same(datasets.load("mnist", mnist_copy), fresh)
    cache.write_bytes(cache.read_bytes()[:1000])
    datasets.load.cache_clear()
    assert same(datasets.load("mnist", mnist_copy), fresh)


def test_a_damaged_file_is_named(mnist_copy):
    path = mnist_copy / "MNIST/raw/t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x63")
    with pytest.raises(DataUnavailableError, match=r"t10k-labels-idx1-ubyte is damaged.*delete"):
        datasets.load("mnist", mnist_copy)
    assert not (mnist_copy / "tensors").exists()


def test_a_root_without_any_write_bit_is_left_alone(mnist_copy, home):
    mnist_copy.chmod(0o555)
    before = sorted(mnist_copy.rglob("*"))
    datasets.load("mnist", mnist_copy)
    assert sorted(mnist_copy.rglob("*")) == before
    assert (home / "tensors" / "mnist-v1.pt").is_file()


def test_without_any_place_for_a_cache_the_images_are_read_all_the_same(mnist_copy, home):
    mnist_copy.chmod(0o555)
    home.parent.parent.mkdir()
    home.parent.write_text("a file where the cache's folder should be")
    assert len(datasets.load("mnist", mnist_copy).train_images) == 60_000


def test_many_processes_load_at_once(mnist_copy):
    code = (
        "import sys; from pathlib import Path; from trainers.data import datasets;"
        "print(datasets.load('mnist', Path(sys.argv[1])).sha256)"
    )
    command = [sys.executable, "-c", code, str(mnist_copy)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert outputs == {datasets.load("mnist", mnist_copy).sha256}
    assert [path.name for path in (mnist_copy / "tensors").iterdir()] == ["mnist-v1.pt"]


def test_a_held_out_part_is_no_longer_trained_on():
    whole = datasets.load("digits", sources.data_root())
    config = DataConfig("digits", validation="held_out", held_out_images=300)
    images = split(whole, config)
    assert len(images.train_images) == 1137
    assert len(images.val_images) == 300

    def pictures(part):
        return sorted(tuple(picture.flatten().tolist()) for picture in part)

    together = torch.cat([images.train_images, images.val_images])
    assert pictures(together) == pictures(whole.train_images)
    again = split(whole, config)
    assert torch.equal(again.val_images, images.val_images)
    assert images.sha256 == whole.sha256


def test_a_held_out_part_has_every_class():
    whole = datasets.load("digits", sources.data_root())
    config = DataConfig("digits", validation="held_out", held_out_images=300)
    counts = split(whole, config).val_labels.bincount(minlength=10)
    # 30 of each are expected, with a deviation of about 5.
    assert counts.min() >= 15


def test_fewer_training_images():
    whole = datasets.load("digits", sources.data_root())
    small = split(whole, DataConfig("digits", train_images=64))
    larger = split(whole, DataConfig("digits", train_images=65))
    assert len(small.train_images) == len(small.train_labels) == 64
    assert torch.equal(small.val_images, whole.val_images)
    kept = {tuple(picture.flatten().tolist()) for picture in small.train_images}
    assert kept < {tuple(picture.flatten().tolist()) for picture in larger.train_images}


@pytest.mark.parametrize(
    "config",
    [
        DataConfig("digits", validation="held_out"),
        DataConfig("digits", validation="held_out", held_out_images=1437),
        DataConfig("digits", validation="held_out", held_out_images=400, train_images=1038),
        DataConfig("digits", train_images=1438),
    ],
)
def test_more_images_than_there_are(config):
    whole = datasets.load("digits", sources.data_root())
    with pytest.raises(ValueError, match=r"digits has 1437 training images; ask for fewer"):
        split(whole, config)
