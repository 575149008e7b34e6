"""Sequences by the first letters of their conditions: short, and no two alike."""

from __future__ import annotations

from itertools import chain, combinations, permutations

from study_app.researcher.short_names import short_sequences

KEYS = ("words", "word", "wo", "w", "pictures", "photos", "photos_2", "cases")


def test_one_letter_where_it_is_enough_and_more_where_conditions_begin_alike() -> None:
    assert short_sequences(["text>cases>generated"]) == {"text>cases>generated": "T·C·G"}
    named = short_sequences(["words>pictures", "words>photos", "photos>words", "photos_2>photos"])
    assert list(named.values()) == ["W·Pi", "W·Photos", "Photos·W", "Photos_·Photos"]


def test_no_two_sequences_have_one_name() -> None:
    for some in chain.from_iterable(combinations(KEYS, n) for n in range(1, len(KEYS) + 1)):
        sequences = [">".join(order) for n in (1, 2) for order in permutations(some, n)]
        assert len(set(short_sequences(sequences).values())) == len(sequences)
