"""A case library from folders and from the CSV files of Fitzpatrick17k and SCIN, written in their columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipeline import caseindex, retrieve
from pipeline.__main__ import app
from pipeline.casebuild import build
from pipeline.casefile import made_by
from pipeline.casesources import SourceError, sources
from pipeline.profile import load_profile
from pipeline.retrieve import CaseLibrary
from pipeline.weights import fingerprint


class Colours:
    """An encoder whose vectors a test can foresee: mean colours of a 4 x 4 grid, and letters."""

    def __init__(self) -> None:
        self.seen = 0

    def images(self, images: Sequence[Image.Image]) -> Any:
        self.seen += len(images)
        x = np.stack(
            [np.asarray(i.resize((4, 4), Image.Resampling.BOX), dtype=np.float32).ravel() - 128 for i in images]
        )
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    def texts(self, texts: Sequence[str]) -> Any:
        x = np.array([[text.count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts], dtype=np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True)


def picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize((96, 96), Image.Resampling.NEAREST)


def save(path: Path, seed: int, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path, **options)


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def built(place: Path, out: Path, clip: Colours | None = None, **options: Any) -> list[dict[str, Any]]:
    build(sources(place, "CC BY 4.0"), out, clip or Colours(), lambda _: "brown skin", "x", **options)
    return json.loads((out / "cases.json").read_text())


def test_a_folder_keeps_licences_drops_metadata_and_finds_duplicates(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe, born 1961"
    save(tmp_path / "in" / "Acne_Vulgaris" / "a.png", 1, exif=exif)
    save(tmp_path / "in" / "Acne_Vulgaris" / "copy.png", 1)
    save(tmp_path / "in" / "Acne_Vulgaris" / "compressed again.jpg", 1, quality=60)
    save(tmp_path / "in" / "psoriasis" / "b.jpg", 2, exif=exif)
    (tmp_path / "in" / "psoriasis" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "in" / "psoriasis" / "LICENCE").write_text("CC0 1.0\nmore words")
    rows = built(tmp_path / "in", tmp_path / "out")
    assert [(row["label"], row["licence"]) for row in rows] == [
        ("acne vulgaris", "CC BY 4.0"),
        ("psoriasis", "CC0 1.0"),
    ]
    assert set(rows[0]) == {"id", "label", "caption", "file", "skin_type", "licence"}
    files = list((tmp_path / "out" / "images").iterdir())
    assert len(files) == 2
    assert all(b"Jane" not in f.read_bytes() and not Image.open(f).getexif() for f in files)
    twins = list(csv.DictReader((tmp_path / "out" / "duplicates.csv").open()))
    assert sorted(row["how"] == "same pixels" for row in twins) == [False, True]
    assert "broken.jpg" in (tmp_path / "out" / "unreadable.csv").read_text()
    library = CaseLibrary(tmp_path / "out")
    hits = library.search(Colours().images([picture(2)])[0], Colours().texts(["psoriasis, brown skin"])[0])
    assert (hits[0].label, hits[0].similarity > 0.98, hits[0].file.is_file()) == ("psoriasis", True, True)


def test_a_build_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    for i in range(70):
        save(tmp_path / "in" / "acne" / f"{i:02d}.png", i)

    class Stops(Colours):
        def images(self, images: Sequence[Image.Image]) -> Any:
            if self.seen >= 64:
                raise KeyboardInterrupt
            return super().images(images)

    with pytest.raises(KeyboardInterrupt):
        built(tmp_path / "in", tmp_path / "out", Stops())
    assert not (tmp_path / "out").exists()
    rest, told = Colours(), []
    rows = built(tmp_path / "in", tmp_path / "out", rest, told=lambda done, total: told.append((done, total)))
    assert (len(rows), rest.seen, told) == (70, 6, [(32, 70), (64, 70), (70, 70)])
    with pytest.raises(SourceError, match="is there already"):
        built(tmp_path / "in", tmp_path / "out")


def test_other_models_do_not_go_on_with_old_work(tmp_path: Path) -> None:
    save(tmp_path / "in" / "acne" / "a.png", 1)
    found, clip = sources(tmp_path / "in", "CC0"), Colours()

    def stops(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(found, tmp_path / "out", clip, lambda _: "", "one encoder", stops)
    with pytest.raises(KeyboardInterrupt):
        build(found, tmp_path / "out", clip, lambda _: "", "another encoder", stops)
    build(found, tmp_path / "out", clip, lambda _: "red skin", "another encoder", captions_by="another captioner")
    assert clip.seen == 3
    assert made_by(tmp_path / "out") == "another encoder"


def test_fitzpatrick17k(tmp_path: Path) -> None:
    head = {"fitzpatrick_centaur": "", "nine_partition_label": "", "three_partition_label": "", "qc": "", "url": "u"}
    told = (("aa", 5, "psoriasis"), ("bb", -1, "lupus erythematosus"), ("cc", 2, "not downloaded"))
    rows = [
        {"md5hash": h, "fitzpatrick_scale": s, "label": n, "url_alphanum": f"http{h}.jpg", **head} for h, s, n in told
    ]
    save(tmp_path / "images" / "aa.jpg", 1)
    save(tmp_path / "images" / "httpbb.jpg", 2)
    found = sources(table(tmp_path / "fitzpatrick17k.csv", rows), None)
    assert [(s.label, s.skin_type) for s in found] == [("psoriasis", 5), ("lupus erythematosus", None)]
    assert all("BY-NC-SA" in s.licence for s in found)


def test_scin(tmp_path: Path) -> None:
    """The case's age, sex and own number are in the file and stay there."""
    cases = [{"case_id": "-1234567", "age_group": "AGE_40_TO_49", "sex_at_birth": "FEMALE",
              "image_1_path": "dataset/images/x.png", "image_2_path": "dataset/images/y.png", "image_3_path": ""},
             {"case_id": "99", "age_group": "", "sex_at_birth": "", "image_1_path": "dataset/images/x.png",
              "image_2_path": "", "image_3_path": ""}]  # fmt: skip
    labels = [{"case_id": "-1234567", "weighted_skin_condition_label": "{'Eczema': 0.33, 'Psoriasis': 0.67}",
               "dermatologist_fitzpatrick_skin_type_label_1": "FST4"},
              {"case_id": "99", "weighted_skin_condition_label": "{}",
               "dermatologist_fitzpatrick_skin_type_label_1": ""}]  # fmt: skip
    save(tmp_path / "dataset" / "images" / "x.png", 1)
    save(tmp_path / "dataset" / "images" / "y.png", 2)
    table(tmp_path / "scin_cases.csv", cases)
    with pytest.raises(SourceError, match=r"scin_labels.csv"):
        sources(tmp_path, None)
    table(tmp_path / "scin_labels.csv", labels)
    found = sources(tmp_path, None)
    assert [(s.label, s.skin_type, s.licence) for s in found] == [("psoriasis", 4, "SCIN Data Use License")] * 2
    out = tmp_path / "library"
    build(found, out, Colours(), lambda _: "", "x")
    said = (out / "cases.json").read_text()
    assert "1234567" not in said
    assert "FEMALE" not in said
    assert "AGE" not in said


