"""The shape of the package, from its imports: nothing imports upwards, and reserved libraries stay in their folders.

A new folder needs a floor in FLOORS; a module that decides without doing anything belongs into PURE.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "source_salesforce_bulk"
ROOT = Path(__file__).parents[1]

# The floors, lowest first. A folder stands for everything in it; "" is the package's __init__.
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"salesforce"}),
    frozenset(
        {"allocation", "config", "config_keys", "config_values", "credentials_form", "form", "output", "signals"}
    ),
    frozenset({"pages", "deletions"}),
    frozenset({"formulas"}),
    frozenset({"extraction"}),
    frozenset({"registries"}),
    frozenset({"airbyte", "export", "tables"}),
    frozenset({"spark"}),
    frozenset({"run", "__main__", ""}),
)

# Modules without socket, file, clock, chance or thread.
PURE: frozenset[str] = frozenset(
    """
    config config_keys config_values credentials_form form
    export.blob_entries export.blob_progress
    export.run_attempts export.begin export.coverage export.layout export.manifest export.outcomes export.overview
    export.text_tables export.report_page export.run_story
    formulas formulas.value_ranges
    deletions deletions.audit deletions.delete_log deletions.id_sketch deletions.known_ids deletions.packed_ids
    deletions.tombstones
    extraction.cuts extraction.interleaving extraction.job_events extraction.plan extraction.selection
    extraction.new_fields extraction.policies extraction.query_job extraction.quota extraction.stream_state
    extraction.windows
    registries.field_ids spark.pushed_filters spark.read_options
    tables.intervals tables.row_marks tables.steps tables.table_failures tables.winners
    pages.arrangement pages.arrays pages.cells pages.csv_page pages.hashing pages.json_text pages.records
    pages.rest_rows pages.walk
    salesforce salesforce.asked salesforce.blobs
    salesforce.failure_evidence salesforce.login_failures salesforce.programs
    salesforce.refusals salesforce.bulk_api salesforce.describe salesforce.drift salesforce.error_bodies
    salesforce.exception_kinds salesforce.failure_kinds salesforce.failure_meanings
    salesforce.failure_table salesforce.failures salesforce.field_types salesforce.ids salesforce.job_log
    salesforce.oauth salesforce.object_hints salesforce.object_patterns salesforce.org_clock salesforce.rest_api
    salesforce.formulas salesforce.lanes salesforce.rest_query
    salesforce.retry salesforce.soql salesforce.wire
    """.split()
)

# Library (with everything in it) -> who may import it, as modules or packages. Libraries not named here are free.
RESERVED: Mapping[str, frozenset[str]] = {
    "airbyte_cdk": frozenset({"airbyte"}),
    "airbyte_protocol_models_dataclasses": frozenset(),
    "pyiceberg": frozenset({"tables"}),
    "boto3": frozenset({"registries", "export", "spark"}),
    "botocore": frozenset({"registries", "export", "spark"}),
    "py4j": frozenset({"spark.glue"}),
    "pyspark": frozenset({"spark.glue", "spark.data_source", "spark.spark_types"}),
    "awsglue": frozenset({"spark.glue"}),
}

# What Spark executors import, and what must not come along. (None of it may come along indirectly either.)
EXECUTOR_SIDE = (
    *("", "salesforce", "pages", "tables.row_marks"),
    *("spark.planned_pages", "spark.pushed_filters", "spark.table_pages"),
)
NOT_ON_EXECUTORS = ("airbyte_cdk", "pydantic", "boto3")

# What a pure module may not import: the network, files, processes, threads, clocks and chance.
IMPURE_LIBRARIES = frozenset(
    """
    aiohttp asyncio concurrent fcntl fileinput ftplib getpass glob http.client http.cookiejar http.server httpx
    importlib.resources linecache mmap multiprocessing os pathlib queue random requests sched secrets select selectors
    shelve shutil signal socket socketserver sqlite3 ssl subprocess tempfile threading time urllib.request urllib3 uuid
    """.split()
)
# ... or call: the clock hides in datetime and pendulum, files in a builtin.
IMPURE_BUILTINS = frozenset({"open", "input", "print"})
IMPURE_METHODS = frozenset({"now", "utcnow", "today"})

MAX_LINES = 400

MAX_PARAMETERS = 5

# Functions that may take more, each of them named at the call.
WIDE = frozenset(
    {
        ("salesforce.connections", "send"),  # requests' own signature
        ("salesforce.failures", "of"),  # a failure's facts, of which a caller knows one or two
        ("salesforce.job_log", "log_job"),  # a log line's facts, likewise
        ("extraction.window_log", "__call__"),
        ("extraction.metrics", "count"),  # counts by name, of which a caller adds one or two
    }
)

# The module of the console script bears the name that Airbyte gives it.
TWINS = frozenset({"run"})

# Test equipment and product know nothing of each other.
SIMULATED_ORG = "integration_tests.simulated_org"


@dataclass(frozen=True)
class Module:
    """One source file: ``name`` is dotted and relative to the package, "" for its __init__."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    def is_in(self, owner: str) -> bool:
        return is_within(self.name, owner)


