"""The methods paragraph: exactly what was computed, from the data and from the code's own constants.

Nothing is said of what was not done: every sentence depends on the facts of results.json.
"""

from __future__ import annotations

from collections.abc import Iterator

from analysis.bootstrap import DRAWS
from analysis.facts import Facts
from analysis.friedman import EXACT_N
from analysis.model import StudyData

HASH_SHOWN = 12


def paragraph(data: StudyData, facts: Facts) -> str:
    """Plain text, ready for a methods section."""
    return " ".join([*_design(data), *_tests(data, facts), *_sources(data, facts)])


def _design(data: StudyData) -> Iterator[str]:
    systems = ", ".join(condition.label for condition in data.conditions)
    gone = ", ".join(f"{number} {reason}" for reason, number in data.left_out.items()) or "nobody"
    yield f"{data.n} participants completed the study and were analysed (left out: {gone})."
    if data.repeated_items and len(data.conditions) > 1:
        how = "Each participant rated one" if data.between else "Each participant rated every one"
        yield f"{how} of {len(data.conditions)} systems ({systems}) on {_items(len(data.repeated_items))}."
        arms = len(set(data.sequences.values()))
        if not data.between and arms > 1:
            yield f"The order of the systems followed {arms} sequences."
    if data.single_items:
        yield f"{_items(len(data.single_items)).capitalize()} {_were(len(data.single_items))} rated once."
    if data.bad_rows:
        yield f"{len(data.bad_rows)} ratings that cannot be right were left out."
    if data.simulated:
        yield "THE ANSWERS WERE SIMULATED."


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
    tested = [item for item in facts["items"].values() if item.get("friedman") is not None]
    if not tested:
        return
    exact = sum(item["friedman"]["p_exact"] is not None for item in tested)
    pairs = [pair for item in tested for pair in item["pairs"].values()]
    exact_pairs = sum(pair["p_exact"] is not None for pair in pairs)
    yield (
        "Systems were compared with the tie-corrected Friedman test over participants with an answer in every system "
        f"(exact p conditional on ties in {exact} of {len(tested)} items, attempted up to n = {EXACT_N} for three "
        "systems, else the chi-square approximation; Holm-corrected over items; Kendall's W)."
    )
    yield (
        "Pairs were compared with the Wilcoxon signed-rank test over participants with both answers: zero differences "
        f"dropped, exact p conditional on ties in {exact_pairs} of {len(pairs)} pairs, else the normal approximation "
        "without continuity correction; Holm-corrected over an item's pairs; matched-pairs rank-biserial correlation "
        "(W⁺ − W⁻) / (W⁺ + W⁻), difference = first minus second system."
    )
    yield (
        f"95% intervals of W and of the rank-biserial correlation are percentile intervals of {DRAWS:,} "
        f"bootstrap draws of participants (seed {facts['provenance']['bootstrap']['seed']})."
    )
    yield (
        "Sensitivity: Iman–Davenport F, Wilcoxon with Pratt's zeros (exact), repeated-measures ANOVA with the "
        "Greenhouse–Geisser correction and generalised η², paired t-tests, and a cumulative logit model with a random "
        "intercept per participant (10 adaptive Gauss–Hermite nodes, likelihood ratio over its degrees of freedom, "
        "read from F)."
    )
    if any(item.get("order") for item in tested):
        yield (
            "Period was examined with linear mixed models (Satterthwaite), with participants as fixed effects and by "
            f"Friedman's test; carry-over (the condition met before, {_known_by(data)}) with participants as fixed "
            "effects; sequence by the Kruskal–Wallis test. They gate no other test."
        )
    if facts["exclusions"]["with_and_without"]:
        yield "The omnibus tests were repeated with excluded participants put back in."


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
