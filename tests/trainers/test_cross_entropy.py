"""Cross-entropy in one call is torch's, with its gradient and the count of correct images."""

import pytest
import torch
from torch.nn import functional as F

from trainers import ActivationConfig, DataConfig, Recipe, RunConfig
from trainers.cross_entropy import descent
from trainers.loop import load_images, set_up


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_loss_gradient_and_count_are_torchs(smoothing, scale):
    torch.manual_seed(0)
    logits = scale * torch.randn(128, 10)
    labels = torch.randint(10, (128,))
    exact = logits.detach().double().requires_grad_()
    loss, correct, g = descent(logits, labels, smoothing)
    expected = F.cross_entropy(exact, labels, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected.float(), rtol=1e-6, atol=0)
    (g_exact,) = torch.autograd.grad(expected, exact)
    # float32 of numbers up to 1 / 128.
    torch.testing.assert_close(g, g_exact.float(), rtol=1e-5, atol=1e-8)
    assert correct.dtype == torch.int64
    assert correct == (logits.argmax(1) == labels).sum()


def test_of_equal_logits_the_first_counts_and_of_others_nan():
    logits = torch.tensor([[1.0, 1.0], [1.0, 1.0], [float("nan"), 5.0], [5.0, float("nan")]])
    labels = torch.tensor([0, 1, 0, 0])
    loss, correct, _ = descent(logits, labels, 0.0)
    assert correct == (logits.argmax(1) == labels).sum() == 2
    assert loss.isnan()


def test_infinite_logits_give_what_torch_gives():
    for logits in ([[float("inf"), 0.0]], [[0.0, float("-inf")]], [[0.0, -1e38]]):
        for label in (0, 1):
            values, labels = torch.tensor(logits), torch.tensor([label])
            loss, *_ = descent(values, labels, 0.0)
            torch.testing.assert_close(loss, F.cross_entropy(values, labels), equal_nan=True)


def test_a_sum_beyond_float32_is_infinite_though_the_mean_is_not():
    values, labels = torch.tensor([[3e38, 0.0], [3e38, 0.0]]), torch.tensor([1, 1])
    assert F.cross_entropy(values, labels).isinf()
    loss, *_ = descent(values, labels, 0.0)
    assert loss.isinf()


def test_a_label_that_is_no_class_is_an_error():
    with pytest.raises(ValueError, match=r"labels must be from 0 to 9, got \[3, 10\]"):
        descent(torch.zeros(2, 10), torch.tensor([3, 10]), 0.0)


def test_logits_in_another_order_in_memory():
    logits, labels = torch.randn(10, 6).T, torch.arange(6)
    loss, *_ = descent(logits, labels, 0.0)
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels))


@pytest.mark.parametrize("prod", [0.0, 1e-2])
def test_a_descent_leaves_the_gradients_of_the_loss(prod):
    recipe = Recipe(lambda_sum=1e-2, lambda_prod=prod, label_smoothing=0.1)
    data = DataConfig("digits")
    config = RunConfig(activation=ActivationConfig("polyneuron_r"), data=data, recipe=recipe)
    device = torch.device("cpu")
    training = set_up(config, device, load_images(config, device))
    images, labels = torch.randn(9, *training.images.train_images.shape[1:]), torch.arange(9)
    with torch.no_grad():
        for parameter in training.net.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))  # so that no penalty is 0
    training.objective.loss(images, labels).backward()
    expected = [parameter.grad for parameter in training.net.parameters()]
    training.net.zero_grad()
    training.objective.descend(training.objective.logits(images), labels)
    for parameter, gradient in zip(training.net.parameters(), expected, strict=True):
        # Rounded in another order: 1e-6 of the largest.
        limit = 1e-6 * float(gradient.abs().max())
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=limit)
