"""The views the analysis reads (Contract 3 of the design), created anew by every migration.

Stamps are ISO-8601 UTC text. ``participant`` is the public id; tokens are in no view. Definitions are kept
as canonical JSON, and ``items`` and ``conditions`` read that JSON, so that there is one truth.

A period is one photo: where a participant meets several assigned cases in a condition, the condition has as many
periods, and ``ratings`` one row per participant, period and item; ``periods_finished`` of ``flow`` counts photos, too.
``decisions`` has the decisions before and after an explanation, with the advice and the truth as decisions. ``replies``
says how long each answer of an assistant took, from the question to its last word.

Where a photo was exchanged after "I cannot tell", ``exposures`` has the newest photo with the diagnosis and
manifest of that photo; started_at to finished_at is the whole exposure, of which choosing_again_s seconds went into
choosing (other photos, or to keep the one there was). The earlier photos are in ``photo_exchanges``, one row each.

``pairs`` has which of two was chosen, one row per pair that was shown, with the places that were drawn.

``ratings`` reads each definition once, not for every answer: a tenth of the time.

``questions`` and ``answers`` hold every item of every kind; ``items`` and ``ratings`` the statements rated on a scale
and the sliders, which the analysis reads; ``scores`` says how a score is made of them (`definition_parts.Score`). A
wording, and what an option is called, is that of the study's first language.
"""

from __future__ import annotations

FIRST_LANGUAGE = """coalesce(d.source ->> '$.languages[0]', 'en')"""


def _text(value: str, path: str) -> str:
    """A text of the study in its first language: it is one string, or one a language."""
    return f"""CASE json_type({value}, '{path}') WHEN 'object'
                    THEN ({value} -> '{path}') ->> ('$."' || {FIRST_LANGUAGE} || '"')
                    ELSE {value} ->> '{path}' END"""


WORDING = _text("i.value", "$.wording")
KIND = """coalesce(i.value ->> '$.kind', iif(i.value ->> '$.scale' IS NULL, 'single', 'likert'))"""
"""`definition_items.kind_of` in SQL."""
OPTIONS = f"""CASE {KIND}
               WHEN 'yes_no' THEN json_array(
                    json_object('value', 'yes', 'label', coalesce({_text("i.value", "$.label_yes")}, 'Yes')),
                    json_object('value', 'no', 'label', coalesce({_text("i.value", "$.label_no")}, 'No')))
               WHEN 'likert' THEN (
                    SELECT json_group_array(json_object(
                        'value', (d.source ->> ('$.scales.' || (i.value ->> '$.scale') || '.minimum')) + o.key,
                        'label', iif(o.type = 'object', o.value ->> ('$."' || {FIRST_LANGUAGE} || '"'), o.value)))
                    FROM json_each(d.source, '$.scales.' || (i.value ->> '$.scale') || '.labels') o)
               WHEN 'pairwise' THEN (
                    SELECT json_group_array(json_object(
                        'value', o.value ->> '$.value', 'label', coalesce({_text("o.value", "$.text")}, '')))
                    FROM json_each(i.value, '$.sides') o)
               ELSE (SELECT nullif(json_group_array(json_object(
                        'value', o.value ->> '$.value', 'label', {_text("o.value", "$.label")})), '[]')
                    FROM json_each(i.value, '$.options') o) END"""
"""What can be chosen, in the order of the study: [{"value": stored, "label": shown}, ...]; NULL where nothing is."""
UNIT = f"""coalesce({_text("i.value", "$.unit")}, '')"""

LOWEST = """(d.source ->> ('$.scales.' || (i.value ->> '$.scale') || '.minimum'))"""
"""The lowest point of a statement's scale."""
DECISION = """coalesce(d.source ->> '$.reliance.id', 'decision')"""


def _decided(suffix: str) -> str:
    """The newest answer to one question of the reliance step of exposure ``x``."""
    return f"""(SELECT nullif(a.value, '') FROM newest_answers a
                WHERE a.participant = x.participant AND a.period = x.period
                  AND a.item = {DECISION} || '_{suffix}')"""


def _as_decision(diagnosis: str) -> str:
    """`Reliance.option_of` in SQL; a diagnosis that none of the options means stays as it is."""
    return f"""coalesce((SELECT o.value ->> '$.value' FROM json_each(d.source, '$.reliance.options') o
                WHERE {diagnosis} IN (o.value ->> '$.value', replace(o.value ->> '$.value', '_', ' '))
                   OR EXISTS (SELECT 1 FROM json_each(o.value, '$.diagnoses') g WHERE g.value = {diagnosis})),
               {diagnosis})"""


