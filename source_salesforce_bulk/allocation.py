"""Set up the C library's allocator for a process whose threads fill and pass on megabytes at a time.

By default, glibc gives each thread its own arena, and returns every large block to the system as soon as it is free.
For result pages that costs up to twice the memory, because no thread reuses the blocks of another, and a fifth more
processor time, because the system has to clear each block again. Two arenas are enough, because blocks are few and
large. Arrow's own pool would be a third one, so Arrow uses the C library as well.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, MutableMapping

# For each option of mallopt(3): its environment variable, its number, and its value here (arenas, bytes).
_SETTINGS = (
    ("MALLOC_ARENA_MAX", -8, 2),
    ("MALLOC_TRIM_THRESHOLD_", -1, 16 << 20),
    ("MALLOC_MMAP_THRESHOLD_", -3, 4 << 20),
)


def prepare_allocator(environment: MutableMapping[str, str], set_option: Callable[[int, int], object] | None) -> None:
    """Set the options that ``environment`` does not set, with ``set_option``. Called before the first thread starts.

    Arrow reads its variable from ``environment`` when it is imported.
    """
    environment.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    for name, option, value in _SETTINGS:
        if set_option is not None and name not in environment:
            set_option(option, value)


def prepare_this_process() -> None:
    """See :func:`prepare_allocator`. Without glibc, only Arrow is set up."""
    prepare_allocator(os.environ, getattr(ctypes.CDLL(None), "mallopt", None))
