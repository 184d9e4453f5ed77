"""One module per scenario; each has a ``SCENARIO``. A new module in this package is measured without further ado."""

from __future__ import annotations

import importlib
import pkgutil

from benchmarks.scenario import Scenario


def all_scenarios() -> dict[str, Scenario]:
    """Every scenario by its name, in the order of their modules' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}").SCENARIO for name in names]
    return {scenario.name: scenario for scenario in found}