VIEWS: dict[str, str] = {
    "questions": f"""
        SELECT d.hash AS definition_hash, d.study, 'demographics' AS step, i.key + 1 AS position,
               i.value ->> '$.id' AS item, {KIND} AS kind, {WORDING} AS wording,
               coalesce(i.value ->> '$.construct', '') AS construct,
               coalesce(i.value ->> '$.missing', 'required') AS missing, {OPTIONS} AS options, {UNIT} AS unit
        FROM definition d, json_each(d.source, '$.demographics') i
        UNION ALL
        SELECT d.hash, d.study, iif(coalesce(i.value ->> '$.repeated', 0), 'rating', 'final_items'), i.key + 1,
               i.value ->> '$.id', {KIND}, {WORDING}, coalesce(i.value ->> '$.construct', ''),
               coalesce(i.value ->> '$.missing', 'required'), {OPTIONS}, {UNIT}
        FROM definition d, json_each(d.source, '$.items') i""",
    "items": f"""
        SELECT d.hash AS definition_hash, d.study, i.key + 1 AS position,
               i.value ->> '$.id' AS item, {WORDING} AS wording,
               coalesce(i.value ->> '$.construct', '') AS construct,
               iif({KIND} = 'slider', i.value ->> '$.minimum', {LOWEST}) AS scale_min,
               iif({KIND} = 'slider', i.value ->> '$.maximum', {LOWEST} - 1 +
                   json_array_length(d.source, '$.scales.' || (i.value ->> '$.scale') || '.labels')) AS scale_max,
               coalesce(i.value ->> '$.repeated', 0) AS repeated, {KIND} AS kind
        FROM definition d, json_each(d.source, '$.items') i
        WHERE {KIND} IN ('likert', 'slider') AND i.value ->> '$.attention_check' IS NULL""",
    "scores": """
        SELECT d.hash AS definition_hash, d.study, s.key + 1 AS position, s.value ->> '$.id' AS score,
               s.value ->> '$.name' AS label, s.value ->> '$.method' AS method, s.value -> '$.items' AS items,
               s.value -> '$.reverse' AS reverse, s.value ->> '$.add' AS "add", s.value ->> '$.times' AS times,
               coalesce((SELECT i.value ->> '$.repeated' FROM json_each(d.source, '$.items') i
                         WHERE i.value ->> '$.id' = s.value ->> '$.items[0]'), 0) AS repeated
        FROM definition d, json_each(d.source, '$.scores') s""",
    "conditions": """
        SELECT d.hash AS definition_hash, d.study, c.key + 1 AS position,
               c.value ->> '$.key' AS condition, c.value ->> '$.label' AS label
        FROM definition d, json_each(d.source, '$.conditions') c""",
    "newest_answers": """
        SELECT * FROM answer a
        WHERE a.id = (SELECT max(b.id) FROM answer b
                      WHERE b.participant = a.participant AND b.item = a.item AND b.period IS a.period)""",
    "outcomes": """
        SELECT p.participant, d.study, p.definition_hash, p.run_kind, p.sequence,
               CASE WHEN p.status = 'active' AND p.last_seen < strftime('%Y-%m-%dT%H:%M:%fZ', 'now',
                         '-' || (d.source ->> '$.design.inactive_after_minutes') || ' minutes')
                    THEN 'abandoned' ELSE p.status END AS outcome
        FROM participant p JOIN definition d ON d.hash = p.definition_hash""",
    "ratings": """
        WITH rated AS MATERIALIZED (SELECT definition_hash, item, construct FROM items)
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, a.period, e.condition, a.item,
               i.construct, a.value, a.answered_at, a.duration_s
        FROM newest_answers a
        JOIN outcomes o ON o.participant = a.participant
        JOIN rated i ON i.definition_hash = o.definition_hash AND i.item = a.item
        LEFT JOIN exposure e ON e.participant = a.participant AND e.period = a.period
        WHERE typeof(a.value) IN ('integer', 'real')
        ORDER BY a.id""",
    "answers": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, a.period, e.condition,
               q.step, a.item, q.kind, a.value, a.language, a.answered_at, a.duration_s
        FROM newest_answers a
        JOIN outcomes o ON o.participant = a.participant
        JOIN questions q ON q.definition_hash = o.definition_hash AND q.item = a.item
        LEFT JOIN exposure e ON e.participant = a.participant AND e.period = a.period
        WHERE a.value <> ''""",
    "participants": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, o.outcome,
               p.arrived_at, p.completed_at,
               (SELECT json_group_object(a.item, a.value)
                FROM json_each(d.source, '$.demographics') q
                JOIN newest_answers a ON a.participant = p.participant AND a.item = q.value ->> '$.id'
                WHERE a.value <> '') AS demographics,
               p.exclusion_reason
        FROM outcomes o JOIN participant p ON p.participant = o.participant
        JOIN definition d ON d.hash = o.definition_hash""",
    "exposures": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, e.period, e.condition,
               e.photo, e.known_label, j.diagnosis ->> '$.label' AS diagnosis, e.started_at, e.finished_at,
               j.manifest,
               (SELECT count(*) FROM event x
                WHERE x.participant = e.participant AND x.kind = 'photo_exchanged'
                  AND x.data ->> '$.period' = e.period) AS photos_exchanged,
               (SELECT coalesce(round(sum(julianday(x.at) - julianday(x.data ->> '$.wanted_at')) * 86400, 2), 0)
                FROM event x
                WHERE x.participant = e.participant AND x.kind IN ('photo_exchanged', 'photo_kept')
                  AND x.data ->> '$.period' = e.period) AS choosing_again_s,
               k.data ->> ('$.cases[' || (e.period - 1) || ']') AS assigned_case,
               (SELECT c.value ->> '$.truth' FROM definition d, json_each(d.source, '$.photo.cases') c
                WHERE d.hash = o.definition_hash
                  AND c.value ->> '$.id' = k.data ->> ('$.cases[' || (e.period - 1) || ']')) AS truth
        FROM exposure e
        JOIN outcomes o ON o.participant = e.participant
        LEFT JOIN event k ON k.participant = e.participant AND k.kind = 'allocated'
        LEFT JOIN job j ON j.id = (SELECT min(first.id) FROM job first
                                   WHERE first.participant = e.participant AND first.period = e.period
                                     AND first.status = 'done' AND first.request ->> '$.photo' = e.photo)""",
    "decisions": f"""
        SELECT x.study, x.definition_hash, x.run_kind, x.participant, x.sequence, x.period, x.condition,
               x.assigned_case, {_decided("first")} AS initial, {_decided("first_confidence")} AS initial_confidence,
               {_as_decision("x.diagnosis")} AS advice, {_decided("final")} AS final,
               {_decided("final_confidence")} AS final_confidence, {_as_decision("x.truth")} AS truth
        FROM exposures x JOIN definition d ON d.hash = x.definition_hash
        WHERE d.source -> '$.reliance' IS NOT NULL""",
    "replies": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, j.period, e.condition,
               j.request ->> '$.question' AS question, j.created_at AS asked_at, j.finished_at AS replied_at,
               round((julianday(j.finished_at) - julianday(j.created_at)) * 86400, 3) AS response_s
        FROM job j
        JOIN exposure e ON e.participant = j.participant AND e.period = j.period
        JOIN outcomes o ON o.participant = j.participant
        WHERE j.status = 'done'""",
    "photo_exchanges": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, e.period, e.condition,
               x.data ->> '$.photo' AS photo, x.data ->> '$.known_label' AS known_label,
               x.data ->> '$.wanted_at' AS wanted_at,
               x.at AS exchanged_at, x.data ->> '$.new_photo' AS new_photo, j.manifest
        FROM event x
        JOIN exposure e ON e.participant = x.participant AND e.period = x.data ->> '$.period'
        JOIN outcomes o ON o.participant = e.participant
        LEFT JOIN job j ON j.id = (SELECT min(first.id) FROM job first
                                   WHERE first.participant = e.participant AND first.period = e.period
                                     AND first.status = 'done'
                                     AND first.request ->> '$.photo' = x.data ->> '$.photo')
        WHERE x.kind = 'photo_exchanged'""",
    "pairs": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, x.data ->> '$.period' AS period,
               e.condition, x.data ->> '$.item' AS item, x.data ->> '$.drawn[0]' AS left_side,
               x.data ->> '$.drawn[1]' AS right_side, nullif(a.value, '') AS chosen,
               CASE a.value WHEN x.data ->> '$.drawn[0]' THEN 'left' WHEN x.data ->> '$.drawn[1]' THEN 'right' END
                   AS chosen_place
        FROM event x
        JOIN outcomes o ON o.participant = x.participant
        LEFT JOIN exposure e ON e.participant = x.participant AND e.period = x.data ->> '$.period'
        LEFT JOIN newest_answers a ON a.participant = x.participant AND a.item = x.data ->> '$.item'
                                   AND a.period IS x.data ->> '$.period'
        WHERE x.kind = 'sides_drawn'""",
    "flow": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, p.arrived_at,
               p.consented_at, p.allocated_at,
               (SELECT count(*) FROM step_done s
                WHERE s.participant = p.participant AND s.step LIKE 'rating:%') AS periods_finished,
               p.completed_at, o.outcome, p.exclusion_reason, p.withdrawn_at
        FROM outcomes o JOIN participant p ON p.participant = o.participant""",
    "comments": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, a.value AS comment, a.answered_at
        FROM newest_answers a
        JOIN outcomes o ON o.participant = a.participant
        JOIN definition d ON d.hash = o.definition_hash AND a.item = d.source ->> '$.comments.id'
        WHERE a.value <> ''""",
    "conversations": """
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, t.period, e.condition,
               t.role, t.text, t.at, j.request ->> '$.photo' AS photo
        FROM turn t
        JOIN job j ON j.id = t.job
        JOIN outcomes o ON o.participant = t.participant
        JOIN exposure e ON e.participant = t.participant AND e.period = t.period""",
}
