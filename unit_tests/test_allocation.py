from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from source_salesforce_bulk.allocation import prepare_allocator

GLIBC = getattr(ctypes.CDLL(None), "gnu_get_libc_version", None)


def test_each_option_is_set_once():
    calls: list[tuple[int, int]] = []
    environment: dict[str, str] = {}
    prepare_allocator(environment, lambda option, value: calls.append((option, value)))
    assert calls == [(-8, 2), (-1, 16 << 20), (-3, 4 << 20)]
    assert environment == {"ARROW_DEFAULT_MEMORY_POOL": "system"}


def test_the_environment_of_the_user_wins():
    calls: list[int] = []
    environment = {"ARROW_DEFAULT_MEMORY_POOL": "mimalloc", "MALLOC_ARENA_MAX": "8"}
    prepare_allocator(environment, lambda option, _: calls.append(option))
    assert calls == [-1, -3]
    assert environment["ARROW_DEFAULT_MEMORY_POOL"] == "mimalloc"


def test_without_glibc_only_arrow_is_set_up():
    environment: dict[str, str] = {}
    prepare_allocator(environment, None)
    assert environment == {"ARROW_DEFAULT_MEMORY_POOL": "system"}


@pytest.mark.skipif(GLIBC is None, reason="mallopt is an option of glibc")
def test_glibc_accepts_the_options():
    """mallopt returns 1 for an option that it knows."""
    code = (
        "import ctypes, os\nfrom source_salesforce_bulk.allocation import prepare_allocator\n"
        "results = []\nmallopt = ctypes.CDLL(None).mallopt\n"
        "prepare_allocator({}, lambda option, value: results.append(mallopt(option, value)))\nprint(results)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "[1, 1, 1]\n"
