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


def test_a_cosine_falls_from_the_whole_rate_to_almost_none_after_a_climb():
    found = rates(Recipe(epochs=6, schedule="cosine", warmup_epochs=2, learning_rate=3.0))
    # (1 + cos(pi n / 4)) / 2 for n = 0..3
    assert found == pytest.approx([1.0, 2.0, 3.0, 2.5606602, 1.5, 0.4393398], rel=1e-6)
    assert drop_epochs(Recipe(schedule="cosine")) == ()
    assert rates(Recipe(epochs=2, warmup_epochs=5)) == pytest.approx([1e-3 / 6, 2e-3 / 6])
