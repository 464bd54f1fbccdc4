from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass_registry.documents import Position
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.manifest import (
    MANIFEST_KEYS,
    ActionManifest,
    CompositeRuns,
    DockerRuns,
    NodeRuns,
    PythonRuns,
    parse_manifest,
)
from windlass_registry.manifest_inputs import INPUT_KEYS
from windlass_registry.manifest_runs import RUNS_KEYS
from windlass_registry.manifest_steps import STEP_KEYS


def parse(text: str) -> ActionManifest:
    return parse_manifest(text, path="act/action.yml")


def problems(text: str) -> list[str]:
    with pytest.raises(AuthorError) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


FULL = """\
name: Train
description: Trains
author: Acme
version: 1.2.0
deterministic: true
inputs:
  script: {description: what to run, required: true, type: string, code: python, aliases: [file]}
  epochs: {type: number, default: 3}
  mode: {type: choice, options: [fast, slow], default: fast}
  layers: {type: list}
  old: {deprecationMessage: use epochs}
outputs:
  loss: {description: the last loss, type: number}
metrics: [loss, accuracy]
permissions: {network: false, secrets: [token]}
resources: {gpu: 1, memory: 4GB}
branding: {icon: zap, color: blue}
examples:
  - name: short
    with: {file: train.py, epochs: 1}
    outputs: {model: {type: model}}
runs:
  using: python
  main: main.py
  image: python:${{ inputs.epochs }}
  requirements: requirements.txt
"""


def test_everything_of_a_manifest_is_read() -> None:
    manifest = parse(FULL)
    assert (manifest.name, manifest.version, manifest.is_deterministic) == ("Train", "1.2.0", True)
    script = manifest.inputs["script"]
    assert (script.required, script.type, script.code, script.aliases) == (
        True,
        "string",
        "python",
        ("file",),
    )
    assert manifest.inputs["epochs"].default == 3
    assert manifest.inputs["mode"].options == ("fast", "slow")
    assert manifest.inputs["old"].deprecated == "use epochs"
    assert manifest.outputs["loss"].type == "number"
    assert manifest.metrics == ("loss", "accuracy")
    assert manifest.permissions == {"network": False, "secrets": ["token"]}
    assert manifest.resources == {"gpu": 1, "memory": "4GB"}
    assert manifest.branding == {"icon": "zap", "color": "blue"}
    assert manifest.examples[0].with_ == {"file": "train.py", "epochs": 1}
    assert manifest.runs == PythonRuns(
        main="main.py", image="python:${{ inputs.epochs }}", requirements="requirements.txt"
    )
    assert manifest.warnings == ()


def test_a_docker_action_of_github_is_read() -> None:
    manifest = parse(
        """
name: 'Hello'
description: 'Greets'
inputs:
  who-to-greet:
    description: 'Who'
    required: true
    default: 'World'
outputs:
  time:
    description: 'When'
runs:
  using: 'docker'
  image: 'Dockerfile'
  args:
    - ${{ inputs.who-to-greet }}
    - 3
  entrypoint: /entry.sh
  post-entrypoint: /bye.sh
  env:
    A: 1
"""
    )
    assert manifest.runs == DockerRuns(
        image="Dockerfile",
        entrypoint="/entry.sh",
        args=["${{ inputs.who-to-greet }}", "3"],
        env={"A": 1},
        post_entrypoint="/bye.sh",
    )
    assert manifest.version is None


def test_a_composite_action_of_github_is_read() -> None:
    runs = parse(
        """
name: C
description: d
outputs:
  random: {description: r, value: "${{ steps.r.outputs.n }}"}
runs:
  using: composite
  steps:
    - uses: actions/checkout@8f4b7f84864484a7bf31766abe9204da3cbe65b3 # v3.5.0
      with: {fetch-depth: 0}
    - id: r
      if: ${{ always() }}
      run: echo "n=$RANDOM" >> $GITHUB_OUTPUT
      shell: bash
      working-directory: sub
      continue-on-error: true
      env: {X: y}
"""
    ).runs
    assert isinstance(runs, CompositeRuns)
    first, second = runs.steps
    assert first.uses == "actions/checkout@8f4b7f84864484a7bf31766abe9204da3cbe65b3"
    assert first.with_ == {"fetch-depth": 0}
    assert (second.id, second.condition, second.continue_on_error) == ("r", "always()", True)
    assert second.at == Position(line=11, column=7)


def test_the_actions_that_a_composite_uses_are_listed_once() -> None:
    manifest = parse("runs: {using: composite, steps: [{uses: a@v1}, {run: x}, {uses: b@v1}, {uses: a@v1}]}")
    assert manifest.uses() == ("a@v1", "b@v1")


def test_a_javascript_action_of_github_is_read() -> None:
    manifest = parse(
        "name: J\ndescription: j\n"
        "runs: {using: node20, main: dist/index.js, post: dist/post.js, post-if: success()}"
    )
    assert manifest.runs == NodeRuns(
        using="node20", main="dist/index.js", post="dist/post.js", post_if="success()"
    )


def test_a_docker_action_names_an_image_or_a_dockerfile() -> None:
    text = "name: D\nruns: {using: docker, image: '%s'}"
    for image in ("docker://alpine:3", "Dockerfile", "./docker/dev.Dockerfile", "docker://${{ inputs.x }}"):
        assert parse(text % image).runs == DockerRuns(image=image)
    assert problems(text % "alpine:3") == [
        "act/action.yml:2:30: 'image' cannot be 'alpine:3'; write docker://alpine:3, or the path of a file "
        "named Dockerfile"
    ]
    assert "leaves the action's folder" in problems(text % "../Dockerfile")[0]


