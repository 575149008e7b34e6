"""What can go wrong in an export."""

from __future__ import annotations


class ExportError(RuntimeError):
    """What was written is not what the database holds. Nothing was exported."""
