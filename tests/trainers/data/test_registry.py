import numpy as np
import pytest

from trainers import DataConfig, Execution, Recipe, RunConfig, train
from trainers.data import DATASETS, Arrays, Dataset, datasets, sources


def three_stripes(root, side):
    """Read images in which one of three rows is bright, the label's."""
    labels = np.arange(90) % 3
    images = np.zeros((90, 1, side, side), np.uint8)
    images[np.arange(90), :, 5 + 5 * labels] = 255
    return Arrays(images[:60], labels[:60], images[60:], labels[60:])


@pytest.mark.parametrize("name", DATASETS)
def test_labels_are_the_classes_of_the_record(name, request):
    if DATASETS[name].source is not None:
        request.getfixturevalue(f"{name}_root")
    images = datasets.load(name, sources.data_root())
    for labels in (images.train_labels, images.val_labels):
        assert sorted(labels.unique().tolist()) == list(range(DATASETS[name].classes))


def test_a_data_set_of_ones_own_trains_by_its_record_alone(monkeypatch, tmp_path):
    record = Dataset(source=None, read=three_stripes, classes=3, printed="Stripes")
    monkeypatch.setitem(DATASETS, "stripes", record)
    assert sources.available("stripes", tmp_path)
    sources.provide("stripes", tmp_path)
    run = train(
        RunConfig(
            data=DataConfig("stripes"),
            recipe=Recipe(epochs=1),
            execution=Execution(threads=1, data_root=tmp_path),
        )
    )
    assert run.status == "completed"
    # LeNet-5's 61,706 weights, less 7 outputs of 84 + 1; four functions of 8 parameters.
    assert run.parameters == 61_706 - 7 * 85 + 4 * 8
    assert not list(tmp_path.iterdir())
