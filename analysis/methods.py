"""The methods paragraph: exactly what was computed, from the data and from the code's own constants.

Nothing is said of what was not done: every sentence depends on the facts of results.json.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from analysis.bootstrap import DRAWS
from analysis.facts import Facts
from analysis.friedman import EXACT_N
from analysis.measures import SCORE, Item
from analysis.mixed_design import groups_of
from analysis.model import StudyData
from analysis.people import by_rule

HASH_SHOWN = 12


def paragraph(data: StudyData, facts: Facts) -> str:
    """Plain text, ready for a methods section."""
    return " ".join([*_design(data), *_scores(data), *_tests(data, facts), *_sources(data, facts)])


def _design(data: StudyData) -> Iterator[str]:
    systems = ", ".join(condition.label for condition in data.conditions)
    gone = ", ".join(f"{number} {reason}" for reason, number in by_rule(data.left_out).items()) or "nobody"
    yield f"{data.n} participants completed the study and were analysed (left out: {gone})."
    if data.repeated_items and len(data.conditions) > 1:
        compared = f"of {len(data.conditions)} systems ({systems}) on {_items(_rated(data.repeated_items))}"
        yield f"{_who_met_what(data)} {compared}."
        arms = len(set(data.sequences.values()))
        if not data.between and arms > 1:
            yield f"The order of the systems followed {arms} sequences."
    if once := _rated(data.single_items):
        yield f"{_items(once).capitalize()} {_were(once)} rated once."
    if data.bad_rows:
        yield f"{len(data.bad_rows)} ratings that cannot be right were left out."
    if data.simulated:
        yield "THE ANSWERS WERE SIMULATED."


def _who_met_what(data: StudyData) -> str:
    groups = Counter(groups_of(data).values())
    if groups:
        sizes = ", ".join(f"{number} {_joined(data, group)}" for group, number in sorted(groups.items()))
        return f"Groups of participants ({sizes}) each rated their own"
    return "Each participant rated one" if data.between else "Each participant rated every one"


def _joined(data: StudyData, group: str) -> str:
    """``text + cases`` in the labels of the conditions."""
    labels = {condition.key: condition.label for condition in data.conditions}
    return " and ".join(labels.get(key, key) for key in group.split(" + "))


def _scores(data: StudyData) -> Iterator[str]:
    for score in data.scores:
        yield f"{score.name} is a score: {score.rule} (none where an answer is missing)."
    tested = {item.key for item in data.tested_items}
    if len(data.conditions) > 1 and any(score.key in tested for score in data.scores):
        yield "Scores were compared between the systems, and the items that they are made of were not."


def _rated(items: Sequence[Item]) -> int:
    """How many of them participants answered: a score is computed."""
    return sum(item.kind != SCORE for item in items)


def _items(number: int) -> str:
    return "one item" if number == 1 else f"{number} items"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _tests(data: StudyData, facts: Facts) -> Iterator[str]:
    yield "Means are reported with the sample standard deviation (n − 1), rounded half up."
    if data.between:
        yield (
            "Systems were compared with the Kruskal–Wallis test and pairwise Mann–Whitney tests (p exact, "
            "conditional on ties, where the ways to deal the answers can be counted; "
            "Holm-corrected over an item's pairs; rank-biserial correlation)."
        )
    items = list(facts["items"].values())
    tested = [item for item in items if item.get("pairs")]
    if tested:
        yield from _omnibus(facts, [item["friedman"] for item in tested if item["friedman"]])
        yield from _pairs(facts, tested)
        yield from _sensitivity(data, facts, tested)
    if facts["exclusions"]["with_and_without"]:
        yield "The omnibus tests were repeated with excluded participants put back in."


def _omnibus(facts: Facts, friedman: list[Facts]) -> Iterator[str]:
    if facts["design"] == "mixed":
        yield (
            "Systems were compared over all groups with a linear mixed model of system and group, each given the "
            "other, with a random intercept per participant (F, Satterthwaite's degrees of freedom, not corrected over "
            "items; system × group on the systems that every group met)."
        )
        return
    exact = sum(test["p_exact"] is not None for test in friedman)
    yield (
        "Systems were compared with the tie-corrected Friedman test over participants with an answer in every system "
        f"(exact p conditional on ties in {exact} of {len(friedman)} items, attempted up to n = {EXACT_N} for three "
        "systems, else the chi-square approximation; Holm-corrected over items; Kendall's W)."
    )


def _pairs(facts: Facts, tested: list[Facts]) -> Iterator[str]:
    mixed = facts["design"] == "mixed"
    pairs = [pair for item in tested for pair in item["pairs"].values() if pair["n"] or not mixed]
    exact = sum(pair["p_exact"] is not None for pair in pairs)
    yield (
        "Pairs were compared with the Wilcoxon signed-rank test over participants with both answers: zero differences "
        f"dropped, exact p conditional on ties in {exact} of {len(pairs)} pairs, else the normal approximation "
        "without continuity correction; Holm-corrected over an item's pairs; matched-pairs rank-biserial correlation "
        "(W⁺ − W⁻) / (W⁺ + W⁻), difference = first minus second system."
    )
    if any(item["mixed_design"]["mann_whitney"] for item in tested if mixed):
        yield (
            "Systems that nobody met both of were compared between participants with the Mann–Whitney test (p exact, "
            "conditional on ties, where it can be counted; Holm-corrected over these pairs of an item)."
        )
    yield (
        f"95% intervals of {'' if mixed else 'W and of '}the rank-biserial correlation are percentile intervals of "
        f"{DRAWS:,} bootstrap draws of participants (seed {facts['provenance']['bootstrap']['seed']})."
    )


def _sensitivity(data: StudyData, facts: Facts, tested: list[Facts]) -> Iterator[str]:
    mixed = facts["design"] == "mixed"
    anova = ", repeated-measures ANOVA with the Greenhouse–Geisser correction and generalised η²,"
    yield (
        f"Sensitivity: {'' if mixed else 'Iman–Davenport F, '}Wilcoxon with Pratt's zeros (exact)"
        f"{'' if mixed else anova} and paired t-tests."
    )
    if any(item["clmm"] is not None for item in tested):
        yield (
            "Ratings on points of a scale were also examined with a cumulative logit model with a random intercept per "
            "participant (10 adaptive Gauss–Hermite nodes, likelihood ratio over its degrees of freedom, read from F)."
        )
    if any(item.get("order") for item in tested):
        yield (
            "Period was examined with linear mixed models (Satterthwaite), with participants as fixed effects and by "
            f"Friedman's test; carry-over (the condition met before, {_known_by(data)}) with participants as fixed "
            "effects; sequence by the Kruskal–Wallis test. They gate no other test."
        )


def _known_by(data: StudyData) -> str:
    return "by the sequence allocated" if data.allocated else "by the periods of the answers to any item"


def _sources(data: StudyData, facts: Facts) -> Iterator[str]:
    provenance = facts["provenance"]
    versions = ", ".join(f"{name} {number}" for name, number in provenance["versions"].items())
    yield f"Computed with {versions}."
    hashes = [value for value in data.definitions if value]
    if hashes:
        version = "version" if len(hashes) == 1 else "versions"
        yield f"Study definition “{data.study}”, {version} {', '.join(hashes)} (SHA-256); {data.run_kind} run."
    yield f"The analysed ratings have the SHA-256 {provenance['rows_sha256']}."
    if provenance["models"]:
        yield f"The explanations were made by {'; '.join(map(_model, provenance['models']))}."


def _model(model: Facts) -> str:
    weights = f", weights SHA-256 {model['sha256'][:HASH_SHOWN]}" if model["sha256"] else ""
    profile = f"profile {model['profile']}" if model["profile"] else "unknown profile"
    return f"{model['role']}: {model['id']} ({profile}{weights}, {model['exposures']} exposures)"
