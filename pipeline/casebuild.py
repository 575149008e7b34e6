"""`python -m pipeline cases build DIR|CSV --out DIR`: a case library of your own, in a folder that a profile may name.

Every picture is decoded and written anew without metadata. Work is kept batch by batch in ``OUT.building``; the same
command goes on where it stopped. The library appears under its name only when it is complete.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from pipeline.casefile import write_vectors
from pipeline.casesources import Source, SourceError, sources
from pipeline.photo import PhotoError, clean_photo
from pipeline.profile import ProfileError, load_profile

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Case libraries.")
Vectors = NDArray[np.float32]
SIDE, BATCH = 512, 32
"""Pixels of the longer side of a kept picture; cases between two writes of the work done"""
NEAR = 0.985
"""Cosine of two pictures' embeddings from which on they count as the same; look at duplicates.csv for your cases"""


class Embedder(Protocol):
    """CLIP: unit vectors, (n, dim)."""

    def images(self, images: Sequence[Image.Image]) -> Vectors: ...

    def texts(self, texts: Sequence[str]) -> Vectors: ...


@dataclass(frozen=True)
class Built:
    """What became of the sources."""

    kept: int
    duplicates: int
    unreadable: int


@dataclass(frozen=True)
class Row:
    """One line of cases.json; nothing else of a case is kept."""

    id: str
    label: str
    caption: str
    file: str
    skin_type: int | None
    licence: str


def build(
    found: Sequence[Source],
    out: Path,
    clip: Embedder,
    caption: Callable[[Image.Image], str],
    clip_hash: str,
    told: Callable[[int, int], None] = lambda done, total: None,
    near: float = NEAR,
    captions_by: str = "",
) -> Built:
    """Embed, find duplicates and write ``out``. ``told``: sources done, of how many. Raises SourceError.

    ``clip_hash``: `fingerprint` of the encoder, which the library records. ``captions_by``: whose captions; work that
    another encoder or captioner began is not gone on with.
    """
    if out.exists():
        raise SourceError(f"{out} is there already; remove it or choose another folder")
    work = out.with_name(out.name + ".building")
    _begin(work, {"clip": clip_hash, "captions": captions_by}, found)
    for start in range(0, len(found), BATCH):
        part = work / f"part-{start:07d}.npz"
        if not part.is_file():
            _embed(found[start : start + BATCH], work, part, clip, caption)
        told(min(start + BATCH, len(found)), len(found))
    return _finish(work, out, near, clip_hash)


def _begin(work: Path, models: dict[str, str], found: Sequence[Source]) -> None:
    """Go on with earlier work only where its sources and its models are the same."""
    names = "\n".join(f"{s.file}\t{s.file.stat().st_size}\t{s.label}\t{s.skin_type}\t{s.licence}" for s in found)
    state = json.dumps({**models, "sources": hashlib.sha256(names.encode()).hexdigest()})
    if (work / "state.json").is_file() and (work / "state.json").read_text() != state:
        shutil.rmtree(work)
    (work / "images").mkdir(parents=True, exist_ok=True)
    (work / "state.json").write_text(state)


def _embed(
    found: Sequence[Source], work: Path, part: Path, clip: Embedder, caption: Callable[[Image.Image], str]
) -> None:
    rows, pictures, bad = [], [], []
    for source in found:
        try:
            clean = clean_photo(source.file.read_bytes(), SIDE)
        except (PhotoError, OSError) as error:
            bad.append([source.file.name, str(error)])
            continue
        picture = Image.open(io.BytesIO(clean.png)).convert("RGB")
        name = f"images/{clean.sha256[:20]}.jpg"
        picture.save(work / name, quality=90)
        rows.append(
            Row(f"C{clean.sha256[:12]}", source.label, caption(picture), name, source.skin_type, source.licence)
        )
        pictures.append(picture)
    texts = [f"{row.label}, {row.caption}".rstrip(", ") for row in rows]
    vectors = {"image": clip.images(pictures), "text": clip.texts(texts)} if rows else {}
    said = json.dumps({"rows": [asdict(row) for row in rows], "bad": bad})
    draft = part.with_suffix(".draft.npz")
    arrays: dict[str, Any] = {"said": np.array(said), **vectors}
    np.savez(draft, **arrays)
    draft.replace(part)  # a part is whole or not there


