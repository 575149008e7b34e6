"""One training loop for all parts: progress bar, loss log, checkpoints that a kill does not lose."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.schedule import bfloat16_pays
from pipeline.training import relay
from pipeline.training.device import CPU, accelerated, device_of
from pipeline.training.session import Session


@dataclass(frozen=True)
class Schedule:
    """How long, how fast: linear warm-up over ``warmup`` steps, then cosine to a twentieth.

    At each of ``restarts`` the cosine has ended and another one of half the height begins, the last of them to end at
    ``steps`` (Loshchilov and Hutter 2017): so a part is trained on that turned out to need more.
    """

    steps: int
    lr: float
    restarts: tuple[int, ...] = ()
    warmup: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    save_every: int = 200
    bf16: bool = True
    """Autocast to bfloat16 where `bfloat16_pays`; weights stay float32 always."""
    handover_every: int = 0
    """After each so many steps another machine may go on (`relay`): the rate rises from 0 again to where it was."""

    @property
    def handovers(self) -> range:
        every = self.handover_every or self.steps + 1
        return range(every, self.steps + 1, every)

    def again(self, step: int) -> bool:
        """Whether ``step`` is after the first restart."""
        return any(step >= restart for restart in self.restarts)

    def at(self, step: int) -> float:
        """Learning rate of ``step``, counted from 0."""
        start = max((restart for restart in self.restarts if restart <= step), default=0)
        end = min((restart for restart in self.restarts if step < restart < self.steps), default=self.steps)
        peak = self.lr / 2 if self.again(step) else self.lr
        begun = max((handover for handover in (start, *self.handovers) if handover <= step), default=0)
        done = max(0, step - start - self.warmup) / max(1, end - start - self.warmup)
        rate = peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
        return rate * min(1.0, (step - begun + 1) / self.warmup)


def arithmetic(device: str) -> dict[str, str]:
    """On what weights' bits depend beside the recipe."""
    where = device_of(device)
    numbers = "bfloat16" if where != CPU or bfloat16_pays() else "float32"
    return {"torch": torch.__version__, "device": where.type, "numbers": numbers}


