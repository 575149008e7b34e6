"""Measurements of the whole against a named peer, both in the same run; they print and assert nothing."""

from pipeline.loading import wait_politely

wait_politely()  # before any module here imports torch: ours and the peer's threads wait as the product's do
