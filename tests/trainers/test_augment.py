import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from trainers import windows
from trainers.augment import Augmentation, Draws, Normaliser, draw_epoch
from trainers.config import Recipe

CPU = torch.device("cpu")


def images(n=40, channels=3, side=12):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (n, channels, side, side), dtype=torch.uint8, generator=generator)


def augmentation(raw, recipe=None):
    recipe = recipe or Recipe()
    return Augmentation(raw, recipe, Normaliser(raw, recipe.normalise))


def by_hand(image, row, column, mirrored, recipe):
    """Pad, crop, mirror one image (C, H, W) as a picture library would."""
    height, width = image.shape[1:]
    padded = F.pad(image, [recipe.pad] * 4)
    crop = padded[:, row : row + height, column : column + width]
    if mirrored:
        crop = crop.flip(-1 if recipe.flip == "left_right" else -2)
    return crop


def normalised(picture, raw):
    mean = raw.double().mean((0, 2, 3)).view(-1, 1, 1)
    deviation = raw.double().std((0, 2, 3), correction=0).view(-1, 1, 1)
    return ((picture.double() - mean) / deviation).float()


@pytest.mark.parametrize("flip", ["left_right", "up_down", "none"])
@pytest.mark.parametrize("pad", [0, 1, 4])
def test_a_batch_is_each_image_padded_cropped_mirrored_and_normalised(flip, pad):
    raw, recipe = images(), Recipe(flip=flip, pad=pad)
    draws = draw_epoch(len(raw), recipe, seed=3, epoch=2, device=CPU)
    chosen = draws.order[:7]
    batch = augmentation(raw, recipe).batch(chosen, draws)
    assert flip == "none" or draws.flip[chosen].unique().numel() == 2
    for got, i in zip(batch, chosen.tolist(), strict=True):
        row, column = draws.offset[i].tolist()
        picture = by_hand(raw[i], row, column, bool(draws.flip[i]), recipe)
        # float32 against float64.
        torch.testing.assert_close(got, normalised(picture, raw), rtol=1e-5, atol=1e-5)


def test_every_crop_is_a_window_of_the_padded_image():
    raw, recipe = images(1), Recipe(flip="none")
    corners = torch.cartesian_prod(torch.arange(9), torch.arange(9))
    whole = augmentation(raw, recipe)
    for row, column in corners.tolist():
        draws = Draws(torch.tensor([0]), torch.tensor([[row, column]]), torch.tensor([False]))
        expected = normalised(by_hand(raw[0], row, column, False, recipe), raw)
        got = whole.batch(torch.tensor([0]), draws)[0]
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("before", "border"), [(True, "raw 0"), (False, "mean")])
def test_the_border_is_black_or_the_mean(before, border):
    raw, recipe = images(1, channels=2), Recipe(flip="none", pad_before_normalising=before)
    draws = Draws(torch.tensor([0]), torch.tensor([[0, 0]]), torch.tensor([False]))
    batch = augmentation(raw, recipe).batch(torch.tensor([0]), draws)[0]
    black = normalised(torch.zeros_like(raw[0]), raw)
    value = black[:, 0, 0] if border == "raw 0" else torch.zeros(2)
    edge = torch.cat([batch[:, :4].flatten(1), batch[:, :, :4].flatten(1)], dim=1)
    torch.testing.assert_close(edge, value[:, None].expand_as(edge), rtol=1e-5, atol=1e-6)
    inside = normalised(raw[0], raw)[:, :8, :8]
    torch.testing.assert_close(batch[:, 4:, 4:], inside, rtol=1e-5, atol=1e-5)


def test_mirrored_borders_stay_with_their_images():
    raw = images(1)
    recipe = Recipe(pad_before_normalising=False)
    draws = Draws(torch.tensor([0]), torch.tensor([[4, 0]]), torch.tensor([True]))
    batch = augmentation(raw, recipe).batch(torch.tensor([0]), draws)[0]
    assert not batch[:, :, -4:].any()
    assert batch[:, :, :-4].all()


