"""Write scikit-learn's digits as a folder of images: `images/train/CLASS/NUMBER.png`, and `val`."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

digits = load_digits()
folder = Path(__file__).parent / "images"
for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
    part = folder / ("train" if number < 1437 else "val") / str(label)
    part.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels * 15.9).astype(np.uint8)).save(part / f"{number:04d}.png")
