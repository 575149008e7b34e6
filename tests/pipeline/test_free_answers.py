"""A whole explanation in words from a model that answers freely, through the study's explainer, over the real door's
events: SkinGPT behind a server on loopback."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PIL import Image

from pipeline.diagnose import SkinGPT
from pipeline.explainers import SkinGENExplainer
from pipeline.profile import load_profile
from pipeline.reading import Reader
from pipeline.remote import RemoteError, RemoteModel
from pipeline.roles import Remote
from pipeline.types import DiagnosisMade, Event, Explained, ExplainRequest, TextDelta, event_from_json, event_to_json
from tests.pipeline import test_remote
from tests.pipeline.test_remote import Server

server = test_remote.server
REQUEST = ExplainRequest("k", "text", "0" * 64)


def explain(server: Server, request: ExplainRequest = REQUEST) -> list[Event]:
    profile = load_profile("remote")
    labels = [k.label for k in profile.knowledge]
    skingpt = SkinGPT(RemoteModel(Remote(server.url, "m", silence_s=5)), None, labels, Reader(labels))
    skingen = SimpleNamespace(
        profile=profile,
        skingpt=skingpt,
        look=skingpt.see,
        photo=lambda sha256: Image.new("RGB", (40, 30)),
        models={"diagnose": {"id": "m", "class": "remote", "sha256": "-"}},
        generator=SimpleNamespace(scheduler_name="none", precision="float32", remarks=[]),
    )
    return list(SkinGENExplainer(skingen, "text").explain(request))  # type: ignore[arg-type]


def test_a_free_answer_becomes_a_diagnosis_and_a_manifest(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_remote, "ANSWER", ("Most likely hives, ", "not psoriasis. ", "Or a mole."))
    events = explain(server)
    assert [event_from_json(event_to_json(event)) for event in events] == events, "it goes through the door"
    made = next(event for event in events if isinstance(event, DiagnosisMade)).diagnosis
    assert (made.label, made.lookalikes) == ("urticaria", ("nevocytic nevus",))
    assert isinstance(events[-1], Explained)
    assert events[-1].manifest.fallbacks == ()
    assert "not **psoriasis**" in "".join(event.text for event in events if isinstance(event, TextDelta))


def test_what_cannot_be_read_is_shown_and_recorded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_remote, "ANSWER", ("A red bump ", "on the skin."))
    events = explain(server)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "A red bump on the skin."
    assert isinstance(events[-1], Explained)
    assert events[-1].manifest.diagnosis is not None
    assert events[-1].manifest.diagnosis.label is None
    assert events[-1].manifest.fallbacks == ("unparsed: no condition was found in the answer",)
    assert len(server.asked) == 1, "look-alikes of nothing are not asked for"


def test_an_answer_that_was_cut_off_is_no_explanation(server: Server) -> None:
    server.trouble = ["cut"]
    with pytest.raises(RemoteError, match="cut off"):
        explain(server)
