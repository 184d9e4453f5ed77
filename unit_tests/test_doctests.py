"""The examples in docstrings are correct."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import source_salesforce_bulk

# Importing the first runs the console script; the others need Spark, which is not installed here.
_NOT_IMPORTED = ("__main__", "spark.glue", "spark.data_source", "spark.spark_types")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(source_salesforce_bulk.__path__, "source_salesforce_bulk.")
    if not module.name.endswith(_NOT_IMPORTED)
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    """A runner that finds none would pass, too."""
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) >= 10
