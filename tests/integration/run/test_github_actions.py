"""Actions in GitHub's own format do here what they do there: in containers of a real engine.

The fixtures keep to the conventions of `@actions/core` (files for outputs, environment, path and state),
without its code: nothing can be fetched here.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from windlass_registry.archive import digest_folder

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.docker

CORE = """\
const fs = require('fs');
const put = (file, name, value) => {
  const end = 'ghadelimiter_' + name;
  fs.appendFileSync(process.env[file], `${name}<<${end}\\n${value}\\n${end}\\n`);
};
module.exports = {
  input: name => process.env['INPUT_' + name.replace(/ /g, '_').toUpperCase()] || '',
  output: (name, value) => put('GITHUB_OUTPUT', name, value),
  exported: (name, value) => put('GITHUB_ENV', name, value),
  state: name => process.env['STATE_' + name] || '',
  save: (name, value) => put('GITHUB_STATE', name, value),
};
"""


@pytest.fixture(scope="module", autouse=True)
def node_image() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "test-images", "node"], check=True)


@pytest.fixture(autouse=True)
def leaves_no_images(docker_runner: Any) -> Iterator[None]:
    yield
    for manifest in docker_runner.root.glob("*/action.yml"):
        digest = digest_folder(manifest.parent)
        found = ["docker", "image", "ls", "-q", "--filter", f"label=windlass.action={digest}"]
        for image in subprocess.run(found, capture_output=True, text=True, check=True).stdout.split():
            subprocess.run(["docker", "rmi", "-f", image], check=False, capture_output=True)


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write them; a package with a Dockerfile is one that no host has seen yet."""
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        if text.startswith("#!"):
            place.chmod(0o755)
        if place.name == "action.yml":
            place.with_name("unseen").write_text(uuid.uuid4().hex)


def node_action(root: Path, name: str, *, runs: str = "main: main.js", main: str = "", **files: str) -> None:
    manifest = (
        f"name: N\ninputs: {{fetch-depth: {{default: 1}}, say: {{}}}}\nruns: {{using: node20, {runs}}}\n"
    )
    scripts = {
        f"{name}/{stem}.js": f"const core = require('./core');\n{text}\n" for stem, text in files.items()
    }
    write(
        root,
        {
            f"{name}/action.yml": manifest,
            f"{name}/core.js": CORE,
            f"{name}/main.js": f"const core = require('./core');\n{main}\n",
            **scripts,
        },
    )


def test_a_dockerfile_is_built_once_and_its_action_finds_githubs_folders(docker_runner: Any) -> None:
    write(
        docker_runner.root,
        {
            "act/action.yml": """\
name: Docker
branding: {icon: anchor, color: blue}
inputs:
  who-to greet: {description: Somebody., required: 'true'}
  times: {description: How often., default: 2}
outputs:
  place: {description: Where it ran.}
runs:
  using: docker
  image: Dockerfile
  env: {GREETING: "Hello ${{ inputs.times }}"}
  args: ["${{ inputs['who-to greet'] }}", two words]
""",
            "act/Dockerfile": """\
FROM windlass-test/busybox:1
COPY main.sh unseen /
RUN test ! -e /left-out && echo this was built
ENTRYPOINT ["/main.sh"]
""",
            "act/.dockerignore": "left-out\n",
            "act/main.sh": """\
#!/bin/sh
echo "$GREETING $1, $2 ($#)"
echo "$PWD $GITHUB_WORKSPACE $HOME $GITHUB_EVENT_PATH"
cat "$GITHUB_EVENT_PATH" && echo && ls "$GITHUB_WORKSPACE"
echo made > made && echo "place=$PWD" >> "$GITHUB_OUTPUT"
""",
        },
    )
    docker_runner.files["tracked"] = "a file"
    text = """
jobs:
  job:
    outputs: {place: "${{ steps.act.outputs.place }}"}
    steps:
      - {id: act, uses: ./act, with: {Who-to Greet: Ada}}
      - run: cat made
"""
    done = docker_runner.run(text, payload={"ref": "refs/heads/main"})
    assert done.state == "success"
    lines = done.log("job").splitlines()
    assert "building the image of action './act' from its Dockerfile" in lines
    assert "this was built" in lines
    assert lines[-5:] == [
        "Hello 2 Ada, two words (2)",
        "/github/workspace /github/workspace /github/home /github/workflow/event.json",
        '{"ref": "refs/heads/main"}',
        "tracked",
        "made",
    ]
    assert done.jobs["job"].outputs["place"]["text"] == "/github/workspace"
    again = docker_runner.run(text)
    assert "building" not in again.log("job")