def test_what_github_passes_over_is_a_warning_in_an_action_of_githubs() -> None:
    manifest = parse(
        "name: J\ndescripton: typo\ninputs:\n  a: {desc: x, required: maybe, type: text}\n  b:\n"
        "runs: {using: node20, main: i.js, env: {A: b}, foo: 1}"
    )
    assert [(w.line, w.severity) for w in manifest.warnings] == [
        (2, "warning"),
        (4, "warning"),
        (4, "warning"),
        (4, "warning"),
        (6, "warning"),
        (6, "warning"),
    ]
    assert "did you mean 'description'?" in str(manifest.warnings[0])
    assert manifest.inputs["b"].description == ""


def test_the_same_is_an_error_where_the_manifest_has_a_version() -> None:
    assert problems(
        "name: J\nversion: 1.0.0\ndescripton: typo\ninputs:\n  a: {desc: x}\n"
        "runs: {using: python, main: main.py, mian: 1}"
    ) == [
        "act/action.yml:3:1: unknown key 'descripton' in the manifest; did you mean 'description'?",
        "act/action.yml:5:7: unknown key 'desc' in the input 'a'; known here: aliases, code, default, "
        "deprecationMessage, description, options, required, type",
        "act/action.yml:6:38: unknown key 'mian' in 'runs' with 'using: python'; did you mean 'main'?",
    ]


def test_all_problems_are_told_at_once_in_the_order_of_the_text() -> None:
    found = problems(
        """\
name: X
version: 1.0
deterministic: perhaps
inputs:
  n: {type: number, default: many}
  m: {type: choice}
  k: {type: strin}
  l: {aliases: [N]}
metrics: {loss: the loss}
resources: {gpus: 1}
examples:
  - {name: e, with: {nn: 1}}
runs:
  using: composite
  steps:
    - {name: nothing}
    - {run: a, uses: b@v1}
    - {id: s, run: a, with: {x: 1}}
    - {id: s, run: b, shel: sh}
"""
    )
    assert [text.split(":", 3)[1] for text in found] == [
        str(line) for line in (2, 3, 5, 6, 7, 8, 10, 12, 16, 17, 18, 19, 19)
    ]
    assert "write three numbers, such as 1.0.0" in found[0]
    assert "must be a number, not 'many'" in found[2]
    assert "did you mean 'string'?" in found[4]
    assert "share the spelling 'N'" in found[5]
    assert "did you mean 'gpu'?" in found[6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the manifest is empty"),
        ("[]", "must be a mapping, not a list"),
        ("hello", "must be a mapping, not text"),
        ("name: x", "the manifest needs 'runs'"),
        ("runs: {}", "'runs' needs 'using'"),
        ("runs: {using: dcoker}", "did you mean 'docker'?"),
        ("runs: {using: docker}", "'using: docker' needs 'image'"),
        ("runs: {using: composite}", "'using: composite' needs 'steps'"),
        ("runs: {using: composite, steps: []}", "at least one step"),
        ("runs: {using: composite, steps: [null]}", "a step is empty"),
        ("runs: {using: python}", "'using: python' needs 'main'"),
        ("runs: {using: python, main: ../x.py}", "leaves the action's folder"),
        ("runs: {using: python, main: /x.py}", "leaves the action's folder"),
        ("runs: {using: node20}", "'using: node20' needs 'main'"),
        ("runs: {using: docker, image: [a]}", "must be text, not a list"),
        ("runs: {using: docker, image: a, env: {X: [1]}}", "must be one value"),
        ("name: a\nname: b\nruns: {using: node20, main: m}", "'name' stands twice"),
        ("inputs: [a]\nruns: {using: node20, main: m}", "'inputs' must be a mapping"),
        ("a: [", "while parsing a flow"),
        ("name: \x00", "control character"),
    ],
)
def test_a_broken_manifest_is_refused(text: str, message: str) -> None:
    assert any(message in problem for problem in problems(text))


def test_a_manifest_without_a_name_is_called_like_its_folder() -> None:
    manifest = parse("runs: {using: node20, main: m.js}")
    assert manifest.name == "act"


def test_using_ignores_case_as_githubs_runner_does() -> None:
    assert isinstance(parse("runs: {using: Docker, image: Dockerfile}").runs, DockerRuns)


def test_text_that_reads_as_the_type_is_a_fine_default() -> None:
    manifest = parse(
        "version: 1.0.0\nname: n\ninputs:\n"
        "  a: {type: number, default: '3'}\n  b: {type: boolean, default: 'true'}\n"
        "  c: {type: number, default: '${{ 1 }}'}\n  d: {type: choice, options: [1, true], default: 'true'}\n"
        "runs: {using: docker, image: docker://x}"
    )
    assert manifest.inputs["a"].default == "3"


words = st.sampled_from(
    sorted({*MANIFEST_KEYS, *INPUT_KEYS, *STEP_KEYS, *RUNS_KEYS, "using", "main", "image", "args", "x", ""})
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), words, st.text(max_size=5)
)
values = st.recursive(
    scalars,
    lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(words, v, max_size=5)),
    max_leaves=25,
)


def problems_of(source: str | bytes) -> tuple[Problem, ...]:
    try:
        return parse_manifest(source, path="action.yml").warnings
    except AuthorError as error:
        return error.problems or pytest.fail("refused without a reason")


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(words, values, max_size=8), st.dictionaries(words, values, max_size=6))
def test_any_manifest_is_read_or_refused_with_places(top: dict[str, object], runs: dict[str, object]) -> None:
    for document in (top, {**top, "runs": runs}, {"runs": runs, "version": "1.0.0"}):
        found = problems_of(json.dumps(document))
        assert all(problem.line >= 1 and problem.column >= 1 for problem in found)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=80), st.binary(max_size=80)))
def test_any_text_is_a_manifest_or_refused(source: str | bytes) -> None:
    problems_of(source)
