"""Splits scikit-learn's handwritten digits into a part to learn from and a part to test with."""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, required=True)
out = parser.parse_args().out

digits = load_digits()
images, labels = digits.data / 16.0, digits.target
x_train, x_test, y_train, y_test = train_test_split(
    images, labels, test_size=0.25, stratify=labels, random_state=0
)
out.mkdir(parents=True, exist_ok=True)
np.savez(out / "digits.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
print(f"{len(labels)} digits of 8 x 8 points: {len(y_train)} to learn from, {len(y_test)} to test with")
