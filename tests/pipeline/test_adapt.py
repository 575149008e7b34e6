"""Figure 8's decision: similar cases -> LoRA + IP-Adapter; none -> LoRA alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.adapt import AdapterManager, AdapterSet, Lora, drawn_together
from pipeline.types import AdapterPlan, Case


@pytest.fixture
def manager() -> AdapterManager:
    loras = (Lora("own", "own.safetensors", ("keloid",), 0.8), Lora("all", "all.safetensors", ("*",), 1.0))
    return AdapterManager(Path(), loras, "ip.safetensors", ip_adapter_scale=0.5, least_similarity=0.6)


def case(label: str, similarity: float) -> Case:
    return Case(f"C-{label}-{similarity}", label, "", "", similarity)


def test_similar_cases_bring_the_ip_adapter(manager: AdapterManager) -> None:
    plan = manager.plan("psoriasis", [case("psoriasis", 0.7), case("psoriasis", 0.59), case("vitiligo", 0.9)])
    assert (plan.lora, plan.lora_weight, plan.ip_adapter_scale) == ("all", 1.0, 0.5)
    assert plan.reference_cases == ("C-psoriasis-0.7",)


@pytest.mark.parametrize("cases", [[], [case("psoriasis", 0.59)], [case("vitiligo", 0.99)]])
def test_without_similar_cases_lora_alone(manager: AdapterManager, cases: list[Case]) -> None:
    plan = manager.plan("psoriasis", cases)
    assert (plan.lora, plan.ip_adapter_scale, plan.reference_cases) == ("all", 0.0, ())


def test_a_labels_own_lora_goes_first(manager: AdapterManager) -> None:
    plan = manager.plan("keloid", [])
    assert (plan.lora, plan.lora_weight) == ("own", 0.8)


def test_no_lora_is_possible() -> None:
    plan = AdapterManager(Path(), (), "ip.safetensors", 0.5, 0.6).plan("keloid", [])
    assert (plan.lora, plan.lora_weight) == (None, 0.0)


def plan(lora: str | None, scale: float) -> AdapterPlan:
    return AdapterPlan("psoriasis", lora, 1.0, scale, ("C",) if scale else ())


def test_a_plan_without_reference_joins_those_of_its_lora() -> None:
    together = drawn_together([plan("all", 0), plan("all", 0.4), plan("own", 0), plan("all", 0.4)])
    assert together == {AdapterSet("all", 1.0, 0.4): (0, 1, 3), AdapterSet("own", 1.0, 0.0): (2,)}


def test_two_scales_are_two_batches() -> None:
    together = drawn_together([plan("all", 0.4), plan("all", 0.6), plan("all", 0), plan(None, 0)])
    assert sorted(together.values()) == [(0, 2), (1,), (3,)]


def test_no_plan_is_no_batch() -> None:
    assert drawn_together([]) == {}
