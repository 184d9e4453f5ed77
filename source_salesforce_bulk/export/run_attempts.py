"""The attempts of one run: the manifests that were written under the same run id. Pure.

A scheduler retries a run under its id. The first attempt writes ``<run id>.json``, the next ones ``<run id>.2.json``,
``<run id>.3.json`` and so on, each with the files that no manifest has named before. So the manifests of all runs
together name each file once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from source_salesforce_bulk.export.manifest import COMPLETE, highest_window, named_files

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attempts:
    """The manifests of earlier attempts. ``next_name`` is the first unused name."""

    next_name: str
    manifests: tuple[Manifest, ...] = ()

    @property
    def complete_objects(self) -> frozenset[str]:
        """The objects that an earlier attempt has exported completely."""
        return frozenset(
            str(entry.get("object"))
            for manifest in self.manifests
            for entry in _entries(manifest)
            if entry.get("status") == COMPLETE
        )

    def highest_window(self, run: str, object_name: str) -> int:
        """Return the highest window number among an object's files with this label; -1 if there is none."""
        entries = [entry for manifest in self.manifests for entry in _entries(manifest)]
        files = [file for entry in entries if entry.get("object") == object_name for file in named_files(entry)]
        return highest_window(run, files)


def read_attempts(run_id: str, manifest_of: Callable[[str], Manifest | None]) -> Attempts:
    """Return the attempts of a run. ``manifest_of`` returns the manifest of a name, or None.

    A manifest of another run whose id looks like an attempt of this run only makes that name unavailable.
    """
    found: list[Manifest] = []
    for name in manifest_names(run_id):
        manifest = manifest_of(name)
        if manifest is None:
            return Attempts(name, tuple(found))
        if manifest.get("run_id") == run_id:
            found.append(manifest)
    raise AssertionError("the names of manifests never end")


def manifest_names(run_id: str) -> Iterator[str]:
    """Yield the names of a run's manifests, in order.

    >>> from itertools import islice
    >>> list(islice(manifest_names("monday"), 3))
    ['monday', 'monday.2', 'monday.3']
    """
    yield run_id
    yield from (f"{run_id}.{number}" for number in count(2))


def _entries(manifest: Manifest) -> Sequence[Mapping[str, Any]]:
    entries = manifest.get("objects", ())
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
