"""Where cases come from: a folder with a subfolder per condition, or the CSV files of Fitzpatrick17k and SCIN.

Of a row only the picture, the condition, the skin type and the licence are taken. Age, sex, place, symptoms and the
data set's own case numbers stay behind.
"""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".bmp", ".tif", ".tiff")
FITZPATRICK17K = "Fitzpatrick17k: CC BY-NC-SA 3.0; the pictures belong to their atlases"
SCIN = "SCIN Data Use License"


class SourceError(ValueError):
    """The folder or file cannot be read as cases; the message says what is wanted."""


@dataclass(frozen=True)
class Source:
    """One picture with its condition, before anything was read of it."""

    file: Path
    label: str
    skin_type: int | None
    """Fitzpatrick's, 1 to 6; None where nobody said"""
    licence: str


def sources(place: Path, licence: str | None, pictures: Path | None = None) -> list[Source]:
    """All cases of a folder or CSV file whose picture is there; ``pictures``: folder of a CSV's pictures.

    ``licence`` goes for all rows that do not name one. Raises SourceError.
    """
    if place.is_dir() and not list(place.glob("*.csv")):
        found = list(_folder(place, licence))
    else:
        found = list(_table(_one_csv(place), licence, pictures))
    if not found:
        raise SourceError(
            f"{place}: no pictures found; a subfolder per condition is wanted, or a CSV with its pictures"
        )
    return found


def _folder(place: Path, licence: str | None) -> Iterator[Source]:
    for folder in sorted(p for p in place.iterdir() if p.is_dir()):
        said = _licence_file(folder) or _licence_file(place) or licence
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES)
        if files and said is None:
            raise SourceError(f"{folder}: whose pictures are these? Give --licence, or put a file LICENCE there")
        for file in files:
            yield Source(file, _label(folder.name), None, str(said))


def _licence_file(folder: Path) -> str | None:
    for name in ("LICENCE", "LICENSE", "LICENCE.txt", "LICENSE.txt"):
        if (folder / name).is_file():
            return (folder / name).read_text().strip().splitlines()[0]
    return None


def _one_csv(place: Path) -> Path:
    if place.is_file():
        return place
    files = sorted(place.glob("*.csv"))
    chosen = [p for p in files if p.name == "scin_cases.csv"] or files
    if len(chosen) != 1:
        raise SourceError(f"{place}: holds {len(files)} CSV files; name the one that is meant")
    return chosen[0]


def _table(file: Path, licence: str | None, pictures: Path | None) -> Iterator[Source]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    columns = set(rows[0]) if rows else set()
    if {"md5hash", "label"} <= columns:
        yield from _fitzpatrick17k(rows, pictures or file.parent, licence)
    elif {"case_id", "image_1_path"} <= columns:
        yield from _scin(rows, file, pictures or file.parent, licence)
    else:
        raise SourceError(
            f"{file}: is neither Fitzpatrick17k (columns md5hash, label, fitzpatrick_scale) nor SCIN's scin_cases.csv "
            "(case_id, image_1_path); put the pictures into a subfolder per condition instead"
        )


def _fitzpatrick17k(rows: list[dict[str, str]], pictures: Path, licence: str | None) -> Iterator[Source]:
    there = {p.stem: p for p in pictures.rglob("*") if p.suffix.lower() in PICTURES}
    for row in rows:
        file = there.get(row["md5hash"]) or there.get(Path(row.get("url_alphanum") or "-").stem)
        if file is not None:
            said = row.get("licence") or row.get("license") or licence or FITZPATRICK17K
            yield Source(file, _label(row["label"]), _skin_type(row.get("fitzpatrick_scale")), said)


def _scin(rows: list[dict[str, str]], file: Path, pictures: Path, licence: str | None) -> Iterator[Source]:
    beside = file.with_name("scin_labels.csv")
    if not beside.is_file():
        raise SourceError(f"{file}: its diagnoses are in scin_labels.csv, which is not beside it")
    with beside.open(newline="", encoding="utf-8-sig") as opened:
        labels = {row["case_id"]: row for row in csv.DictReader(opened)}
    for row in rows:
        told = labels.get(row["case_id"], {})
        label = _most_likely(told.get("weighted_skin_condition_label", ""))
        if label is None:
            continue
        skin = _skin_type(told.get("dermatologist_fitzpatrick_skin_type_label_1"))
        for number in (1, 2, 3):
            path = row.get(f"image_{number}_path") or ""
            picture = next((p for p in (pictures / path, pictures / Path(path).name) if path and p.is_file()), None)
            if picture is not None:
                yield Source(picture, label, skin, row.get("licence") or licence or SCIN)


def _most_likely(weights: str) -> str | None:
    """SCIN's {'Eczema': 0.6, 'Psoriasis': 0.4}: the heaviest; None without a diagnosis."""
    try:
        found = ast.literal_eval(weights) if weights else {}
    except (ValueError, SyntaxError):
        found = {}
    return _label(max(found, key=lambda name: float(found[name]))) if isinstance(found, dict) and found else None


def _skin_type(said: str | None) -> int | None:
    number = re.search(r"[1-6]", said or "")
    return int(number[0]) if number and "-" not in str(said) else None  # Fitzpatrick17k writes -1 for unknown


def _label(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).lower()
