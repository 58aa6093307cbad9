"""Classify handwritten digits with scikit-learn: a training function that `sweeps run` calls."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split


def train(config, seed, report):
    """Train a linear classifier, and report its accuracy after each epoch."""
    x, y = load_digits(return_X_y=True)
    x, x_val, y, y_val = train_test_split(x / 16, y, test_size=0.3, random_state=0)
    model = SGDClassifier(
        loss=config["loss"],
        alpha=config["alpha"],
        learning_rate="constant",
        eta0=config["rate"],
        random_state=seed,
    )
    order = np.random.default_rng(seed)
    for epoch in range(1, 9):
        shuffled = order.permutation(len(x))
        model.partial_fit(x[shuffled], y[shuffled], classes=np.unique(y))
        report(epoch=epoch, accuracy=model.score(x_val, y_val), weight=np.abs(model.coef_).max())
