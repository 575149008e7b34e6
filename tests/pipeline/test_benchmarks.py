"""The benchmark reads the door as the app does; its seconds are printed, never asserted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks import generation
from benchmarks.running_app import Memory
from pipeline.client import PipelineClient
from tests.scripted import TOKEN, scripted_server, small_png


def test_an_answer_is_timed_through_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_server(tmp_path, pause_s=0.005) as server, PipelineClient(server.url, TOKEN) as client:
        assert generation.ask(client, small_png(), "a") is None  # two pictures are not four
        monkeypatch.setattr(generation, "PICTURES", 2)
        answered = generation.ask(client, small_png(), "b")
        assert answered is not None
        assert 0 < answered.first_words < answered.pictures
        assert answered.prompts == ("a photo of acne", "a photo of vitiligo")
        assert client.get_image(answered.mask)


def test_nothing_is_reported_without_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "TRIES", 2)
    with (
        scripted_server(tmp_path) as server,
        PipelineClient(server.url, TOKEN) as client,
        pytest.raises(generation.NothingToMeasure, match="2 phantoms"),
    ):
        generation.suitable(client, "x")
    assert len(server.explainer.started) == 2


def test_the_report_gives_medians_sums_and_ratios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "PICTURES", 2)
    with scripted_server(tmp_path) as server, PipelineClient(server.url, TOKEN) as client:
        answered = generation.ask(client, small_png(), "a")
    assert answered is not None
    manifest = dataclasses.replace(answered.manifest, latency_s={"images": 1.5})
    timed = [
        dataclasses.replace(answered, first_words=0.5, pictures=seconds, manifest=manifest)
        for seconds in (2.0, 4.0, 9.0)
    ]
    memory = [Memory("app", 300, 200), Memory("models", 700, 650)]
    lines = generation.report(timed, [1.0, 2.0, 3.0], memory, 8.0).splitlines()
    found = {line.split("  ")[0]: line.split() for line in lines if line}
    assert found["four pictures, from the question"][-5:] == ["4.00", "s", "(2.00", "to", "9.00)"]
    assert found["drawing / plain loop"][-1] == "0.75"
    assert found["whole answer / plain loop"][-1] == "2.00"
    assert ["1000", "MB", "resident,", "850", "MB", "shared", "fairly", "together"] in [line.split() for line in lines]
