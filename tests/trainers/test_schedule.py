import pytest

from trainers.config import Recipe
from trainers.networks import NETWORKS
from trainers.schedule import drop_epochs, rate_factor


def rates(recipe):
    return [recipe.learning_rate * rate_factor(recipe, e) for e in range(1, recipe.epochs + 1)]


def test_rates_of_every_epoch_of_the_papers_recipes():
    lenet5, resnet20 = (rates(NETWORKS[name].recipe) for name in ("lenet5", "resnet20"))
    assert lenet5 == pytest.approx([1e-3] * 20 + [1e-4] * 5 + [1e-5] * 5, rel=1e-12)
    assert resnet20 == pytest.approx([1e-3] * 250 + [1e-4] * 250, rel=1e-12)


@pytest.mark.parametrize(
    ("epochs", "drops"),
    [(1, (1, 1)), (2, (1, 2)), (3, (2, 3)), (6, (4, 5)), (10, (7, 8)), (300, (200, 250))],
)
def test_drops_scale_with_the_number_of_epochs(epochs, drops):
    assert drop_epochs(Recipe(epochs=epochs)) == drops


def test_a_drop_after_the_last_epoch_never_comes():
    assert rates(Recipe(epochs=1)) == [1e-3]