def _finish(work: Path, out: Path, near: float, clip_hash: str) -> Built:
    rows: list[dict[str, Any]] = []
    bad: list[list[str]] = []
    images, texts = [], []
    for part in sorted(work.glob("part-*.npz")):
        with np.load(part) as kept:
            said = json.loads(str(kept["said"]))
            bad += said["bad"]
            rows += said["rows"]
            if said["rows"]:
                images.append(kept["image"])
                texts.append(kept["text"])
    if not rows:
        raise SourceError(f"none of {len(bad)} pictures could be read; the first: {bad[0][1] if bad else 'no picture'}")
    image, text = np.concatenate(images), np.concatenate(texts)
    twins = duplicates([row["file"] for row in rows], image, near)
    chosen = [i for i in range(len(rows)) if i not in twins]
    _write(work, [rows[i] for i in chosen], image[chosen], text[chosen], clip_hash)
    _write_table(work / "duplicates.csv", ("case", "same as", "how", "labels"), [
        (rows[i]["file"], rows[j]["file"], how, f"{rows[i]['label']} / {rows[j]['label']}")
        for i, (j, how) in sorted(twins.items())
    ])  # fmt: skip
    _write_table(work / "unreadable.csv", ("file", "why"), bad)
    for gone in [*work.glob("part-*.npz"), work / "state.json"]:
        gone.unlink()
    work.rename(out)
    return Built(len(chosen), len(twins), len(bad))


def duplicates(names: Sequence[str], vectors: Vectors, near: float) -> dict[int, tuple[int, str]]:
    """place -> (place of the case before it that it repeats, "same pixels" or the cosine)."""
    first: dict[str, int] = {}
    kept: list[int] = []
    unlike = np.empty_like(vectors)  # the kept ones, side by side
    out: dict[int, tuple[int, str]] = {}
    for i, name in enumerate(names):
        if name in first:
            out[i] = (first[name], "same pixels")
            continue
        first[name] = i
        if kept:
            cosines = unlike[: len(kept)] @ vectors[i]
            best = int(np.argmax(cosines))
            if cosines[best] >= near:
                out[i] = (kept[best], f"{cosines[best]:.4f}")
                continue
        unlike[len(kept)] = vectors[i]
        kept.append(i)
    return out


def _write(folder: Path, rows: list[dict[str, Any]], image: Vectors, text: Vectors, clip_hash: str) -> None:
    wanted = {row["file"] for row in rows}
    for picture in (folder / "images").iterdir():
        if f"images/{picture.name}" not in wanted:
            picture.unlink()
    (folder / "cases.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    write_vectors(folder, image, text, clip_hash)


def _write_table(file: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([head, *rows])


@app.callback()
def _group() -> None:
    """Case libraries."""


@app.command("build")
def build_command(
    place: Annotated[Path, typer.Argument(exists=True, help="Folder (a subfolder per condition), or a CSV file.")],
    out: Annotated[Path, typer.Option(help="Folder of the library; made, must not be there.")],
    pictures: Annotated[Path | None, typer.Option(help="Folder of a CSV's pictures; else the CSV's own.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of pictures that do not name one.")] = None,
    captions: Annotated[bool, typer.Option(help="Describe every case with the profile's caption model.")] = True,
    near: Annotated[float, typer.Option(min=0.5, max=1, help="Cosine from which on two cases are the same.")] = NEAR,
    profile: Annotated[str, typer.Option(help="Whose CLIP (and caption model) to use.")] = "phantom",
) -> None:
    """Build a case library from Fitzpatrick17k, SCIN or a folder. Interrupted, the same command goes on."""
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    try:
        described = load_profile(profile)
        found = sources(place, licence, pictures)
        from pipeline.retrieve import ClipEmbedder
        from pipeline.weights import fingerprint

        clip = ClipEmbedder.load(described.folder("clip"), described.spec("clip"))
        clip_hash, captions_by = fingerprint(described.folder("clip")), described.name if captions else ""
        with Progress(*Progress.get_default_columns(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
            task = bar.add_task(f"{len(found)} pictures", total=len(found))
            say = _captioner(described) if captions else (lambda picture: "")
            built = build(
                found, out, clip, say, clip_hash, lambda done, _: bar.update(task, completed=done), near, captions_by
            )
    except (SourceError, ProfileError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{out}: {built.kept} cases; {built.duplicates} duplicates and {built.unreadable} unreadable left out")
    _tell_labels(found, {info.label for info in described.labels}, profile)


def _captioner(profile: Any) -> Callable[[Image.Image], str]:
    from pipeline.caption import Captioner

    return Captioner.of(profile).caption


def _tell_labels(found: Sequence[Source], known: set[str], profile: str) -> None:
    other = sorted({source.label for source in found} - known)
    if other:
        typer.echo(f"{len(other)} conditions that profile {profile} does not know: {', '.join(other[:8])}", err=True)
