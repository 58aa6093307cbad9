"""PolyNeuron-R with straight tails: eq. 1 within the range, its tangents beyond."""

import pytest
import torch
from torch import nn

from polyneuron import PolyNeuronR, normalised_activation
from polyneuron.testing import ActivationContract

RANGE = 3.0


class TestStraightTails(ActivationContract):
    def make(self, channels):
        return PolyNeuronR(channels=channels, tail_range=RANGE)


def pair(s=5, dtype=torch.float64):
    """The same coefficients, far from the start, with straight tails and without."""
    generator = torch.Generator().manual_seed(1)
    straight, plain = (PolyNeuronR(s, channels=4, tail_range=end) for end in (RANGE, None))
    with torch.no_grad():
        for parameter in straight.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    plain.load_state_dict(straight.state_dict())
    return straight.to(dtype), plain.to(dtype)


def gradients(module, x):
    module.zero_grad()
    y = module(x)
    y.sin().sum().backward()
    return y.detach(), *(parameter.grad for parameter in module.parameters())


def test_within_the_range_it_is_eq_1_with_its_gradients():
    straight, plain = pair()
    x = torch.linspace(-RANGE, RANGE, 201, dtype=torch.float64)[:, None].expand(-1, 4)
    for found, expected in zip(gradients(straight, x), gradients(plain, x), strict=True):
        # Both sum cubes of up to 4 in float64; knots are off by a rounding.
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_beyond_the_range_it_is_the_tangent(side):
    straight, plain = pair()
    end = torch.full((1, 4), side * RANGE, dtype=torch.float64, requires_grad=True)
    height = plain(end)
    (slope,) = torch.autograd.grad(height.sum(), end)
    for beyond in (0.5, 40.0, 1e6):
        expected = height + slope * side * beyond
        torch.testing.assert_close(straight(end + side * beyond), expected, rtol=1e-9, atol=1e-9)


def test_a_control_point_beyond_the_range_moves_its_end():
    straight, plain = pair()
    with torch.no_grad():
        for module in (straight, plain):
            module.c_x[:, 0] = -5.0
    x = torch.linspace(-5.0, RANGE, 101, dtype=torch.float64)[:, None].expand(-1, 4)
    torch.testing.assert_close(straight(x), plain(x), rtol=1e-8, atol=1e-8)


def test_points_that_meet_give_finite_values_and_gradients():
    straight, plain = pair(dtype=torch.float32)
    with torch.no_grad():
        for module in (straight, plain):
            module.c_x.copy_(torch.tensor([0.5, 0.5, 0.5, RANGE, -RANGE]))
    x = torch.linspace(-2.5, 2.5, 101)[:, None].expand(-1, 4)
    for found, expected in zip(gradients(straight, x), gradients(plain, x), strict=True):
        # Gaps of 1e-3 in float32: heights of up to 50 with 7 digits, over the gap.
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=5e-2)


def test_the_fast_path_computes_it_with_batch_norm():
    straight, _ = pair(dtype=torch.float32)
    norm = nn.BatchNorm2d(4)
    z = 2 * torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(2))
    fused = normalised_activation(norm, straight, z)
    straight.register_forward_hook(lambda *_: None)  # now both are called one by one
    torch.testing.assert_close(
        fused, normalised_activation(norm, straight, z), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(("options", "word"), [({"k": 5}, "k = 5"), ({"k": 1}, "k = 1")])
def test_another_order_is_refused(options, word):
    with pytest.raises(ValueError, match=f"tail_range needs k = 3, got {word}"):
        PolyNeuronR(tail_range=RANGE, **options)


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), True, "3"])
def test_other_ranges_are_refused(value):
    with pytest.raises(ValueError, match="tail_range must be a finite number above 0"):
        PolyNeuronR(tail_range=value)