def test_a_dockerfile_that_fails_says_which_line_and_what_it_wrote(docker_runner: Any) -> None:
    write(
        docker_runner.root,
        {
            "act/action.yml": "name: D\nruns: {using: docker, image: docker/Dockerfile}",
            "act/docker/Dockerfile": "FROM windlass-test/busybox:1\nRUN echo it went wrong; exit 7\n",
        },
    )
    done = docker_runner.run("jobs: {job: {uses: ./act}}")
    assert done.state == "failure"
    assert "it went wrong" in done.log("job")
    reason = done.jobs["job"].reason
    assert "the image of action './act' could not be built" in reason
    assert "returned a non-zero code: 7; mend Dockerfile" in reason


def test_a_docker_action_has_its_turn_before_the_first_step_and_after_the_last(docker_runner: Any) -> None:
    scripts = {
        "pre": 'echo "pre $1"; echo "begun=yes" >> "$GITHUB_STATE"',
        "main": 'echo "main $1 $STATE_begun"; echo "key=7" >> "$GITHUB_STATE"',
        "post": 'echo "post $1 $STATE_key"',
    }
    write(
        docker_runner.root,
        {
            "act/action.yml": """\
name: D
runs:
  using: docker
  image: Dockerfile
  entrypoint: /main.sh
  pre-entrypoint: /pre.sh
  post-entrypoint: /post.sh
  args: [word]
""",
            "act/Dockerfile": "FROM windlass-test/busybox:1\nCOPY *.sh /\n",
            **{f"act/{name}.sh": f"#!/bin/sh\n{text}\n" for name, text in scripts.items()},
        },
    )
    done = docker_runner.run("jobs: {job: {steps: [{run: echo first}, {uses: ./act}, {run: echo last}]}}")
    assert done.state == "success"
    own = [
        line for line in done.log("job").splitlines() if line.split()[0] in ("pre", "main", "post", "first")
    ]
    assert own == ["pre word", "first", "main word yes", "post word 7"]


def test_a_javascript_action_gets_inputs_and_hands_everything_on(docker_runner: Any) -> None:
    node_action(
        docker_runner.root,
        "act",
        main="""
console.log(core.input('fetch-depth'), core.input('say'), process.cwd(), process.env.HOME);
require('fs').writeFileSync('made', 'by node');
core.output('text', 'two\\nlines'); core.exported('FROM_NODE', 'yes');
require('fs').mkdirSync(process.env.RUNNER_TOOL_CACHE + '/bin');
const tool = process.env.RUNNER_TOOL_CACHE + '/bin/tool';
require('fs').writeFileSync(tool, '#!/bin/sh\\necho a tool', {mode: 0o755});
require('fs').appendFileSync(process.env.GITHUB_PATH, process.env.RUNNER_TOOL_CACHE + '/bin\\n');
require('fs').appendFileSync(process.env.GITHUB_STEP_SUMMARY, '# Summary');
try { require('fs').writeFileSync(__dirname + '/x', ''); } catch (e) { console.log(e.code); }
""",
    )
    done = docker_runner.run("""
jobs:
  job:
    outputs: {text: "${{ steps.n.outputs.text }}"}
    steps:
      - {id: n, uses: ./act, with: {fetch-depth: 0, say: "hello there"}}
      - run: cat made && echo && echo "$FROM_NODE" && tool
""")
    assert done.state == "success"
    assert done.log("job").splitlines() == [
        "0 hello there /workspace /github/home",
        "EROFS",
        "by node",
        "yes",
        "a tool",
    ]
    assert done.jobs["job"].outputs["text"]["text"] == "two\nlines"
    assert done.jobs["job"].summary == "# Summary"


