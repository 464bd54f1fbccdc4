"""`windlass registry store`: a registry whose files go into a bucket, as its owner and its readers use it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.actions.s3_server import Server, running_server
from integration.commands.conftest import Here, Project
from integration.commands.test_registry import ACTION
from integration.registry.stored import faulty_way


@pytest.fixture(scope="module")
def store() -> Iterator[Server]:
    with running_server() as server:
        server.check_who_asks(on=True)
        yield server


@pytest.fixture
def project(project: Project, tmp_path: Path) -> Here:
    """A package, and a registry with a namespace for it."""
    here = Here(root=project.root, environment=project.environment)
    here.write("actions/greet/action.yml", ACTION)
    here.commit()
    assert here.windlass("registry", "init", str(tmp_path / "registry")).code == 0
    assert here.windlass("keys", "new", "acme").code == 0
    public = tmp_path / "home" / ".config" / "windlass" / "keys" / "acme.owner.pub"
    assert here.windlass("registry", "grant", "acme", "--key", str(public)).code == 0
    return here


def words(tmp_path: Path, endpoint: str, user: str, store: Server) -> tuple[str, ...]:
    """How the store is named on the command line, with a user's keys."""
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    key, secret = store.keys[user]
    keys.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    return (f"s3://empty/{tmp_path.name}", "--endpoint", endpoint, "--credentials", str(keys))


def test_a_registry_goes_into_a_bucket_and_is_used_as_before(
    project: Here, tmp_path: Path, store: Server
) -> None:
    registry = tmp_path / "registry"
    moved = project.windlass("registry", "store", *words(tmp_path, store.endpoint, "reader", store))
    assert moved.code == 0, moved.err
    assert f"the registry's files lie in s3://empty/{tmp_path.name} now" in moved.out
    assert "Start the registry's server again" in moved.err
    shutil.rmtree(registry / "metadata")
    published = project.windlass("publish", "actions/greet")
    assert (published.code, published.out) == (0, "uses: acme/greet@v1.0.0\n"), published.err
    assert not (registry / "metadata").exists()
    found = json.loads(project.windlass("search", "greet", "--json").out.splitlines()[-1])
    assert found["name"] == "acme/greet"
    assert project.windlass("yank", "acme/greet@1.0.0", "--reason", "wrong").code == 0
    assert "wrong" in project.windlass("info", "acme/greet@1.0.0").out
    assert project.windlass("registry", "refresh", "--force").code == 0
    mirrored = project.windlass("registry", "mirror", str(tmp_path / "copy"), "--json")
    assert json.loads(mirrored.out)["packages"] == 1
    again = project.windlass("registry", "store", "s3://empty/other")
    assert (again.code, "already; to change how that is reached, edit" in again.err) == (3, True)


def test_what_is_wrong_with_the_place_is_said_and_nothing_is_moved(
    project: Here, tmp_path: Path, store: Server
) -> None:
    (url, *options) = words(tmp_path, store.endpoint, "nobody", store)
    answer = project.windlass("registry", "store", url, *options)
    assert (answer.code, "AccessDenied; allow s3:ListBucket" in answer.err) == (3, True), answer.err
    answer = project.windlass("registry", "store", "empty/x", *options)
    assert "'empty/x' is no place in a store; write it as s3://bucket/prefix" in answer.err
    (tmp_path / "keys").chmod(0o644)
    answer = project.windlass("registry", "store", url, *options)
    assert f"chmod 600 {tmp_path / 'keys'}" in answer.err
    nobody = {"AWS_EC2_METADATA_DISABLED": "true"}
    answer = project.windlass("registry", "store", url, "--endpoint", store.endpoint, **nobody)
    assert "there are no credentials for the store" in answer.err
    assert not (tmp_path / "registry" / "store.toml").exists()
    assert project.windlass("publish", "actions/greet").code == 0


def test_a_served_registry_says_on_healthz_that_its_store_is_away(
    project: Here, tmp_path: Path, store: Server
) -> None:
    with faulty_way(store) as way:
        assert (
            project.windlass("registry", "store", *words(tmp_path, way.endpoint, "reader", store)).code == 0
        )
        command = [sys.executable, "-m", "windlass_runner.cli", "registry", "serve"]
        command += [str(tmp_path / "registry"), "--listen", "127.0.0.1:0"]
        variables = {**project.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            try:
                address = server.stderr.readline().split()[-1]
                assert call(f"{address}/healthz") == (200, {"status": "ok", "problems": []})
                way.spoil = lambda method, path: "away"
                status, body = call(f"{address}/healthz")
                assert (status, body["status"]) == (503, "failing")
                assert (
                    "does not answer; see whether it runs, and 'endpoint' in store.toml"
                    in body["problems"][0]
                )
                assert call(f"{address}/index.json")[0] == 503
                way.spoil = lambda method, path: ""
                assert call(f"{address}/healthz")[0] == 200
                assert call(f"{address}/index.json")[1]["packages"] == []
            finally:
                server.send_signal(signal.SIGTERM)
            assert "nobody can read it as yet" not in server.stderr.read()
        assert server.returncode == 0
        way.spoil = lambda method, path: "away"
        with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            told = ""
            while "nobody can read it as yet: the store of s3://empty/" not in told:
                told = server.stderr.readline()
                assert told, "the server ended"
            server.send_signal(signal.SIGTERM)


def call(address: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
