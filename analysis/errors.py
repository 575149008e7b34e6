"""What can stop an analysis.

AnalysisError
├── InputError   the file cannot be analysed as it is: what is wrong, where, and what to do next
└── NoData       the file is fine, but nobody it holds may be counted yet
"""

from __future__ import annotations


class AnalysisError(Exception):
    """Base of everything this package raises on purpose."""


class InputError(AnalysisError):
    """The input is unreadable, incomplete or contradicts itself."""


class NoData(AnalysisError):
    """No completed participant of the asked kind."""