def test_javascript_actions_end_in_reverse_order_also_after_a_failure(docker_runner: Any) -> None:
    stages = {
        "pre": "console.log('pre', core.input('say')); core.save('n', core.input('say'));",
        "post": "console.log('post', core.state('n'), core.state('old'));",
    }
    main = "console.log('main', core.state('n')); console.log('::save-state name=old::said');"
    runs = "main: main.js, pre: pre.js, post: post.js"
    node_action(docker_runner.root, "one", runs=runs, main=main, **stages)
    write(
        docker_runner.root,
        {
            "two/action.yml": """\
name: Two
runs:
  using: composite
  steps: [{uses: ./one, with: {say: inner}}]
"""
        },
    )
    done = docker_runner.run("""
jobs:
  job:
    steps:
      - {uses: ./one, with: {say: first}}
      - uses: ./two
      - {run: exit 3, shell: sh}
      - {uses: ./one, with: {say: never}, if: success()}
""")
    assert done.state == "failure"
    assert done.jobs["job"].exit_code == 3
    assert done.log("job").splitlines() == [
        "pre first",
        "pre inner",
        "pre never",
        "main first",
        "main inner",
        "post never ",  # it had begun with its 'pre'
        "post inner said",
        "post first said",
    ]


def test_the_conditions_of_stages_see_how_the_job_stands(docker_runner: Any) -> None:
    stages = {"pre": "console.log('pre');", "post": "console.log('post'); process.exit(9);"}
    runs = "main: main.js, pre: pre.js, pre-if: runner.os == 'Windows', post: post.js, post-if: %s"
    node_action(docker_runner.root, "good", runs=runs % "success()", main="console.log('main')", **stages)
    node_action(docker_runner.root, "bad", runs=runs % "failure()", main="console.log('main')", **stages)
    done = docker_runner.run("""
jobs:
  good: {steps: [{uses: ./good}]}
  bad: {steps: [{uses: ./bad}]}
  skipped: {steps: [{uses: ./good, if: false}]}
""")
    assert done.states() == {"good": "failure", "bad": "success", "skipped": "success"}
    assert done.jobs["good"].exit_code == 9
    assert done.log("good").splitlines() == ["main", "post"]
    assert done.log("bad").splitlines() == ["main"]
    assert done.log("skipped").splitlines() == []


def test_an_image_without_node_says_what_to_do(docker_runner: Any) -> None:
    docker_runner.node_image = "windlass-test/busybox:1"
    node_action(docker_runner.root, "act", main="")
    done = docker_runner.run("jobs: {job: {uses: ./act}}")
    assert done.state == "failure"
    assert "action './act' needs the program 'node': install Node.js" in done.log("job")


