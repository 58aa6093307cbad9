from itertools import product

import torch

from trainers.seeding import stream


def draws(*key):
    return tuple(torch.randint(2**60, (3,), generator=stream(*key)).tolist())


def test_one_key_gives_one_stream():
    assert draws(0, "order", 1) == draws(0, "order", 1)


def test_seed_purpose_and_epoch_each_give_a_stream_of_their_own():
    purposes = ("weights", "activation", "order", "crop", "flip", "split")
    keys = list(product((0, 1, 2), purposes, (0, 1, 2, 500)))
    assert len({draws(*key) for key in keys}) == len(keys)


def test_neighbouring_seeds_are_not_correlated():
    numbers = torch.stack([torch.randn(2000, generator=stream(seed, "crop")) for seed in range(20)])
    correlations = torch.corrcoef(numbers) - torch.eye(20)
    # 190 pairs, each with a deviation of 1 / sqrt(2000) = 0.022.
    assert correlations.abs().max() < 0.1


def test_the_global_generator_is_neither_read_nor_moved():
    before = torch.get_rng_state()
    first = draws(0, "order")
    torch.manual_seed(123)
    assert draws(0, "order") == first
    torch.set_rng_state(before)