def is_within(name: str, owner: str) -> bool:
    """Return whether ``name`` is ``owner`` or lies in it. Only the package's own __init__ is within ""."""
    return name == owner or (owner != "" and name.startswith(owner + "."))


def floor_of(name: str) -> int | None:
    """The floor of a module, counted from 1; None for a module that the table does not know."""
    for height, owners in enumerate(FLOORS, start=1):
        if any(is_within(name, owner) for owner in owners):
            return height
    return None


@cache
def read_modules(package: Path) -> dict[str, Module]:
    """Every Python file of the package by its dotted name."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        source = path.read_text(encoding="utf-8")
        modules[name] = Module(name, path, ast.parse(source), source.count("\n"))
    return modules


def imports_of(module: Module, modules: Mapping[str, Module], package: str = PACKAGE) -> Iterator[str]:
    """Absolute names of everything the module imports, anywhere in it: in functions and under TYPE_CHECKING too."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                base = absolute(module, source, level, package)
                for alias in names:
                    inner = f"{base}.{alias.name}"
                    # `from package import module` imports the module; `from module import name` the module before it.
                    if base.split(".")[0] != package or relative(inner, package) in modules:
                        yield inner
                    else:
                        yield base
            case ast.Call(func=ast.Name(id="__import__") | ast.Attribute(attr="import_module"), args=[argument, *_]):
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value
                else:
                    yield "<computed>"


def absolute(module: Module, source: str | None, level: int, package: str) -> str:
    """Return the module that `from <dots><source>` names inside ``module``."""
    if level == 0:
        return source or ""
    parts = [package, *filter(None, module.name.split("."))]
    up = level - 1 if module.path.name == "__init__.py" else level
    return ".".join([*parts[: len(parts) - up], *([source] if source else [])])


def relative(name: str, package: str = PACKAGE) -> str | None:
    """The package-relative form of an absolute name; None for another package's."""
    if name == package:
        return ""
    return name.removeprefix(f"{package}.") if name.startswith(f"{package}.") else None


def own_imports(module: Module, modules: Mapping[str, Module]) -> Iterator[str]:
    for name in imports_of(module, modules):
        inner = relative(name)
        if inner is not None and inner != module.name:
            yield inner


# The rules. Each yields one sentence per offence.


def unknown_modules(modules: Mapping[str, Module]) -> Iterator[str]:
    for name in modules:
        if floor_of(name) is None:
            yield f"{name}: has no floor; add it to FLOORS"


def upward_imports(modules: Mapping[str, Module]) -> Iterator[str]:
    for name, module in modules.items():
        floor = floor_of(name)
        for target in own_imports(module, modules):
            above = floor_of(target)
            if floor is not None and above is not None and target and above > floor:
                yield f"{name} (floor {floor}) imports {target} (floor {above})"


def sideways_imports(modules: Mapping[str, Module]) -> Iterator[str]:
    for name, module in modules.items():
        for target in own_imports(module, modules):
            folders = name.split(".")[0], target.split(".")[0]
            if set(folders) == {"airbyte", "export"}:
                yield f"{name} imports {target}; the two programs share only what lies below them"


