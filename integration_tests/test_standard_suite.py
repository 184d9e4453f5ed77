"""The CDK's own suite for connectors, driven by ``acceptance-test-config.yml``, against a simulated org.

The suite reads its configurations below ``secrets/``, which is never in the repository. So the tests copy the two files
it needs to a temporary directory and write the configurations there.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase

from integration_tests.simulated_org import OrgSettings, SimulatedOrg

ROOT = Path(__file__).resolve().parents[1]
_DIRECTORY = tempfile.TemporaryDirectory(prefix="standard-suite-")


def connector_root() -> Path:
    """A directory that looks like the connector's to the suite; the suite takes the connector's name from its own."""
    root = Path(_DIRECTORY.name) / "source-salesforce-bulk"
    if not root.exists():
        (root / "secrets").mkdir(parents=True)
        for name in ("acceptance-test-config.yml", "metadata.yaml"):
            shutil.copy(ROOT / name, root)
    return root


@pytest.fixture(scope="module", autouse=True)
def configurations() -> Iterator[None]:
    """Write the content of ``secrets/`` for this org. The suite's basic read requires a row of every stream it sees."""
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as org:
        config = {
            "credentials": org.credentials(),
            "login_url": org.url,
            # Without rows; refused by Bulk whatever discovery hopes.
            "exclude_objects": ["Empty__c", "OrgWideRole", "Wide__c"],
        }
        wrong = {**config, "credentials": {**org.credentials(), "refresh_token": "revoked.refresh.token.0001"}}
        for name, content in (("config.json", config), ("invalid_config.json", wrong)):
            (connector_root() / "secrets" / name).write_text(json.dumps(content), encoding="utf-8")
        yield
    _DIRECTORY.cleanup()


class TestStandardSuite(SourceTestSuiteBase):
    """Every test of the suite that needs no image; those are run by `make image`'s own tests."""

    test_docker_image_build_and_spec: ClassVar[None] = None
    test_docker_image_spec_backward_compatibility: ClassVar[None] = None
    test_docker_image_build_and_check: ClassVar[None] = None
    test_docker_image_build_and_config_matches_spec: ClassVar[None] = None
    test_docker_image_build_and_discover: ClassVar[None] = None
    test_docker_image_build_and_read: ClassVar[None] = None

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return connector_root()
