"""Data of one's own: images and labels, to train on and to validate on."""

import torch
from sklearn.datasets import load_digits


def digits(root, for_validation=360):
    """Return scikit-learn's 8x8 digits; `root` is the folder of all data, unused here."""
    found = load_digits()
    images = torch.tensor(found.images, dtype=torch.float32) / 16
    labels = torch.tensor(found.target)
    n = len(labels) - for_validation
    return images[:n], labels[:n], images[n:], labels[n:]