def import_cycles(modules: Mapping[str, Module]) -> Iterator[str]:
    graph = {name: set(own_imports(module, modules)) - {""} for name, module in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield "cycle: " + " -> ".join(error.args[1])


def reserved_libraries(modules: Mapping[str, Module]) -> Iterator[str]:
    for name, module in modules.items():
        for target in imports_of(module, modules):
            for library, owners in RESERVED.items():
                if is_within(target, library) and not any(module.is_in(owner) for owner in owners):
                    yield f"{name} imports {library}, which only {sorted(owners)} may"


def heavy_imports_on_executors(modules: Mapping[str, Module]) -> Iterator[str]:
    for name, module in modules.items():
        if any(module.is_in(side) for side in EXECUTOR_SIDE):
            for target in imports_of(module, modules):
                if any(is_within(target, library) for library in NOT_ON_EXECUTORS):
                    yield f"{name} runs on executors and imports {target}"


def impure_code(modules: Mapping[str, Module]) -> Iterator[str]:
    for name, module in modules.items():
        if name not in PURE:
            continue
        for target in imports_of(module, modules):
            if any(is_within(target, library) for library in IMPURE_LIBRARIES):
                yield f"{name} is pure and imports {target}"
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(func=ast.Name(id=called)) if called in IMPURE_BUILTINS:
                    yield f"{name} is pure and calls {called}(), line {node.lineno}"
                case ast.Call(func=ast.Attribute(attr=called)) if called in IMPURE_METHODS:
                    yield f"{name} is pure and calls .{called}(), line {node.lineno}"


def computed_imports(modules: Mapping[str, Module]) -> Iterator[str]:
    for name, module in modules.items():
        if "<computed>" in imports_of(module, modules):
            yield f"{name} computes what it imports, so it cannot be checked"


def long_modules(modules: Mapping[str, Module]) -> Iterator[str]:
    for name, module in modules.items():
        if module.lines >= MAX_LINES:
            yield f"{name}: {module.lines} lines; a module has fewer than {MAX_LINES}"


def twin_names(modules: Mapping[str, Module]) -> Iterator[str]:
    names = Counter(name.rpartition(".")[2] for name, module in modules.items() if "__" not in module.path.stem)
    for name, times in names.items():
        if times > 1 and name not in TWINS:
            yield f"{times} modules are called {name}"


def many_parameters(modules: Mapping[str, Module]) -> Iterator[str]:
    """Dataclasses are the remedy, so their own constructors do not count."""
    for name, module in modules.items():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (name, node.name) not in WIDE:
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                wanted = [argument.arg for argument in given if argument.arg not in ("self", "cls")]
                if len(wanted) > MAX_PARAMETERS:
                    yield f"{name}.{node.name} takes {len(wanted)} parameters: {', '.join(wanted)}"


def imports_of_test_code(modules: Mapping[str, Module]) -> Iterator[str]:
    for name, module in modules.items():
        for target in imports_of(module, modules):
            if target.split(".")[0] in {"integration_tests", "unit_tests", "conftest", "pytest"}:
                yield f"{name} imports {target}"


Rule = Callable[[Mapping[str, Module]], Iterator[str]]

RULES: tuple[Rule, ...] = (
    unknown_modules,
    upward_imports,
    sideways_imports,
    import_cycles,
    reserved_libraries,
    heavy_imports_on_executors,
    impure_code,
    computed_imports,
    long_modules,
    twin_names,
    many_parameters,
    imports_of_test_code,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule):
    modules = read_modules(ROOT / PACKAGE)
    assert "salesforce" in modules  # the scan sees the package
    assert list(rule(modules)) == []


def test_executors_get_nothing_heavy_indirectly():
    modules = read_modules(ROOT / PACKAGE)
    names = [name for name, module in modules.items() if any(module.is_in(side) for side in EXECUTOR_SIDE)]
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module('.'.join(filter(None, ({PACKAGE!r}, name))))\n"
        f"print([name for name in {NOT_ON_EXECUTORS!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout.strip() == "[]"


def test_the_simulated_org_does_not_know_the_product():
    files = sorted((ROOT / SIMULATED_ORG.replace(".", "/")).rglob("*.py"))
    offences = []
    for path in files:
        module = Module(path.stem, path, ast.parse(path.read_text(encoding="utf-8")), 0)
        offences += [f"{path.name}: {name}" for name in imports_of(module, {}) if relative(name) is not None]
    assert offences == []


# Each rule, shown an offence: (rule, file, its text, what the complaint must mention).
OFFENCES = [
    (unknown_modules, "utils.py", "", "utils"),
    (unknown_modules, "shared/wire.py", "", "shared.wire"),
    (upward_imports, "salesforce/soql.py", "from source_salesforce_bulk.pages import fetch", "pages.fetch (floor 3)"),
    (upward_imports, "pages/fetch.py", "from ..extraction.reader import x", "extraction.reader (floor 5)"),
    (upward_imports, "salesforce/soql.py", "from ..extraction import reader", "extraction.reader (floor 5)"),
    (upward_imports, "salesforce/jobs.py", "def f():\n    import source_salesforce_bulk.config", "config (floor 2)"),
    (upward_imports, "salesforce/__init__.py", "from ..pages.fetch import send", "pages.fetch (floor 3)"),
    (
        upward_imports,
        "pages/fetch.py",
        "if TYPE_CHECKING:\n    from ..airbyte.source import x",
        "source (floor 7)",
    ),
    (sideways_imports, "export/run.py", "from ..airbyte.source import x", "airbyte.source"),
    (import_cycles, "salesforce/wire.py", "from . import soql", "cycle"),
    (reserved_libraries, "config.py", "import airbyte_cdk.models", "airbyte_cdk"),
    (reserved_libraries, "extraction/reader.py", "from airbyte_cdk import AirbyteMessage", "airbyte_cdk"),
    (reserved_libraries, "export/run.py", "from pyspark.sql import SparkSession", "pyspark"),
    (reserved_libraries, "airbyte/source.py", "import boto3", "boto3"),
    (heavy_imports_on_executors, "pages/lines.py", "from pydantic import BaseModel", "pydantic"),
    (heavy_imports_on_executors, "salesforce/jobs.py", "import boto3", "boto3"),
    (impure_code, "salesforce/soql.py", "import time", "time"),
    (impure_code, "salesforce/soql.py", "from http.client import HTTPResponse", "http.client"),
    (impure_code, "salesforce/soql.py", "from http import client", "http.client"),
    (impure_code, "salesforce/soql.py", "from urllib.request import urlopen", "urllib.request"),
    (impure_code, "pages/cells.py", "import threading", "threading"),
    (impure_code, "salesforce/soql.py", "from datetime import datetime\ndatetime.now()", ".now()"),
    (impure_code, "salesforce/soql.py", "open('x')", "open()"),
    (computed_imports, "salesforce/soql.py", "import importlib\nimportlib.import_module(name)", "soql"),
    (upward_imports, "salesforce/soql.py", "__import__('source_salesforce_bulk.run')", "run (floor 9)"),
    (long_modules, "salesforce/soql.py", "x = 1\n" * MAX_LINES, f"{MAX_LINES} lines"),
    (twin_names, "export/fetch.py", "", "fetch"),
    (many_parameters, "run.py", "def f(a, b, c, *, d, e, f): ...", "run.f takes 6 parameters: a, b, c, d, e, f"),
    (imports_of_test_code, "run.py", "from integration_tests import simulated_org", "integration_tests"),
]


@pytest.fixture
def package(tmp_path):
    """A small package that keeps every rule."""
    root = tmp_path / PACKAGE
    for path, text in {
        "__init__.py": "",
        "salesforce/__init__.py": "",
        "salesforce/wire.py": "from http import HTTPStatus\nfrom urllib.parse import quote\n",
        "salesforce/soql.py": "from .wire import quote\n",
        "salesforce/transport.py": "import requests\nfrom source_salesforce_bulk.salesforce.wire import quote\n",
        "config.py": "from pydantic import BaseModel\n",
        "pages/__init__.py": "",
        "pages/fetch.py": "from ..salesforce import transport\n",
        "extraction/__init__.py": "",
        "extraction/reader.py": "from ..pages import fetch\n",
        "airbyte/__init__.py": "",
        "airbyte/source.py": "import airbyte_cdk\nfrom .. import config\n",
        "export/__init__.py": "",
        "run.py": "from .airbyte.source import x\n",
        "spark/__init__.py": "",
        "spark/glue.py": "import pyspark, boto3\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_is_silent_about_a_package_that_keeps_it(rule, package):
    assert list(rule(read_modules(package))) == []


@pytest.mark.parametrize(
    ("rule", "path", "text", "mentions"), OFFENCES, ids=[f"{o[0].__name__}-{i}" for i, o in enumerate(OFFENCES)]
)
def test_a_rule_sees_the_offence(rule, path, text, mentions, package):
    (package / path).parent.mkdir(parents=True, exist_ok=True)
    (package / path).write_text(text, encoding="utf-8")
    complaints = list(rule(read_modules(package)))
    assert len(complaints) == 1
    assert mentions in complaints[0]


def test_every_rule_has_an_offence_that_it_sees():
    assert {offence[0] for offence in OFFENCES} == set(RULES)
