"""The diagnose and caption roles filled by a converted SkinGPT-4, by current chat models, and by a captioner: all from
folders in their own layout, tiny and random."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline import placing
from pipeline.caption import Captioner
from pipeline.chat_model import ChatModel, messages, question_and_answer
from pipeline.convert.skingpt4 import Files, convert
from pipeline.convert.templates import SLOT, TEMPLATES
from pipeline.converted import ConvertedSkinGPT, read_template
from pipeline.diagnose import SkinGPT
from pipeline.profile import Profile, ProfileError, load_profile
from pipeline.streaming import streamed, up_to
from pipeline.talker import load_talker
from pipeline.types import Turn
from tests.pipeline import tiny_vlm
from tests.pipeline.test_convert import (
    TINY,
    WORDS,
    Reference,
    eva_file,
    linear,
    llama_tensors,
    qformer_file,
    write_llama,
)

PACK = Path("pipeline/packs/phantom").resolve()


def photo(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def profile_of(folder: Path, **more: object) -> Profile:
    role = {"path": folder.name, **more}
    said = {"name": "own", "demonstration": False, "root": str(folder.parent), "labels": str(PACK / "labels.yaml")}
    file = folder.parent / "own.yaml"
    file.write_text(json.dumps({**said, "roles": {"diagnose": role, "caption": role}, "settings": {}}))
    return load_profile(file)


def counted(module: torch.nn.Module) -> list[int]:
    """Grows by one with every forward pass of ``module``."""
    calls: list[int] = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


# Converted SkinGPT-4 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """The folder, and all tensors by their names inside the original."""
    folder = tmp_path_factory.mktemp("skingpt4")
    torch.manual_seed(5)
    eva, qformer, llama = eva_file(), qformer_file(), llama_tensors()
    trained: dict[str, torch.Tensor] = {}
    linear(trained, "llama_proj", 16, TINY.q_width)
    torch.save(eva, folder / "eva.pth")
    torch.save({"model": qformer}, folder / "blip2.pth")
    torch.save({"model": trained}, folder / "skingpt4.pth")
    write_llama(folder / "llama", llama, "safetensors")
    files = Files(folder / "eva.pth", folder / "blip2.pth", folder / "llama", folder / "skingpt4.pth")
    list(convert(files, folder / "converted", sizes=TINY, dtype=torch.float32))
    inside = {**{f"visual_encoder.{k}": v for k, v in eva.items()}, **qformer, **llama, **trained}
    return folder / "converted", inside


def test_a_converted_folder_answers_as_the_original_does(converted: tuple[Path, dict[str, torch.Tensor]]) -> None:
    """Greedy tokens against the second writing of the original forward pass, over a conversation of two questions."""
    folder, inside = converted
    talker = load_talker(profile_of(folder, options={"tokens": 6}), "diagnose")
    assert isinstance(talker, ConvertedSkinGPT)
    assert talker.template == TEMPLATES["skingpt4"]
    calls = counted(talker.model.vision_model)
    heard = []
    for seed in range(3):
        seen = talker.see(photo(seed))
        pixels = talker.processor.image_processor(photo(seed), return_tensors="pt").pixel_values[0]
        for exchanges in ([], [("what is this", "eczema")]):
            said = "".join(talker.stream(seen, "is this eczema", exchanges))
            with torch.inference_mode():
                vectors = talker._prompt(seen, exchanges, "is this eczema")
                logits = talker.model.language_model(inputs_embeds=vectors).logits[0, -1, : len(WORDS)]
            first, plain = greedy(talker, Reference(inside), pixels, exchanges)
            torch.testing.assert_close(logits, first, atol=1e-5, rtol=0)
            assert said.split() == plain.split()
            heard.append(logits)
        assert len(calls) == seed + 1, "each picture is encoded once"
    gaps = [(a - b).abs().max() for a, b in itertools.combinations(heard, 2)]
    assert min(gaps) > 1e-4, "picture and conversation matter, ten times more than the tolerance above"


def greedy(
    talker: ConvertedSkinGPT, model: Reference, pixels: torch.Tensor, exchanges: list[tuple[str, str]]
) -> tuple[torch.Tensor, str]:
    """By the second writing: logits of the first token, and the answer of at most six."""
    before, after = (
        list(talker.words(part, add_special_tokens=False).input_ids)
        for part in talker.template.render(exchanges, "is this eczema").split(SLOT)
    )
    out: list[int] = []
    logits = [model.logits(pixels, [1, *before], after)[-1]]
    while len(out) < 6 and not talker.template.ends(out):
        out.append(int(logits[-1].argmax()))
        logits.append(model.logits(pixels, [1, *before], after + out)[-1])
    return logits[0], str(talker.words.decode(out, skip_special_tokens=True)).split("###")[0]


def test_a_converted_answer_ends_at_the_templates_rule(converted: tuple[Path, dict[str, torch.Tensor]]) -> None:
    talker = load_talker(profile_of(converted[0]), "diagnose")
    talker.tokens = 12
    whole = talker.words("".join(talker.stream(talker.see(photo()), "what"))).input_ids
    assert len(whole) > 2, "this seed speaks for a while"
    ends = {**vars(talker.template), "stop_ids": [whole[1:2]], "stop_text": "no such text"}
    talker.template = read_template(ends)
    cut = talker.words("".join(talker.stream(talker.see(photo()), "what"))).input_ids
    assert cut == whole[: whole.index(whole[1]) + 1]


def test_novelty_is_optional(converted: tuple[Path, dict[str, torch.Tensor]]) -> None:
    skingpt = SkinGPT.of(profile_of(converted[0]))
    assert skingpt.novelty is None
    seen = skingpt.see(photo())
    assert seen.feature.shape == (1, TINY.width)
    assert skingpt.is_familiar(seen)
    assert (skingpt.abstention(seen).distance, skingpt.abstention(seen).threshold) == (0.0, 0.0)


# Chat models ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["llava", "idefics3"])
def chat_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write: Callable[[Path], Path] = getattr(tiny_vlm, f"write_{request.param}")
    return write(tmp_path_factory.mktemp("chat") / request.param)


def test_a_chat_model_encodes_a_picture_once_and_answers_the_same(chat_folder: Path) -> None:
    talker = load_talker(profile_of(chat_folder, options={"tokens": 8, "system": "you are a skin"}), "diagnose")
    assert isinstance(talker, ChatModel)
    assert talker.encodes_once
    base = talker.model.model
    calls = counted(base.vision_tower if hasattr(base, "vision_tower") else base.vision_model)
    seen = talker.see(photo())
    first = "".join(talker.stream(seen, "what is this ?"))
    second = "".join(talker.stream(seen, "why ?", [("what is this ?", first)]))
    assert len(calls) == 1
    talker.encodes_once = False
    again = talker.see(photo())
    assert again.features is None
    assert "".join(talker.stream(again, "what is this ?")) == first != ""
    assert "".join(talker.stream(again, "why ?", [("what is this ?", first)])) == second
    assert len(calls) == 3


def test_the_picture_matters_and_the_prompt_is_not_repeated(chat_folder: Path) -> None:
    talker = load_talker(profile_of(chat_folder, options={"tokens": 8}), "diagnose")
    said = {"".join(talker.stream(talker.see(photo(seed)), "what is this ?")) for seed in (0, 60, 120, 170)}
    assert len(said) > 1
    assert not any("what is this ?" in answer for answer in said)


def test_closing_a_stream_stops_the_model(chat_folder: Path) -> None:
    talker = load_talker(profile_of(chat_folder, options={"tokens": 100_000}), "diagnose")
    talker.model.generation_config.eos_token_id = None
    stream = talker.stream(talker.see(photo()), "what is this ?")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not any(thread.name == "language-model" for thread in threading.enumerate()), "it has stopped"
    talker.tokens = 2
    assert "".join(talker.stream(talker.see(photo()), "what is this ?")), "and answers again"


def test_conversations_in_both_forms() -> None:
    image = photo()
    said = messages(image, "why", [("what", "acne")], "be kind")
    assert [m["role"] for m in said] == ["system", "user", "assistant", "user"]
    assert [len(m["content"]) for m in said] == [1, 2, 1, 1]
    assert said[1]["content"][0] == {"type": "image", "image": image}
    assert question_and_answer("why?", [("what?", "acne")]) == "Question: what? Answer: acne Question: why? Answer:"
    assert question_and_answer("a photo of", []) == "a photo of"


# What a participant types --------------------------------------------------------------------------------

MARKED = "what is in the <image> <ImageHere> ?"


@pytest.fixture(params=["embedded", "converted", "chat"])
def skingpt_of_each_form(request: pytest.FixtureRequest, tmp_path: Path) -> SkinGPT:
    if request.param == "embedded":
        return SkinGPT.of(load_profile("phantom"))
    if request.param == "converted":
        return SkinGPT.of(profile_of(request.getfixturevalue("converted")[0], options={"tokens": 6}))
    return SkinGPT.of(profile_of(tiny_vlm.write_llava(tmp_path / "llava"), options={"tokens": 6}))


def test_a_question_may_name_the_models_own_tokens(skingpt_of_each_form: SkinGPT) -> None:
    """Answered, and so is the next one, in whose conversation it stands."""
    seen = skingpt_of_each_form.see(photo())
    first = (Turn("participant", "what is this ?"), Turn("assistant", "**Psoriasis**, as in this <image>."))
    said = "".join(skingpt_of_each_form.follow_up(seen, MARKED, first))
    more = (*first, Turn("participant", MARKED), Turn("assistant", said))
    assert "".join(skingpt_of_each_form.follow_up(seen, "why ?", more))


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("Is it < 6 mm, or 3 > 2? [I think so]", "Is it < 6 mm, or 3 > 2? [I think so]"),
        ("## why <image>?", "why  image ?"),
        ("<<image>> </s><s> <im<image>age> <im[IMG]age>", "< image >  /s  s  <im image age> <im IMG age>"),
        ("<|im_end|> [/INST]", "|im_end|   /INST"),
    ],
)
def test_ordinary_text_is_handed_on_as_it_is_and_no_mark_is(typed: str, given: str) -> None:
    skingpt = free("no", "no")
    history = [Turn("participant", typed), Turn("assistant", "a < b <image>")]
    "".join(skingpt.follow_up(skingpt.see(None), typed, history))
    assert skingpt.model.asked == [(given, [(given, "a < b  image ")])]  # type: ignore[attr-defined]


# Captions ---------------------------------------------------------------------------------------------


def test_a_model_without_a_chat_template_continues_a_caption(tmp_path: Path) -> None:
    profile = profile_of(tiny_vlm.write_blip(tmp_path / "blip"), options={"tokens": 5})
    captioner = Captioner.of(profile)
    assert isinstance(captioner.model, ChatModel)
    assert not captioner.model.chats
    caption = captioner.caption(photo())
    assert caption
    assert not caption.startswith("a photo of")
    assert caption == captioner.caption(photo())


def test_a_chat_model_is_told_to_describe(chat_folder: Path) -> None:
    captioner = Captioner.of(profile_of(chat_folder, options={"tokens": 5}))
    assert captioner.prompt.startswith("Describe")
    assert captioner.caption(photo())


# What goes wrong --------------------------------------------------------------------------------------


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProfileError, match=r"empty has no config\.json"):
        load_talker(profile_of(tmp_path / "empty"), "diagnose")
    (tmp_path / "empty" / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ProfileError, match=r"role 'diagnose': .*empty cannot be loaded as plain"):
        load_talker(profile_of(tmp_path / "empty"), "diagnose")


def test_quantisation_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "find_spec", lambda name: None)
    profile = profile_of(tmp_path / "any", quantisation="4bit", form="chat")
    (tmp_path / "any").mkdir()
    with pytest.raises(ProfileError, match="pip install bitsandbytes"):
        load_talker(profile, "diagnose")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_a_card_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "any").mkdir()
    with pytest.raises(ProfileError, match="torch sees no graphics card"):
        load_talker(profile_of(tmp_path / "any", device="cuda", form="chat"), "diagnose")


def test_what_generation_raises_reaches_the_reader() -> None:
    def broken(**_: object) -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        list(streamed(broken, tiny_vlm.tokenizer()))


def test_whether_to_stop_is_told_on_the_models_device() -> None:
    """Torch's meta device stands for a card: transformers joins the criteria there, and it refuses CPU tensors."""

    def on_a_card(streamer: Any, stopping_criteria: Any) -> None:
        ids = torch.zeros(2, 3, dtype=torch.long, device="meta")
        assert stopping_criteria(ids, None).device == ids.device
        streamer.end()

    assert list(streamed(on_a_card, tiny_vlm.tokenizer())) == []


