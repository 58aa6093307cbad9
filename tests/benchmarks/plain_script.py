"""What a researcher would write in an afternoon: the rival of our training step.

Images are opened by PIL and transformed one by one in a DataLoader, modules are eager, Adam is
torch's default, and PolyNeuron-R is eq. 1 with a broadcast over its control points.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class NaivePolyNeuronR(nn.Module):
    """Eq. 1, k = 3, s = 3, from the ReLU-like start."""

    def __init__(self) -> None:
        super().__init__()
        self.c_x = nn.Parameter(torch.tensor([-1.0, 0.0, 1.0]))
        self.w = nn.Parameter(torch.tensor([0.125, -0.25, 0.125]))
        self.v = nn.Parameter(torch.tensor([0.5, -0.25]))

    def forward(self, x: Tensor) -> Tensor:
        r = (x.unsqueeze(-1) - self.c_x).abs()
        return (self.w * r**3).sum(-1) + self.v[0] * x + self.v[1]


class Images(Dataset):  # type: ignore[type-arg]
    """PIL images with the paper's augmentation, one at a time."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        channels, side = images.shape[1], images.shape[-1]
        self.images = [Image.fromarray(self._array(image)) for image in images]
        self.labels = labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(side, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize([0.5] * channels, [0.25] * channels),
            ]
        )

    @staticmethod
    def _array(image: Tensor):  # type: ignore[no-untyped-def]
        return image.permute(1, 2, 0).squeeze(-1).numpy()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def batches(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches of 128, for ever."""
    loader = DataLoader(Images(images, labels), batch_size=128, shuffle=True, drop_last=True)
    while True:
        yield from loader


class PlainStep:
    """One step: next batch, forward, eq. 4, backward, Adam."""

    def __init__(self, net: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.net = net
        self.device = next(net.parameters()).device
        self.batches = batches(images, labels)
        self.activations = [m for m in net.modules() if isinstance(m, NaivePolyNeuronR)]
        self.optimizer = torch.optim.Adam(net.parameters(), weight_decay=1e-4)

    def __call__(self) -> None:
        """Take the step."""
        x, target = (tensor.to(self.device) for tensor in next(self.batches))
        loss = F.cross_entropy(self.net(x), target)
        if self.activations:
            loss = loss + 1e-2 * sum(m.w.sum().abs() for m in self.activations) / 4
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
