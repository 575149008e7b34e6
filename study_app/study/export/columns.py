"""What every column of the tidy tables means. A test finds a column that is not described here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal["text", "integer", "number", "time", "json"]


@dataclass(frozen=True)
class Column:
    """``unit``: of a number. Empty where there is none."""

    kind: ColumnKind
    description: str
    unit: str = ""


TIME = "ISO-8601, UTC"
COLUMNS: dict[str, Column] = {
    "study": Column("text", "Id of the study"),
    "definition_hash": Column("text", "SHA-256 of the version of the study that the participant was given"),
    "run_kind": Column("text", "pilot (for trying out), live (the study itself) or reconstruction; never together"),
    "participant": Column("text", "Number of the participant"),
    "sequence": Column("text", "Conditions in the order drawn for the participant, joined by >"),
    "outcome": Column("text", "active, completed, abandoned, screened_out or excluded"),
    "period": Column("integer", "1 for the photo met first, and so on; a condition has as many periods as photos"),
    "condition": Column("text", "Key of the condition"),
    "item": Column("text", "Key of the item"),
    "construct": Column("text", "What the item measures"),
    "value": Column("number", "The answer that counts: the newest one"),
    "language": Column("text", "Language of the wording that was shown; empty where there was only one"),
    "answered_at": Column("time", f"When this answer was stored ({TIME})"),
    "duration_s": Column(
        "number",
        "From the page's appearance to this answer: items of a page share its clock, the largest is the time to its "
        "last answer",
        "s",
    ),
    "changes": Column("integer", "How often the participant changed this answer"),
    "arrived_at": Column("time", f"First visit ({TIME})"),
    "consented_at": Column("time", f"Agreed to take part ({TIME})"),
    "allocated_at": Column("time", f"The sequence was drawn ({TIME})"),
    "completed_at": Column("time", f"Finished the last step ({TIME})"),
    "withdrawn_at": Column("time", "Empty in an export: who withdrew is in no file but the counts of withdrawn.csv"),
    "demographics": Column("json", "Answers to the questions about the person: question -> stored value"),
    "exclusion_reason": Column("text", "Why a researcher took the participant out, or 'declined'"),
    "periods_finished": Column("integer", "How many periods, one a photo, the participant rated to the end"),
    "photo": Column("text", "SHA-256 of the photo"),
    "known_label": Column("text", "What the photo shows, as the participant said"),
    "diagnosis": Column("text", "What the assistant took the photo for; empty when it could not tell"),
    "assigned_case": Column("text", "Id of the assigned case; empty where photos are chosen"),
    "truth": Column("text", "What the assigned case shows, as the study declares it; among decisions, as a decision"),
    "initial": Column("text", "Decision before the explanation"),
    "initial_confidence": Column("integer", "Confidence in it, a point of the study's scale"),
    "advice": Column("text", "The assistant's diagnosis as a decision, or as it is where none of the options means it"),
    "final": Column("text", "Decision after the explanation"),
    "final_confidence": Column("integer", "Confidence in it, a point of the study's scale"),
    "question": Column("text", "What was asked; may be typed by the participant, read it before you pass it on"),
    "asked_at": Column("time", f"The question was sent ({TIME})"),
    "replied_at": Column("time", f"The answer was complete ({TIME})"),
    "response_s": Column(
        "number", "From the question to the last word of the answer, waiting in the queue included", "s"
    ),
    "started_at": Column("time", f"The photo was chosen ({TIME})"),
    "finished_at": Column("time", f"The participant went on to rate ({TIME})"),
    "manifest": Column("json", "How the explanation was made: models and hashes, prompts, seed, settings, latencies"),
    "photos_exchanged": Column("integer", "Photos given back after the assistant could not tell"),
    "choosing_again_s": Column("number", "Time of the exposure that went into choosing another photo", "s"),
    "wanted_at": Column("time", f"Another photo was asked for ({TIME})"),
    "exchanged_at": Column("time", f"The other photo was chosen ({TIME})"),
    "new_photo": Column("text", "SHA-256 of the photo that took its place"),
    "left_side": Column("text", "Side of the pair on the left, drawn at random; its value in the study file"),
    "right_side": Column("text", "Side of the pair on the right"),
    "chosen": Column("text", "Side that the participant chose; empty where none was, or prefer_not_to_say"),
    "chosen_place": Column("text", "Where the chosen side stood: left or right"),
    "step": Column("text", "Where it is asked: demographics, rating (after every condition) or final_items"),
    "kind": Column(
        "text",
        "Kind of item: likert, single, multiple, yes_no, number, slider, ranking, pairwise, short_text or long_text",
    ),
    "missing": Column("text", "Whether it may be left open: required, may_skip or prefer_not_to_say"),
    "options": Column(
        "json",
        "What can be chosen, in the study's order: value (as stored), label (as shown); empty for other kinds",
    ),
    "unit": Column("text", "Unit of a number that is asked for"),
    "position": Column("integer", "Place in the definition, from 1"),
    "wording": Column("text", "What participants read"),
    "scale_min": Column("integer", "Lowest point of the item's scale, or of the slider"),
    "scale_max": Column("integer", "Highest point of the item's scale, or of the slider"),
    "score": Column("text", "Key of the score; its values are in the wide file"),
    "method": Column("text", "mean or sum of the items' answers; no score where one of them is missing"),
    "items": Column("json", "Keys of the items that the score is made of"),
    "reverse": Column("json", "Those of them that count as scale_min + scale_max - answer"),
    "add": Column("number", "Added to the mean or sum"),
    "times": Column("number", "What that is multiplied by"),
    "repeated": Column("integer", "1: asked after every condition; 0: asked once"),
    "label": Column("text", "Name of the condition for the researcher; participants see a neutral one"),
    "comment": Column("text", "Free text; read it before you pass it on"),
    "role": Column("text", "Who wrote the message: participant or assistant"),
    "text": Column("text", "The message; free text, read it before you pass it on"),
    "at": Column("time", f"When the message was stored ({TIME})"),
    "key": Column("text", "simulated: 1 when the participants are simulated; database_id: names the database"),
    "withdrawn": Column("integer", "How many participants withdrew"),
    "of_these_consented": Column("integer", "How many of them had agreed to take part"),
    "of_these_allocated": Column("integer", "How many of them had a sequence"),
}
SPECIAL: dict[tuple[str, str], Column] = {
    ("meta", "value"): Column("text", "Value of the key"),
    ("scores", "label"): Column("text", "Name of the score"),
}


def describe(table: str, column: str) -> Column:
    """A column that nobody described is exported all the same."""
    return SPECIAL.get((table, column)) or COLUMNS.get(column) or Column("text", f"Column of the view {table}")
