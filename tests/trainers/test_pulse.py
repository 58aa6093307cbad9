"""Another thread can see that a training goes on."""

from trainers import ActivationConfig, DataConfig, Execution, Recipe, RunConfig, train
from trainers.pulse import PULSE


def test_each_step_counts():
    before = PULSE.steps
    config = RunConfig(
        activation=ActivationConfig("relu"),
        data=DataConfig("digits", train_images=96),
        recipe=Recipe(epochs=2, batch_size=32),
        execution=Execution(threads=1, snapshots=False),
    )
    train(config, report=lambda record: None)
    assert PULSE.steps - before == 2 * 3
