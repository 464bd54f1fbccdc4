"""The files that `windlass action new` writes: the same small action in each language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MANIFEST: Final = """\
name: {title}
description: Greets somebody, as often as you like.
version: 0.1.0
inputs:
  who:
    type: string
    default: world
    description: Who is greeted.
  times:
    type: number
    default: 1
    description: How often.
outputs:
  greeting:
    type: string
    description: What was said.{value}
runs:
{runs}
# `windlass action test` runs these, and compares. An output is a text, /an expression that matches it/, or a
# mapping such as {{type: volume, files: {{report.txt: /accuracy .*/}}}}.
examples:
  - name: Two greetings
    with:
      who: Ada
      times: 2
    outputs:
      greeting: Hello Ada! Hello Ada!
  - name: Nothing said
    outputs:
      greeting: /Hello w.*!/
"""
_RUNS: Final[Mapping[str, str]] = {
    "python": """\
  using: python
  main: main.py
""",
    "docker": """\
  using: docker
  image: Dockerfile
  args: ['${{ inputs.who }}', '${{ inputs.times }}']
""",
    "composite": """\
  using: composite
  steps:
    - id: greet
      shell: sh
      env:
        WHO: ${{ inputs.who }}
        TIMES: ${{ inputs.times }}
      run: sh "$GITHUB_ACTION_PATH/greet.sh"
""",
    "node": """\
  using: node24
  main: index.js
""",
    "workflow": """\
  using: workflow
  jobs:
    say:
      uses: ./say # a folder of this package
      with:
        who: ${{ inputs.who }}
      outputs:
        words: {type: string}
    repeat:
      needs: [say]
      steps:
        - env:
            WORDS: ${{ needs.say.outputs.words }}
            TIMES: ${{ inputs.times }}
          run: |
            text=""
            for _ in $(seq "$TIMES"); do
              text="${text:+$text }$WORDS"
            done
            echo "$text"
            echo "greeting=$text" >> "$GITHUB_OUTPUT"
      outputs:
        greeting: {type: string}
""",
}
_PYTHON: Final = '''\
"""Greets somebody. Inputs come as INPUT_NAME; outputs go as `name=value` into the file GITHUB_OUTPUT."""

import os


def greeting(who: str, times: int) -> str:
    """The text, said that often."""
    return " ".join([f"Hello {who}!"] * times)


if __name__ == "__main__":
    text = greeting(os.environ["INPUT_WHO"], int(os.environ["INPUT_TIMES"]))
    print(text)
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as outputs:
        outputs.write(f"greeting={text}\\n")
'''
_DOCKERFILE: Final = """\
FROM alpine:3.20
COPY entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
"""
_SHELL: Final = """\
#!/bin/sh
# Greets {first} as often as {second} says. Outputs go as `name=value` into the file GITHUB_OUTPUT.
set -eu
text=""
for _ in $(seq "{second}"); do
  text="${{text:+$text }}Hello {first}!"
done
echo "$text"
echo "greeting=$text" >> "$GITHUB_OUTPUT"
"""
_NODE: Final = """\
// Greets somebody. Inputs come as INPUT_NAME; outputs go as `name=value` into the file GITHUB_OUTPUT.
// With `npm install @actions/core` that is core.getInput('who') and core.setOutput('greeting', text).
const fs = require('fs');

const who = process.env.INPUT_WHO;
const times = Number(process.env.INPUT_TIMES);
const text = Array(times).fill(`Hello ${who}!`).join(' ');
console.log(text);
fs.appendFileSync(process.env.GITHUB_OUTPUT, `greeting=${text}\\n`);
"""
_SAY: Final = """\
name: Say hello
description: What is said to somebody.
inputs:
  who:
    type: string
    required: true
outputs:
  words:
    value: ${{ steps.say.outputs.words }}
runs:
  using: composite
  steps:
    - id: say
      shell: sh
      env:
        WHO: ${{ inputs.who }}
      run: echo "words=Hello $WHO!" >> "$GITHUB_OUTPUT"
"""
_README: Final = """\
# {title}

Greets somebody, as often as you like.

```yaml
jobs:
  greet:
    uses: ./{name}
    with:
      who: Ada
      times: 2
    outputs:
      greeting: {{type: string}}
```

| Input | Type | Default | |
|---|---|---|---|
| `who` | string | `world` | Who is greeted. |
| `times` | number | `1` | How often. |

| Output | Type | |
|---|---|---|
| `greeting` | string | What was said. |

`windlass action test` runs the examples of `action.yml` and compares what comes of them.
"""


def files_of(name: str, *, using: str) -> dict[str, str]:
    """The texts of the files by name. `using`: python, docker, composite, node or workflow."""
    title = name.replace("-", " ").capitalize()
    origin = {"composite": "steps.greet", "workflow": "jobs.repeat"}.get(using)
    value = f"\n    value: ${{{{ {origin}.outputs.greeting }}}}" if origin is not None else ""
    return {
        "action.yml": _MANIFEST.format(title=title, value=value, runs=_RUNS[using]),
        "README.md": _README.format(title=title, name=name),
        **_programs(using),
    }


def _programs(using: str) -> dict[str, str]:
    match using:
        case "docker":
            return {"Dockerfile": _DOCKERFILE, "entrypoint.sh": _SHELL.format(first="$1", second="$2")}
        case "composite":
            return {"greet.sh": _SHELL.format(first="$WHO", second="$TIMES")}
        case "node":
            return {"index.js": _NODE}
        case "workflow":
            return {"say/action.yml": _SAY}
        case _:
            return {"main.py": _PYTHON}
