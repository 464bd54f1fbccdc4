from __future__ import annotations

import re
from pathlib import Path

from unit.actions.running import Job


def model(job: Job, **files: str) -> Path:
    place = job.inputs / "model"
    for name, text in files.items():
        path = place / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


def made(job: Job, **inputs: str) -> str:
    ended = job.run("create-model", **inputs)
    assert ended.code == 0, ended.log
    text = (job.outputs / "model-id").read_text()
    assert ended.outputs == {"model-id": text}
    return text


def test_the_id_is_written_to_the_output(job: Job) -> None:
    model(job, weights="1", sub__more="2")
    assert re.fullmatch(r"mdl[a-z2-7]{16}", made(job, name="digits", type="Tensorflow"))


def test_the_same_model_has_the_same_id(job: Job) -> None:
    place = model(job, weights="1", sub__more="2")
    first = made(job, name="digits", type="Tensorflow")
    (place / "weights").touch()
    (place / "weights").chmod(0o600)
    assert made(job, name="digits", type="tensorflow") == first


def test_content_names_and_type_make_another_id(job: Job) -> None:
    place = model(job, a="1")
    found = {made(job, name="digits", type="ONNX"), made(job, name="digits"), made(job, name="other")}
    (place / "a").rename(place / "b")
    found.add(made(job, name="digits"))
    (place / "b").write_text("2")
    found.add(made(job, name="digits"))
    assert len(found) == 5


def test_one_file_may_be_the_model(job: Job) -> None:
    (job.inputs / "model").write_text("weights")
    assert made(job, name="digits").startswith("mdl")


def test_a_broken_link_in_the_model_is_no_failure(job: Job) -> None:
    (model(job, a="1") / "link").symlink_to("nowhere")
    assert made(job, name="digits").startswith("mdl")


def test_problems_name_their_remedy(job: Job) -> None:
    assert "give the model's name" in job.run("create-model").error
    assert "no input 'model'" in job.run("create-model", name="x").error
    (job.inputs / "model").mkdir()
    assert "is empty" in job.run("create-model", name="x").error
    model(job, a="1")
    (job.outputs / "model-id").mkdir()
    assert "must be of type string" in job.run("create-model", name="x").error
