"""Measurements of the whole against a named peer, both in the same run; they print and assert nothing."""
