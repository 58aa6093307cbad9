import dataclasses
import gzip
import hashlib
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from trainers.data import DATASETS, sources
from trainers.data.sources import DataUnavailableError


@pytest.fixture
def proxied(monkeypatch):
    """Return a function that sends every request to a port of this machine."""

    def send_to(port):
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        # urllib reads the environment once, when it makes its first request.
        monkeypatch.setattr(urllib.request, "_opener", None)

    return send_to


@pytest.fixture
def no_network(proxied):
    proxied(9)  # nothing listens there


@pytest.fixture
def silent_network(proxied, monkeypatch):
    """Takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxied(server.getsockname()[1])
        monkeypatch.setattr(sources, "_PROBE_SECONDS", 0.5)
        yield


def test_the_root_is_the_setting_then_the_environment_then_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SWEEPS_DATA", str(tmp_path / "a"))
    assert sources.data_root(tmp_path / "b") == tmp_path / "b"
    assert sources.data_root() == tmp_path / "a"
    monkeypatch.delenv("SWEEPS_DATA")
    assert sources.data_root() == Path("~/.cache/polyneuron-sweeps").expanduser()


def test_a_relative_root_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWEEPS_DATA", "data")
    assert sources.data_root() == tmp_path / "data"


def test_available_looks_at_the_files(mnist_root, tmp_path):
    assert sources.available("mnist", mnist_root)
    assert not sources.available("mnist", tmp_path)
    assert sources.available("digits", tmp_path)
    folder = tmp_path / "MNIST/raw"
    folder.mkdir(parents=True)
    names = list(DATASETS["mnist"].source.md5)
    for name in names[:-1]:
        (folder / name).touch()
    assert not sources.available("mnist", tmp_path)
    (folder / names[-1]).touch()
    assert sources.available("mnist", tmp_path)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("damaged", [False, True])
def test_packed_files_are_unpacked_without_a_network(mnist_root, tmp_path, monkeypatch, damaged):
    """The published archives, under their published names, with checksums of their own."""
    from torchvision.datasets import MNIST

    raw = tmp_path / "MNIST/raw"
    raw.mkdir(parents=True)
    archives = {}
    for path in (mnist_root / "MNIST/raw").glob("*-ubyte"):
        packed = raw / f"{path.name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
        archives[f"MNIST/raw/{packed.name}"] = hashlib.md5(packed.read_bytes()).hexdigest()
    assert sorted(archives) == sorted(DATASETS["mnist"].source.archives)
    monkeypatch.setattr(MNIST, "resources", [(Path(p).name, md5) for p, md5 in archives.items()])
    source = dataclasses.replace(DATASETS["mnist"].source, archives=archives)
    changed = dataclasses.replace(DATASETS["mnist"], source=source)
    monkeypatch.setattr(sources, "DATASETS", {**DATASETS, "mnist": changed})
    if damaged:
        packed.write_bytes(packed.read_bytes()[:-1])
        with pytest.raises(DataUnavailableError, match="cannot be downloaded"):
            sources.provide("mnist", tmp_path)
        return
    assert not sources.available("mnist", tmp_path)
    sources.provide("mnist", tmp_path)
    assert sources.available("mnist", tmp_path)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_without_files_or_network_one_line_says_what_to_do(name, tmp_path):
    started = time.monotonic()
    with pytest.raises(DataUnavailableError) as caught:
        sources.provide(name, tmp_path / "nowhere")
    assert time.monotonic() - started < 10
    message = str(caught.value)
    assert "\n" not in message
    for word in (name, str(tmp_path / "nowhere"), "SWEEPS_DATA", "digits"):
        assert word in message
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("silent_network")
def test_a_network_that_never_answers_is_given_up(tmp_path):
    started = time.monotonic()
    with pytest.raises(DataUnavailableError, match=r"(no answer|timed out).*SWEEPS_DATA"):
        sources.provide("mnist", tmp_path)
    assert time.monotonic() - started < 5


def test_a_folder_without_any_write_bit_is_not_writable(tmp_path):
    assert sources.writable(tmp_path)
    tmp_path.chmod(0o555)
    assert not sources.writable(tmp_path)
    tmp_path.chmod(0o755)
