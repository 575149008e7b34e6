"""Trainings follow their model to an accelerator. There is none here: torch's meta device stands for one.

It calculates shapes alone, and refuses, as an accelerator does, an operation in which it meets the processor.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typer.testing import CliRunner

from pipeline.training import data, device
from pipeline.training.cli import app
from pipeline.training.loop import Schedule
from pipeline.training.session import Session

THERE = torch.device("meta")


def test_what_meets_a_model_elsewhere_follows_it() -> None:
    model, x, target = nn.Linear(3, 2).to(THERE), torch.ones(4, 3), torch.zeros(4, dtype=torch.long)
    with pytest.raises(RuntimeError):
        F.linear(x, model.weight, model.bias)
    with device.Following(THERE):
        loss = F.cross_entropy(model(x), target) + torch.cat([model(x), torch.ones(4, 2)]).mean()
    assert loss.device == THERE
    loss.backward()
    assert model.weight.grad is not None
    assert model.weight.grad.shape == (2, 3)


def test_what_meets_nobody_stays() -> None:
    with device.Following(THERE):
        assert (torch.ones(2) + torch.ones(2)).device == device.CPU


def test_what_is_written_into_stays_where_it_is() -> None:
    kept = torch.zeros(2, device=THERE)
    with device.Following(THERE):
        kept.lerp_(torch.ones(2), 0.5)
        kept[0] = torch.ones(())
    assert kept.device == THERE


def test_modules_come_back() -> None:
    class Traveller(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.way: list[torch.device] = []

        def to(self, where: torch.device) -> Traveller:  # type: ignore[override]
            self.way.append(where)
            return self

    module = Traveller()

    def stopped() -> None:
        with device.accelerated(THERE, module) as where:
            assert where == THERE
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert module.way == [THERE, device.CPU]


def test_a_device_that_is_not_there_is_named() -> None:
    assert device.device_of("cpu") == device.CPU
    with pytest.raises(device.NoSuchDevice, match="'tpu9' here; it finds cpu"):
        device.device_of("tpu9")
    refused = CliRunner().invoke(app, ["judge", "--device", "tpu9"])
    assert refused.exit_code == 2
    assert "tpu9" in refused.output


class Done(Exception):
    """The first loss of a part was calculated."""


def first_loss(
    session: Session, part: str, model: nn.Module, loss_of: Any, schedule: Schedule, *_: Any, **__: Any
) -> None:
    model.to(THERE)
    with device.Following(THERE):
        loss: Tensor = loss_of(schedule.steps - 1, torch.Generator().manual_seed(1))
    assert loss.device == THERE, part
    loss.backward()
    assert any(p.grad is not None for p in model.parameters())
    raise Done


@pytest.mark.parametrize("part", ["vae", "sam", "judge", "dino", "detector", "skingpt_sight", "clip"])
def test_a_parts_first_step_runs_elsewhere(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"pipeline.training.{part}")
    monkeypatch.setattr(data, "CACHE", tmp_path)
    monkeypatch.setattr(module, "train", first_loss)
    with pytest.raises(Done):
        module.run(Session(work=tmp_path, phantoms=40, steps=4))