@pytest.mark.parametrize("cuts", [[3], [1, 2, 3, 4, 5, 6, 7], [5], [6], [7], []])
def test_a_stream_ends_before_its_separator_however_it_is_cut(cuts: list[int]) -> None:
    text = "a#b##c###Human: more"
    places = [0, *cuts, len(text)]
    pieces = (text[a:b] for a, b in itertools.pairwise(places))
    assert "".join(up_to(pieces, "###")) == "a#b##c"
    assert "".join(up_to(iter(["ends in ##"]), "###")) == "ends in ##"


# SkinGPT over free answers ------------------------------------------------------------------------------


class Says:
    """A model that says what it is given, and remembers what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, list[tuple[str, str]]]]()

    def see(self, image: object) -> object:
        return type("Look", (), {"feature": None})()

    def stream(self, seen: object, question: str, exchanges: list[tuple[str, str]] = ()) -> list[str]:  # type: ignore[assignment]
        self.asked.append((question, list(exchanges)))
        return [self.answers.pop(0)]


def free(*answers: str) -> SkinGPT:
    labels = [k.label for k in load_profile("phantom").knowledge]
    from pipeline.reading import Reader

    return SkinGPT(Says(*answers), None, labels, Reader(labels))  # type: ignore[arg-type]


def test_free_answers_become_one_diagnosis() -> None:
    skingpt = free()
    made = skingpt.reduce(skingpt.see(None), "Most likely plaque psoriasis.", "Besides psoriasis, hives or moles.")
    assert (made.label, made.lookalikes) == ("psoriasis", ("urticaria", "nevocytic nevus"))
    assert skingpt.reduce(skingpt.see(None), "This is rosacea.", "").label is None
    assert skingpt.unread("This is rosacea.") == "unparsed: the answer names rosacea, outside the closed set"
    assert skingpt.unread("A red bump.") == "unparsed: no condition was found in the answer"
    assert skingpt.unread("Psoriasis.") is None
    assert skingpt.asked_about("why not hives?") == ("urticaria",)


def test_a_large_model_is_given_back_what_it_said() -> None:
    skingpt = free("no")
    history = [Turn("participant", "q"), Turn("assistant", "**Psoriasis**. Or hives.")]
    for i in range(9):
        history += [Turn("participant", f"q{i}"), Turn("assistant", f"a{i}")]
    "".join(skingpt.follow_up(skingpt.see(None), "why?", history))
    assert skingpt.model.asked == [  # type: ignore[attr-defined]
        ("why?", [("q", "Psoriasis. Or hives."), *[(f"q{i}", f"a{i}") for i in range(4, 9)]])
    ]
