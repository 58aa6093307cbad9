"""Fit a curve with a small network of torch: its training goes on from its checkpoint."""

import torch
from torch import nn


def train(config, seed, report, checkpoint):
    """Train on noisy points of a sine, and report the error on others after each epoch."""
    torch.manual_seed(seed)
    x = torch.linspace(-3, 3, 128)[:, None]
    y = torch.sin(2 * x) + 0.1 * torch.randn(x.shape)
    net = nn.Sequential(nn.Linear(1, config["width"]), nn.Tanh(), nn.Linear(config["width"], 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=config["rate"])
    file, done = checkpoint / "state.pt", 0
    if file.exists():
        state = torch.load(file)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["epoch"]
    for epoch in range(done + 1, config["epochs"] + 1):
        for _ in range(20):
            loss = nn.functional.mse_loss(net(x[::2]), y[::2])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            rmse = nn.functional.mse_loss(net(x[1::2]), y[1::2]).sqrt()
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
        torch.save(state, checkpoint / "next.pt")
        (checkpoint / "next.pt").replace(file)
        report(epoch=epoch, rmse=rmse, loss=loss)