@pytest.mark.parametrize("before", [True, False])
def test_per_image_normalisation(before):
    raw = images(5)
    recipe = Recipe(normalise="image", pad_before_normalising=before)
    draws = draw_epoch(5, recipe, seed=0, epoch=1, device=CPU)
    batch = augmentation(raw, recipe).batch(torch.arange(5), draws).double()
    for i, got in enumerate(batch):
        row, column = draws.offset[i].tolist()
        picture = by_hand(raw[i], row, column, bool(draws.flip[i]), recipe).double()
        source = picture if before else raw[i].double()
        expected = (picture - source.mean()) / source.std(correction=0)
        if not before:
            expected[picture == 0] = 0  # raw images here have no zero: these are the border
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_shifts_are_uniform_and_half_of_the_images_are_mirrored():
    draws = draw_epoch(60_000, Recipe(), seed=0, epoch=1, device=CPU)
    for axis in (0, 1):
        counts = draws.offset[:, axis].bincount(minlength=9)
        assert len(counts) == 9
        assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    pairs = (draws.offset[:, 0] * 9 + draws.offset[:, 1]).bincount(minlength=81)
    assert stats.chisquare(pairs.numpy()).pvalue > 1e-3
    assert stats.binomtest(int(draws.flip.sum()), 60_000).pvalue > 1e-3
    shifted = draws.offset[draws.flip, 0].bincount(minlength=9)
    assert stats.chisquare(shifted.numpy()).pvalue > 1e-3


def test_every_image_comes_once_an_epoch_in_an_order_of_its_own():
    first, second = (draw_epoch(500, Recipe(), seed=0, epoch=e, device=CPU) for e in (1, 2))
    for draws in (first, second):
        assert torch.equal(draws.order.sort().values, torch.arange(500))
    assert not torch.equal(first.order, second.order)
    assert not torch.equal(first.offset, second.offset)
    assert not torch.equal(first.flip, second.flip)


def test_a_sample_differs_from_the_next():
    raw = images(1).expand(64, -1, -1, -1).contiguous()
    draws = draw_epoch(64, Recipe(), seed=0, epoch=1, device=CPU)
    batch = augmentation(raw).batch(torch.arange(64), draws)
    distinct = {tuple(picture.flatten().tolist()) for picture in batch}
    # 162 equally likely pictures, 64 draws: 53 distinct ones are expected.
    assert len(distinct) > 40


def test_no_choice_shifts_the_stream_of_another():
    usual = draw_epoch(100, Recipe(), seed=0, epoch=1, device=CPU)
    plain = draw_epoch(100, Recipe(flip="none", pad=0), seed=0, epoch=1, device=CPU)
    assert torch.equal(usual.order, plain.order)
    assert not plain.flip.any()
    assert not plain.offset.any()
    tight = draw_epoch(100, Recipe(pad=2), seed=0, epoch=1, device=CPU)
    assert torch.equal(usual.flip, tight.flip)


def test_an_image_of_one_grey_level_is_finite():
    flat = torch.full((3, 1, 6, 6), 7, dtype=torch.uint8)
    for kind in ("dataset", "image"):
        assert Normaliser(flat, kind)(flat).isfinite().all()


def test_the_mean_image_of_a_channel_normalises_to_zero_and_its_deviation_to_one():
    raw = images(200)
    values = Normaliser(raw, "dataset")(raw).double()
    # float32 rounding of 255 levels, averaged.
    torch.testing.assert_close(values.mean((0, 2, 3)), torch.zeros(3).double(), rtol=0, atol=1e-6)
    deviation = values.std((0, 2, 3), correction=0)
    torch.testing.assert_close(deviation, torch.ones(3).double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("flip", ["left_right", "up_down", "none"])
@pytest.mark.parametrize("pad", [0, 2, 13])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_kernel_gives_the_bits_of_torchs_operators(before, flip, pad, memory_format, channels):
    # Wider than high, and padded by more than the side: no index can stand for another.
    raw = images(30, channels)[..., :9, :]
    whole = augmentation(raw, Recipe(flip=flip, pad=pad, pad_before_normalising=before))
    draws = draw_epoch(len(raw), whole.recipe, seed=1, epoch=1, device=CPU)
    chosen = draws.order[3:20]
    got = whole.batch(chosen, draws, memory_format)
    assert windows.can_cut(whole.padded)
    assert got.is_contiguous(memory_format=memory_format)
    assert torch.equal(got, whole._batch(chosen, draws))
