"""Draws what the model predicts against what was measured, for the people that it never saw."""

import argparse
import json
from pathlib import Path

from people import load, split
from ridge import predict

SIZE, MOST = 420, 360

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

model = json.loads(options.model.read_text())
to_test = split(load()[1])[1]
dots = [
    f'<circle cx="{outcome / MOST * SIZE:.1f}" cy="{SIZE - predict(model, row) / MOST * SIZE:.1f}" r="4"/>'
    for row, outcome in to_test
]
picture = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="-40 -10 {SIZE + 60} {SIZE + 50}">
<rect width="{SIZE}" height="{SIZE}" fill="#f6f8fa"/>
<path d="M0 {SIZE}L{SIZE} 0" stroke="#888" stroke-dasharray="4"/>
<g fill="#2563eb" fill-opacity="0.6">{"".join(dots)}</g>
<g font-family="sans-serif">
<text x="{SIZE / 2}" y="{SIZE + 28}" text-anchor="middle">measured</text>
<text transform="translate(-14 {SIZE / 2}) rotate(-90)" text-anchor="middle">predicted</text>
</g>
</svg>
"""
options.out.write_text(picture)
print(f"{len(dots)} people drawn into {options.out.name}")
