"""Compiled passes over memory find what torch and numpy find."""

import math

import numpy as np
import pytest
import torch

from trainers import outliers
from trainers.outliers import beyond, largest_size


@pytest.fixture(params=["compiled", "plain"])
def way(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(outliers, "_library", lambda: None)
    elif outliers._library() is None:
        pytest.skip("no compiler")
    return request.param


@pytest.mark.parametrize("n", [1, 7, 16, 63, 64, 65, 1000])
def test_the_largest_size_is_torchs(way, n):
    x = torch.randn(n, generator=torch.Generator().manual_seed(n))
    for place in {0, n // 2, n - 1}:
        for extreme in (9.0, -9.0, -math.inf, math.nan):
            y = x.clone()
            y[place] = extreme
            torch.testing.assert_close(
                largest_size(y), y.abs().amax(), rtol=0, atol=0, equal_nan=True
            )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_largest_size_of_any_layout(way, dtype):
    x = torch.randn(3, 5, 7, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    x[:, :, ::2] *= 3
    x[2, 4, 6, 3] = -20  # the last in memory, in any layout
    views = [x, x.to(memory_format=torch.channels_last), x[:, :, 1::2], x.mT, x.requires_grad_()]
    for view in views:
        found = largest_size(view)
        assert found.dtype is torch.float32
        assert not found.requires_grad
        assert float(found) == float(view.detach().abs().max())


@pytest.mark.parametrize("n", [1, 15, 16, 100, 5000])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-3.0, math.inf), (math.nan, 0.5)])
def test_values_beyond_are_numpys(way, n, low, high):
    random = np.random.default_rng(n)
    x = random.standard_normal(n).astype(np.float32)
    x[random.random(n) < 0.1] = low if low == low else 0.5
    x[random.random(n) < 0.05] = math.nan
    below, above = beyond(x, low, high)
    np.testing.assert_array_equal(below, x[x <= np.float32(low)])
    np.testing.assert_array_equal(above, x[~(x < np.float32(high))])
    assert below.base is None  # the memory of all is not kept
    assert above.base is None


def test_values_of_other_layouts(way):
    x = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)[:, 0]
    below, above = beyond(x, -1.0, 1.0)
    np.testing.assert_array_equal(below, x[x <= -1])
    np.testing.assert_array_equal(above, x[x >= 1])
