"""The benchmark reads the door as the app does; its seconds are printed, never asserted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from benchmarks import cases, generation, levers, previews
from benchmarks.running_app import Memory, RunningApp
from pipeline.client import PipelineClient
from pipeline.orders import Order
from pipeline.types import AdapterPlan
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
    memory = [Memory("app", 300, 200, 350), Memory("models", 700, 650, 900)]
    loops = generation.Loops([1.0, 2.0, 3.0], [0.5, 1.0, 9.0])
    lines = generation.report(timed, loops, memory, 8.0).splitlines()
    found = {line.split("  ")[0]: line.split() for line in lines if line}
    assert found["four pictures, from the question"][-5:] == ["4.00", "s", "(2.00", "to", "9.00)"]
    assert found["drawing / plain loop"][-1] == "0.75"
    assert found["drawing / plain loop without adapters"][-1] == "1.50"
    assert found["whole answer / plain loop"][-1] == "2.00"
    assert any(line.split()[:4] == ["900", "MB", "at", "most,"] for line in lines)
    assert ["1000", "MB", "resident,", "850", "MB", "shared", "fairly", "together"] in [line.split() for line in lines]


def test_this_processes_peak_is_at_least_what_it_holds() -> None:
    process = psutil.Process()
    found = RunningApp(0, process).memory()[0]
    assert found.peak >= 0.99 * found.resident > 1


def painted(*levels: int) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), (level, level, level)) for level in levels]


def test_rows_are_measured_in_turn_and_compared_with_the_first() -> None:
    drawn: list[str] = []

    def lever(name: str, same: bool, *grey: int) -> levers.Lever:
        def draw(_: levers.Work) -> list[Image.Image]:
            drawn.append(name)
            return painted(*grey)

        return levers.Lever(name, draw, same)

    rows = [lever("loop", True, 10, 20), lever("batch", True, 10, 23), lever("fewer steps", False, 0, 0)]
    task = levers.Work(painted(0)[0], np.ones((8, 8), dtype=bool), ())
    measured = levers.measure(rows, task, 2)
    assert drawn == ["loop", "batch", "fewer steps"] * 3, "once to warm up, then in turn"
    assert [row.apart for row in measured] == [0.0, 3.0, None]
    assert all(len(row.seconds) == len(row.processor) == 2 for row in measured)


def test_the_table_gives_each_row_its_ratio_to_the_loop() -> None:
    rows = [levers.Row("loop", (1.0, 2.0, 9.0), (4.0,), 0.0), levers.Row("ours", (0.5, 0.4, 8.0), (1.0,), None)]
    _, loop, ours = levers.table(rows).splitlines()
    assert loop.split() == ["loop", "2.00", "s", "1.00", "4.00", "s", "1.00", "0.000"]
    assert ours.split() == ["ours", "0.50", "s", "0.25", "1.00", "s", "0.25", "other", "steps"]


def test_the_peer_without_adapters_is_asked_for_the_same_pictures() -> None:
    plan = AdapterPlan("acne", "all", 1.0, 0.4, ("C",))
    task = levers.Work(painted(0)[0], np.ones((8, 8), dtype=bool), (Order("acne", "acne", plan, torch.zeros(1, 4), 7),))
    (order,) = generation.without_adapters(task).orders
    assert (order.plan.lora, order.plan.ip_adapter_scale, order.reference) == (None, 0.0, None)
    assert (order.label, order.prompt, order.seed) == ("acne", "acne", 7)


def test_the_tiny_decoder_is_the_real_ones_size_and_cheaper_than_half_a_vae() -> None:
    """1.22 M parameters in each half (the published taesd_encoder and taesd_decoder.safetensors: 4.9 MB of float32)."""
    decoder = previews.taesd(4).decoder
    assert round(sum(p.numel() for p in decoder.parameters()) / 1e6, 2) == 1.22
    counted = previews.operations()
    whole, half, tiny = counted.values()
    assert 3.9 < whole / half < 4.4, "a quarter of the pixels"
    assert tiny < half


def test_case_search_is_measured_on_what_it_writes(tmp_path: Path) -> None:
    cases.write_library(tmp_path, 40, 8)
    lines = cases.exact(40, 8, 2)
    assert lines[0].startswith("40 cases of 8 + 8 numbers")
    assert all("ms" in line for line in lines[2:])


def test_what_the_index_finds_is_counted() -> None:
    class Proposes:
        def search(self, query: np.ndarray, k: int, among: None) -> list[int]:
            return [0, 1, 9]

    vectors = np.eye(10, dtype=np.float32)
    query = np.arange(10, 0, -1, dtype=np.float32)  # nearest: 0, 1, 2, 3
    assert cases.hit(Proposes(), vectors, query) == 0.5  # type: ignore[arg-type]
