"""The code blocks of the documentation: how each is tested, or the reason why it is not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, without the indentation that lists give it."""

    page: str
    language: str
    text: str

    @property
    def first_line(self) -> str:
        """Its identifier."""
        return self.text.partition("\n")[0]


TRIED = {
    ("README.md", "sh"): "integration_tests/test_readme.py",
    ("docs/airbyte-protocol.md", "sh"): "integration_tests/test_readme.py",
    ("docs/export.md", "sh"): "integration_tests/test_documents.py",
    ("docs/export.md", "yaml"): "integration_tests/test_documents.py",
    ("docs/first-export.md", "sh"): "integration_tests/test_readme.py",
    ("docs/glue.md", "sh"): "integration_tests/test_documents.py",
    ("docs/iceberg.md", "python"): "integration_tests/test_documents.py",
    ("docs/iceberg.md", "sh"): "integration_tests/test_documents.py",
    ("docs/nat-allowlist.md", "sh"): "integration_tests/test_documents.py",
    ("docs/salesforce-bulk.md", "sh"): "integration_tests/test_documents.py",
    ("docs/sandbox.md", "json"): "integration_tests/test_sandbox_suite.py",
    ("docs/scheduling.md", "crontab"): "unit_tests/test_scheduling_page.py",
    ("docs/spark.md", "python"): "integration_tests/certify_spark_source.py",
    ("docs/tables.md", "python"): "integration_tests/test_tables.py",
    ("integration_tests/simulated_org/README.md", "python"): "integration_tests/test_documents.py",
}
"""Page and language -> the test module that runs such blocks, where ``NOT_RUN`` does not name them."""

_SERVES = "it serves until Ctrl-C; the tests start the same org in their own process"
_INSTALLS = "it installs from a package registry, as set-up did before these tests could run"
_REAL_ORG = "it needs an org of Salesforce"
_BY_HAND = "it needs the scheduler; the page says with which version it was tried by hand"
_QUERY_ENGINE = "it needs a query engine with a catalog: Athena, Spark, Snowflake or Databricks"
NOT_RUN = {
    "make demo    # see it work: about a minute, half of it set-up": "the second line is these tests",
    ".venv/bin/python -m integration_tests.simulated_org --port 8080": _SERVES,
    "python -m integration_tests.simulated_org --port 0": _SERVES,
    "python3 -m venv .venv": _INSTALLS,
    "python3 -m venv .venv && .venv/bin/pip install '.[export]'": _INSTALLS,
    "python3 -m venv .venv-notebook": _INSTALLS,
    "import airbyte": "PyAirbyte has an environment of its own: `make pyairbyte-test` does the same there",
    "curl https://login.salesforce.com/services/oauth2/token -d grant_type=authorization_code \\": _REAL_ORG,
    "import re": _BY_HAND,
    "import subprocess": _BY_HAND,
    "WITH named AS (": _QUERY_ENGINE,
    "pip install '.[export,tables]'": _INSTALLS,
    "export PYICEBERG_CATALOG__LAKE__TYPE=glue": "it needs an AWS account",
    "SELECT industry, count(*) FROM salesforce.account GROUP BY 1;": _QUERY_ENGINE,
    "SELECT * FROM salesforce.account_history": _QUERY_ENGINE,
    "SELECT Industry, count(*) FROM lake.salesforce.account GROUP BY 1;": _QUERY_ENGINE,
    "CREATE ICEBERG TABLE account": _QUERY_ENGINE,
}
"""The first line of a block that no test runs -> why."""

RUN_BY_OTHERS = ("json", "mermaid", "text")
"""Languages that are no commands: configurations are tried by ``test_user_documentation``, the others are pictures."""


def pages() -> list[str]:
    """Every page that the repository holds."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page."""
    for indentation, language, text in _FENCED.findall((ROOT / page).read_text(encoding="utf-8")):
        yield Block(page, language, re.sub(f"^{indentation}", "", text, flags=re.MULTILINE))


def runnable(page: str, language: str) -> list[str]:
    """The texts of the blocks that are to be run."""
    found = [block for block in blocks(page) if block.language == language]
    return [block.text for block in found if block.first_line not in NOT_RUN]