def test_what_is_no_source_is_told(tmp_path: Path) -> None:
    save(tmp_path / "in" / "acne" / "a.png", 1)
    with pytest.raises(SourceError, match="--licence"):
        sources(tmp_path / "in", None)
    with pytest.raises(SourceError, match="neither Fitzpatrick17k"):
        sources(table(tmp_path / "x.csv", [{"a": 1}]), None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no pictures found"):
        sources(tmp_path / "empty", "CC0")


def test_filters_by_label_and_skin_type(tmp_path: Path) -> None:
    rows = [
        {"md5hash": f"{i:02d}", "fitzpatrick_scale": i % 6 + 1, "label": ("acne", "lupus")[i % 2]} for i in range(12)
    ]
    for i in range(12):
        save(tmp_path / f"{i:02d}.png", i)
    built(table(tmp_path / "f.csv", rows), tmp_path / "out")
    library, clip = CaseLibrary(tmp_path / "out"), Colours()
    query = clip.images([picture(0)])[0], clip.texts(["acne"])[0]
    both = library.search(*query, label="lupus", k=9, skin_type=2)
    assert {(library.rows[h.index]["label"], library.rows[h.index]["skin_type"]) for h in both} == {("lupus", 2)}
    assert len(both) == 2
    assert library.search(*query, label="lupus", skin_type=1) == []


def test_beyond_the_exact_search_an_index_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of 20 cases instead of 100,000."""
    for i in range(60):
        save(tmp_path / "in" / ("acne", "lupus")[i % 2] / f"{i:02d}.png", i)
    built(tmp_path / "in", tmp_path / "out")
    clip = Colours()
    exact = CaseLibrary(tmp_path / "out")
    monkeypatch.setattr(retrieve, "EXACT_UP_TO", 20)
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(caseindex.NoIndex, match="pip install faiss-cpu"):
        CaseLibrary(tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setattr(retrieve, "EXACT_UP_TO", 20)
    indexed = CaseLibrary(tmp_path / "out")
    for seed, label in ((3, None), (8, "acne"), (9, "lupus")):
        query = clip.images([picture(seed)])[0], clip.texts(["acne"])[0]
        ours, theirs = indexed.search(*query, label=label), exact.search(*query, label=label)
        assert [h.case_id for h in ours] == [h.case_id for h in theirs]
        assert [h.similarity for h in ours] == pytest.approx([h.similarity for h in theirs], abs=1e-5)


def test_the_command(tmp_path: Path) -> None:
    """With the embedded CLIP, without captions."""
    for i, label in enumerate(("psoriasis", "psoriasis", "ringworm of cats")):
        save(tmp_path / "in" / label / f"{i}.png", i)
    arguments = ["cases", "build", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--no-captions"]
    failed = CliRunner().invoke(app, arguments)
    assert failed.exit_code == 1
    assert "--licence" in failed.output
    done = CliRunner().invoke(app, [*arguments, "--licence", "CC0", "--near", "1.0"])
    assert done.exit_code == 0, done.output
    assert "3 cases" in done.output
    assert "ringworm of cats" in done.output
    library = CaseLibrary(tmp_path / "out")
    assert len(library.rows) == 3
    assert made_by(library.folder) == fingerprint(load_profile("phantom").folder("clip"))
