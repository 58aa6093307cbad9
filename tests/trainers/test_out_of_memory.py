"""A process that may not have more memory reports what it asked for."""

import json
import subprocess
import sys

import torch

SCRIPT = """
import dataclasses, json, resource, sys
from pathlib import Path
import torch
from trainers import *
from trainers.data import datasets

torch.set_num_threads(1)
torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
datasets.load("digits", datasets.data_root(), 32)
config = RunConfig(
    activation=ActivationConfig("relu"), network=NetworkConfig("resnet20"),
    data=DataConfig("digits"), recipe=Recipe(epochs=2, batch_size=1000),
    execution=Execution(threads=1, snapshots=False, checkpoint_folder=Path(sys.argv[1])),
)
(pages,) = Path("/proc/self/statm").read_text().split()[:1]
limit = int(pages) * resource.getpagesize() + 300 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
records = []
run = train(config, records.append)
assert records[-1] == run
print(json.dumps([run.status, run.stop_reason, run.epochs_done, records[-2].kind]))
"""


def test_out_of_memory_is_an_outcome(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    status, reason, epochs, event = json.loads(done.stdout)
    assert (status, epochs, event) == ("error", 0, "out_of_memory")
    assert reason.startswith("out of memory at batch_size 1000: ")
    # The first tensor that does not fit: a layer of 16 x 32 x 32 float32 for 1000 images.
    assert "allocate 65536000 bytes" in reason
    assert not list(tmp_path.rglob("final.ckpt"))


def test_the_gpus_message_counts_too():
    from trainers.devices import is_out_of_memory

    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("expected a matrix"))
