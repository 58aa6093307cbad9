"""Two processes that train one network together learn what one process learns."""

import subprocess
import sys
from pathlib import Path

import torch

STEP = """
import sys, torch
from torch import distributed, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from polyneuron import parameter_groups, replace_activations

def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4), nn.GELU(), nn.Linear(4, 1))
    return replace_activations(net, "polyneuron_r", scope="channel")

def step(net, x):
    optimizer = torch.optim.SGD(parameter_groups(net, lr=0.1))
    net(x).square().mean().backward()
    optimizer.step()

folder, rank = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
)
x = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
alone, copied, sharded = network(), network(), fully_shard(network())
together = DistributedDataParallel(copied)
step(alone, x)
for net in (together, sharded):
    step(net, x[rank::2])
whole = {name: value.full_tensor() for name, value in sharded.named_parameters()}
learned = {"alone": alone.state_dict(), "copied": copied.state_dict(), "sharded": whole}
torch.save({"before": network().state_dict(), **learned}, f"{folder}/{rank}.pt")
distributed.destroy_process_group()
"""


def test_copied_and_sharded_training_learn_as_one_process_does(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STEP, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(rank)]) for rank in range(2)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    for rank in range(2):
        learned = torch.load(tmp_path / f"{rank}.pt")
        for name, alone in learned["alone"].items():
            assert not torch.equal(alone, learned["before"][name]), name
            for how in ("copied", "sharded"):
                # The batch's sum is taken in two halves.
                torch.testing.assert_close(learned[how][name], alone, rtol=1e-5, atol=1e-6)
