"""Puts a model into service: a release beside the others, a server on it that answers, and then the link."""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from wines import load

PROGRAM = ("serve.py", "bayes.py")
HERE = build_opener(ProxyHandler({}))  # this machine is not asked through a proxy

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", type=Path, required=True)
parser.add_argument("--to", type=Path, required=True, help="the folder of all releases")
options = parser.parse_args()


def ask(address, value=None):
    """What the server answers, as a value."""
    body = None if value is None else json.dumps(value).encode()
    with HERE.open(Request(address, data=body), timeout=10) as answer:
        return json.load(answer)


def check(release):
    """Start the server on a release, ask it for a wine whose grower is known, and stop it."""
    server = subprocess.Popen(
        [sys.executable, release / "serve.py", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        address = server.stdout.readline().strip()  # it writes where it listens, or ends
        if not address:
            sys.exit("the server did not start: nothing was switched")
        health = ask(f"{address}/healthz")
        print(f"healthy at {address}: release {health['release']}", flush=True)
        values, grower = load()[2][0]
        answer = ask(f"{address}/predict", {"values": values})
        print(f"asked for a wine of grower {grower}, it says {answer['grower']}", flush=True)
        return answer
    finally:
        server.terminate()
        server.wait()


name = hashlib.sha256(options.model.read_bytes()).hexdigest()[:12]
release = options.to / "releases" / name
release.mkdir(parents=True, exist_ok=True)
shutil.copyfile(options.model, release / "model.json")
for file in PROGRAM:
    shutil.copy(Path(__file__).with_name(file), release)

answer = check(release)

current, new = options.to / "current", options.to / "current.new"
before = current.readlink().name if current.is_symlink() else "nothing"
new.unlink(missing_ok=True)
new.symlink_to(Path("releases") / name)
new.replace(current)  # at once: whoever looks finds the old release or the new one
print(f"current: {before} -> {name}")

(options.to.parent / "answer").write_text(json.dumps(answer))
with open(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull), "a") as summary:
    summary.write(f"## Deployed\n\n`{name}`, in place of `{before}`. It answered `{json.dumps(answer)}`.\n")