def test_a_composite_action_as_github_has_it(docker_runner: Any) -> None:
    write(
        docker_runner.root,
        {
            "act/action.yml": """\
name: Composite
inputs: {who: {default: world}}
outputs:
  said: {value: "${{ steps.say.outputs.said }}"}
  failed: {value: "${{ steps.bad.outcome }}/${{ steps.bad.conclusion }}"}
runs:
  using: composite
  steps:
    - {id: bad, run: exit 1, shell: sh, continue-on-error: true}
    - id: say
      shell: sh
      working-directory: ${{ github.action_path }}
      env: {WHO: "${{ inputs.who }}"}
      run: |
        echo "$(cat own-file) $WHO, $(basename "$PWD")" | sed "s/$(basename "$GITHUB_ACTION_PATH")/here/"
        echo "said=hello $WHO" >> "$GITHUB_OUTPUT"
    - {if: "inputs.who == 'world'", run: echo for the world, shell: sh}
    - {if: "inputs.who != 'world'", run: "echo status ${{ github.action_status }}", shell: sh}
    - {uses: ./other}
    - {run: "${{ github.action_path }}/tool.sh", shell: sh}
""",
            "act/own-file": "own",
            "act/tool.sh": "#!/bin/sh\necho tool of the action\n",
            "other/action.yml": "name: O\nruns: {using: composite, steps: [{run: echo other, shell: sh}]}",
        },
    )
    done = docker_runner.run("""
jobs:
  job:
    outputs: {said: {type: string}, failed: {type: string}}
    uses: ./act
    with: {who: you}
""")
    assert done.state == "success"
    assert done.log("job").splitlines() == ["own you, here", "status success", "other", "tool of the action"]
    assert done.jobs["job"].outputs["said"]["text"] == "hello you"
    assert done.jobs["job"].outputs["failed"]["text"] == "failure/success"


def test_a_job_cannot_lead_an_action_out_of_its_folders_by_a_link(docker_runner: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("of the host")
    write(
        docker_runner.root,
        {
            "act/action.yml": "name: D\nruns: {using: docker, image: Dockerfile}",
            "act/Dockerfile": 'FROM windlass-test/busybox:1\nCMD ["ls", "-R", "/github"]\n',
        },
    )
    done = docker_runner.run(f"""
jobs:
  job:
    steps:
      - run: |
          for each in home workflow tools temp github; do
            rm -rf "/windlass/$each"; ln -s "{tmp_path}/secret" "/windlass/$each"
          done
      - uses: ./act
""")
    assert done.state == "success"
    assert "key" not in done.log("job").splitlines()


WAITS = """
console.log('main', core.state('from'));
core.save('main', 'kept');
while (!require('fs').existsSync(process.env.WINDLASS_CHECKPOINT_DIR + '/go'))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
console.log('main ends');
"""
STAGES = {
    "pre": "console.log('pre'); core.save('from', 'pre');",
    "post": "console.log('post', core.state('from'), core.state('main'));",
}


def test_after_a_kill_stages_go_on_with_the_state_that_was_left(docker_runner: Any) -> None:
    runs = "main: main.js, pre: pre.js, post: post.js"
    node_action(docker_runner.root, "act", runs=runs, main=WAITS, **STAGES)
    run_id = docker_runner.create("jobs: {job: {steps: [{uses: ./act}, {run: echo last}]}}")
    process = docker_runner.begin_elsewhere(run_id)
    docker_runner.until(lambda: "main pre" in docker_runner.log(run_id, "job"))
    process.kill()
    process.wait()
    docker_runner.conductor.begin(run_id)
    (docker_runner.storage.scratch(run_id) / "job" / "checkpoint" / "go").touch()
    done = docker_runner.finished(run_id)
    assert done.state == "success"
    assert done.log("job").splitlines() == ["pre", "main pre", "main ends", "last", "post pre kept"]
    assert done.jobs["job"].attempt == 1


def test_what_comes_after_the_last_step_also_comes_after_a_cancellation(docker_runner: Any) -> None:
    runs = "main: main.js, pre: pre.js, post: post.js"
    node_action(docker_runner.root, "act", runs=runs, main=WAITS, **STAGES)
    run_id = docker_runner.begin("jobs: {job: {steps: [{uses: ./act}, {run: echo never}]}}")
    docker_runner.until(lambda: "main pre" in docker_runner.log(run_id, "job"))
    docker_runner.conductor.cancel(run_id, reason="enough")
    done = docker_runner.finished(run_id)
    assert done.state == "cancelled"
    assert done.log("job").splitlines() == ["pre", "main pre", "post pre kept"]