class Average(nn.Module):
    """Exponential moving average of a model's trained parameters."""

    def __init__(self, model: nn.Module, decay: float = 0.998) -> None:
        super().__init__()
        self.decay = decay
        self.shadow = {k: p.detach().clone() for k, p in relay.trainable(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (step + 1) / (step + 10))
        for k, p in relay.trainable(model).items():
            self.shadow[k].lerp_(p.detach(), 1 - decay)

    @torch.no_grad()
    def load(self, shadow: dict[str, Tensor]) -> None:
        for k, tensor in shadow.items():
            self.shadow[k].copy_(tensor)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        for k, p in relay.trainable(model).items():
            p.copy_(self.shadow[k])


def train(
    session: Session,
    part: str,
    model: nn.Module,
    loss_of: Callable[[int, torch.Generator], Tensor],
    schedule: Schedule,
    average: bool = False,
    beside: Sequence[nn.Module] = (),
) -> list[float]:
    """Minimise ``loss_of(step, generator)`` over the model's trainable parameters, on the session's device.

    The generator is seeded by the step, and so is torch's own, from which dropout draws: a resumed run draws what an
    uninterrupted one would. Writes ``<part>/{checkpoint.pt,log.jsonl}`` in the session's folder and keeps the log with
    the pack. Goes on from the checkpoint or from a handover in the pack, whichever is further. Returns the losses of
    this call. With ``average`` the model ends with its moving average. ``beside`` is what the loss needs of other
    models.
    """
    run = Run(part, session.work / part, session.pack, session.key)
    run.folder.mkdir(parents=True, exist_ok=True)
    model.train()
    with accelerated(device_of(session.device), model, *beside) as where:
        losses = _minimise(run, model, loss_of, schedule, average, where)
    model.eval()
    run.keep_log()
    return losses


@dataclass(frozen=True)
class Run:
    """The files of one training."""

    part: str
    folder: Path
    pack: Path
    key: str

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    @property
    def kept(self) -> Path:
        """The log that goes with the pack."""
        return self.pack / "logs" / f"{self.part}.jsonl"

    def keep_log(self, every: int = 100) -> None:
        """The lines of each ``every`` steps and the last one: a pack is to stay small."""
        lines = self.log.read_text().splitlines()
        kept = [line for line in lines[:-1] if json.loads(line)["step"] % every == 0] + lines[-1:]
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        self.kept.write_text("".join(f"{line}\n" for line in kept))

    def hand_over(self, model: nn.Module, step: int) -> None:
        self.keep_log()  # before the weights: who takes over goes on with it
        relay.hand_over(model, self.pack / "relay", self.part, step, self.key)

    def begin(
        self, model: nn.Module, optimiser: torch.optim.Optimizer, schedule: Schedule, average: bool
    ) -> tuple[int, Average | None]:
        """Put into ``model`` what is furthest, checkpoint or handover; its step (0: neither), and the average so far.

        After a handover the optimiser knows nothing, the average begins with it, and its log is gone on with.
        """
        state = torch.load(self.checkpoint, weights_only=True, map_location="cpu") if self.checkpoint.exists() else None
        handed = relay.furthest(self.pack / "relay", self.part, schedule.handovers, self.key)
        if state is not None and state["step"] >= handed:
            model.load_state_dict(state["model"])
            optimiser.load_state_dict(state["optimiser"])
            ema = Average(model) if average else None
            if ema:
                ema.load(state["ema"])
            return int(state["step"]), ema
        if handed:
            relay.take_over(model, self.pack / "relay", self.part, handed)
            shutil.copyfile(self.kept, self.log)
        return handed, Average(model) if average else None


def _minimise(
    run: Run, model: nn.Module, loss_of: Callable[[int, torch.Generator], Tensor], schedule: Schedule, average: bool,
    where: torch.device,
) -> list[float]:  # fmt: skip
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=schedule.lr, weight_decay=schedule.weight_decay, betas=(0.9, 0.98))
    start, ema = run.begin(model, optimiser, schedule, average)
    losses: list[float] = []
    began = time.monotonic()
    bf16 = schedule.bf16 and (where.type != "cpu" or bfloat16_pays())
    with run.log.open("a") as log:
        for step in range(start, schedule.steps):
            if step in schedule.handovers:
                run.hand_over(model, step)
                optimiser.state.clear()
                ema = Average(model) if average else None
            for group in optimiser.param_groups:
                group["lr"] = schedule.at(step)
            torch.manual_seed(step)
            with torch.autocast(where.type, dtype=torch.bfloat16, enabled=bf16):
                loss = loss_of(step, torch.Generator().manual_seed(step))
            losses.append(float(loss.item()))
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(f"{run.part}: loss is {losses[-1]} at step {step}; lower the learning rate")
            _descend(loss, optimiser, parameters, schedule.clip)
            if ema:
                ema.update(model, step)
            if step % 20 == 19 or step + 1 == schedule.steps:
                _report(run.part, step, schedule.steps, start, losses, began, log)
            if (step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps:
                _save(run.checkpoint, step + 1, model, optimiser, ema)
    if ema:
        ema.copy_to(model)
    if schedule.steps in schedule.handovers:
        run.hand_over(model, schedule.steps)
    return losses


def _descend(loss: Tensor, optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter], clip: float) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, clip)
    optimiser.step()


def _report(part: str, step: int, steps: int, start: int, losses: list[float], began: float, log: Any) -> None:
    recent = sum(losses[-20:]) / len(losses[-20:])
    pace = (time.monotonic() - began) / (step + 1 - start)
    log.write(json.dumps({"step": step + 1, "loss": round(recent, 5), "s_per_step": round(pace, 3)}) + "\n")
    log.flush()
    left = pace * (steps - step - 1)
    bar = "#" * (24 * (step + 1) // steps)
    print(
        f"\r{part:<12} [{bar:<24}] {step + 1}/{steps}  loss {recent:.4f}  {left / 60:.1f} min left",
        end="",
        flush=True,
    )
    if step + 1 == steps:
        print()


def _save(path: Path, step: int, model: nn.Module, optimiser: Any, ema: Average | None) -> None:
    state = {"step": step, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
    if ema:
        state["ema"] = ema.shadow
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def pixels(images: Any) -> Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W), -1 to 1."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def pick(generator: torch.Generator, n: int, batch: int) -> list[int]:
    """``batch`` row numbers below ``n``."""
    return sorted(int(i) for i in torch.randint(n, (batch,), generator=generator))
