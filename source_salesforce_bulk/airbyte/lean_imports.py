"""Import the CDK quickly: parts that other connectors need are only created on demand.

``import airbyte_cdk`` takes longer than a small read, and most of that time is not needed by this connector:

- The package's ``__init__`` imports everything, including the engine of declarative connectors. Here the package starts
  empty. Its modules are imported by name, and ``__init__`` runs when an attribute of the package itself is used.
- ``airbyte_cdk.models`` builds a serializer for each type of message. The largest one takes half a second. Printing
  messages needs only ``dump``, which here walks the dataclasses. A serializer is built when another method is called.

The garbage collector pauses during the imports, because the objects that they create are never released.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from enum import Enum
from types import ModuleType
from typing import Any

import serpyco_rs

_CDK = "airbyte_cdk"


def import_entrypoint() -> None:
    """Import ``airbyte.entrypoint`` quickly; called before any other import of the CDK.

    If the modules of a release of the CDK cannot be imported before their package, all imports are undone.
    """
    before = set(sys.modules)
    try:
        with _lean_imports():
            importlib.import_module("source_salesforce_bulk.airbyte.entrypoint")
    except ImportError:
        for name in set(sys.modules) - before:
            if name.startswith((_CDK, __package__)):
                del sys.modules[name]


@contextmanager
def _lean_imports() -> Iterator[None]:
    gc.disable()
    serpyco_rs.Serializer = LazySerializer  # type: ignore[assignment,misc]
    try:
        if _CDK not in sys.modules:
            _start_without_contents(_CDK)
        yield
    finally:
        serpyco_rs.Serializer = LazySerializer.build  # type: ignore[misc]
        gc.freeze()
        gc.enable()


class LazySerializer:
    """A ``serpyco_rs.Serializer`` that leaves out None. It is built on the first use of anything but ``dump``."""

    build = serpyco_rs.Serializer

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._arguments = arguments
        self._options = options
        self._custom_type = options.get("custom_type_resolver") or (lambda _: None)

    def __class_getitem__(cls, _: object) -> type[LazySerializer]:
        """Return the class: the CDK annotates its serializers with their types."""
        return cls

    def dump(self, value: object) -> Any:
        """See ``serpyco_rs.Serializer``."""
        if is_dataclass(value):
            custom = self._custom_type(type(value))
            if custom is not None:
                return custom.serialize(value)
            named = ((field.name, getattr(value, field.name)) for field in fields(value))
            return {name: self.dump(content) for name, content in named if content is not None}
        if isinstance(value, dict):  # such as a record's data: its own nulls are left out, not those within its values
            return {name: content for name, content in value.items() if content is not None}
        if isinstance(value, list):
            return [self.dump(content) for content in value]
        return value.value if isinstance(value, Enum) else value

    def __getattr__(self, name: str) -> Any:
        built = LazySerializer.build(*self._arguments, **self._options)
        self.__dict__["load"] = built.load
        return getattr(built, name)


def _start_without_contents(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    package = importlib.util.module_from_spec(spec)
    package.__class__ = _PackageOnDemand
    sys.modules[name] = package


class _PackageOnDemand(ModuleType):
    """A package whose ``__init__`` runs when a missing attribute is used."""

    def __getattr__(self, name: str) -> Any:
        module = sys.modules.get(f"{self.__name__}.{name}")  # one that is still being imported
        if module is not None:
            return module
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec = self.__spec__
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(self)
        return getattr(self, name)
