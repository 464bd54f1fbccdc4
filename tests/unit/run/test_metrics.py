import os
from pathlib import Path

import pytest

from windlass_runner.run.metrics import Metric, MetricsTail, MetricSummary, parse_metric, summarise


def test_a_metric_line() -> None:
    assert parse_metric('{"name": "loss", "value": 1, "step": 2.0}') == Metric(name="loss", value=1.0, step=2)
    assert parse_metric('{"name": "loss", "value": 0.5, "more": []}') == Metric(name="loss", value=0.5)


@pytest.mark.parametrize(
    "line",
    [
        "loss=1",
        "[]",
        "1",
        '{"value": 1}',
        '{"name": "", "value": 1}',
        '{"name": "x", "value": true}',
        '{"name": "x", "value": "1"}',
        '{"name": "x", "value": NaN}',
        '{"name": "x", "value": -Infinity}',
        '{"name": "x", "value": 1e999}',
        '{"name": "x", "value": 1' + "0" * 400 + "}",
        '{"name": "x", "value": 1, "step": "a"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_metric_is_told_in_words(line: str) -> None:
    assert isinstance(parse_metric(line), str)


def test_a_file_is_read_as_it_grows_and_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    tail = MetricsTail(path)
    assert tail.read_new().metrics == ()
    with path.open("a") as file:
        for text, names in (
            ('{"name":"a","value":1}\n{"name":"b"', ["a"]),
            (',"value":2}\r\njunk\n', ["b"]),
            ('{"name":"c","value":3}', []),
        ):
            file.write(text)
            file.flush()
            found = tail.read_new()
            assert [metric.name for metric in found.metrics] == names
            assert len(found.warnings) == text.count("junk")
    assert [metric.name for metric in tail.read_new(is_final=True).metrics] == ["c"]
    assert tail.read_new(is_final=True).metrics == ()


def test_reading_goes_on_from_a_stored_offset(tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    path.write_text('{"name":"a","value":1}\n')
    first = MetricsTail(path)
    first.read_new()
    path.write_text(path.read_text() + '{"name":"b","value":1}\n')
    again = MetricsTail(path, offset=first.offset, line=1)
    assert [metric.name for metric in again.read_new().metrics] == ["b"]


def test_a_metrics_file_that_is_a_link_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text('{"name":"a","value":1}\n')
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "pipe")
    assert MetricsTail(tmp_path / "link").read_new().metrics == ()
    assert MetricsTail(tmp_path / "pipe").read_new().metrics == ()


def test_a_summary_goes_on_from_an_earlier_one() -> None:
    first = summarise([Metric(name="loss", value=3, step=1), Metric(name="loss", value=1, step=2)])
    second = summarise([Metric(name="loss", value=2), Metric(name="acc", value=0.5)], first)
    assert second == {
        "loss": MetricSummary(last=2, least=1, greatest=3, count=3, step=2),
        "acc": MetricSummary(last=0.5, least=0.5, greatest=0.5, count=1),
    }
