"""Names of variables that SPSS, JASP and jamovi take.

SPSS: up to 64 bytes, the first a letter, then letters, digits and underscores (of what it allows, what the
others allow too), no underscore at the end, upper and lower case the same, and no reserved word (IBM SPSS
Statistics, "Variable names").
"""

from __future__ import annotations

import hashlib
import re

LONGEST = 64
RESERVED = frozenset(["all", "and", "by", "eq", "ge", "gt", "le", "lt", "ne", "not", "or", "to", "with"])


def safe_name(text: str, taken: set[str]) -> str:
    """``text`` as a name that is not in ``taken`` (lower case), which gets it added. The same calls in the same
    order give the same names."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "v"
    if not name[0].isalpha() or name.lower() in RESERVED:
        name = f"v_{name}"
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 9].rstrip('_')}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    stem, number = name, 1
    while name.lower() in taken:
        number += 1
        name = f"{stem[: LONGEST - 1 - len(str(number))]}_{number}"
    taken.add(name.lower())
    return name
