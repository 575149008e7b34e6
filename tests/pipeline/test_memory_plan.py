"""The count of living tensors on the meta device, against sums by hand."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.memory_plan import working


def test_a_tensor_counts_from_its_making_to_its_end() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(10, 1000), nn.Linear(1000, 10), nn.Linear(10, 500))
    x = torch.empty(1, 10, device="meta")
    # 4000 bytes, then 40 beside them; then 2000 beside the 40
    assert working(model, lambda m: m(x)) == 4000 + 40


def test_views_and_work_in_place_cost_nothing_and_fused_attention_keeps_no_scores() -> None:
    x = torch.empty(1, 2, 100, 8, device="meta")
    assert working(nn.Identity(), lambda m: m(x).view(2, 100, 8).transpose(0, 1)) == 0
    assert working(nn.Identity(), lambda m: m(x).mul_(2)) == 0
    assert working(nn.Identity(), lambda m: nn.functional.scaled_dot_product_attention(x, x, x)) == 1600 * 4
