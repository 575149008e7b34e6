"""Freed memory is kept where the C library is glibc, and nothing breaks where it is not."""

from __future__ import annotations

import ctypes
import sys

import pytest

from pipeline.training.memory import keep_freed_memory


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc")
def test_glibc_takes_the_setting() -> None:
    assert keep_freed_memory()


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
