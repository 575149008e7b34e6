"""What the UNet learns from: photos encoded once, each with areas to paint that cover its lesions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from pipeline.training import data as sets
from pipeline.training import encoded as kept
from pipeline.training.data import Phantoms, phantoms
from pipeline.training.encoded import AREAS, Encoded, encoded, latents
from pipeline.training.loop import pixels
from pipeline.training.session import SHIPPED, Session
from pipeline.training.unet import load_vae

vae = load_vae(SHIPPED)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Phantoms, Encoded]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sets, "CACHE", tmp_path_factory.mktemp("phantoms"))
        patch.setattr(kept, "LATENTS", tmp_path_factory.mktemp("latents"))
        data = phantoms("train", 40, clear=0.05, least_extent=0.45)
        first = encoded(Session(), data, vae)
        again = encoded(Session(), data, vae)
        assert len(list(kept.LATENTS.iterdir())) == 1
        assert all(torch.equal(a, b) for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    return data, first


def test_photos_are_what_the_vae_makes_of_them(both: tuple[Phantoms, Encoded]) -> None:
    data, pictures = both
    with torch.no_grad():
        own = latents(vae, pixels(data.images[:4]))
    assert torch.allclose(pictures.photos[:4].float(), own, atol=0.02)


def test_every_area_covers_the_lesions_and_what_is_masked_shows_none_of_it(both: tuple[Phantoms, Encoded]) -> None:
    data, pictures = both
    lesions = F.avg_pool2d(torch.from_numpy(data.masks.astype("float32"))[:, None], 4)
    whole = (lesions > 0.99)[:, None].expand(-1, AREAS, -1, -1, -1)
    assert set(pictures.areas.unique().tolist()) <= {0.0, 1.0}
    assert pictures.areas[whole].min() == 1
    assert (pictures.masked - pictures.photos[:, None]).abs().mean() > 0.05


def test_some_are_painted_from_nothing(both: tuple[Phantoms, Encoded]) -> None:
    _, pictures = both
    generator = torch.Generator().manual_seed(3)
    rows = [i % 40 for i in range(400)]
    photos, areas, masked = pictures.drawn(rows, generator, 0.25)
    assert (photos.shape, areas.shape, masked.shape) == ((400, 4, 24, 24), (400, 1, 24, 24), (400, 4, 24, 24))
    everything = (masked == pictures.nothing.float()).flatten(1).all(1)
    assert 60 < int(everything.sum()) < 150
    assert areas[everything].min() == 1
    assert areas[~everything].flatten(1).mean(1).min() < 1
    assert torch.equal(pictures.drawn(rows[:5], torch.Generator().manual_seed(1), 0.0)[0], pictures.photos[:5].float())


def test_another_vae_makes_its_own_and_so_do_other_phantoms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "CACHE", tmp_path / "phantoms")
    monkeypatch.setattr(kept, "LATENTS", tmp_path / "latents")
    data = phantoms("train", 2)
    encoded(Session(), data, vae)
    other = load_vae(SHIPPED)
    other.decoder.conv_out.bias += 1
    encoded(Session(), data, other)
    encoded(Session(), phantoms("train", 2, least_extent=0.5), vae)
    assert len(list(kept.LATENTS.iterdir())) == 3
