from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import SimulatedOrg

if TYPE_CHECKING:
    from integration_tests.aws import Aws


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg() as simulated:
        yield simulated


@pytest.fixture
def client(org: SimulatedOrg) -> OrgClient:
    return OrgClient(org)


@pytest.fixture(scope="session")
def _aws_account() -> Iterator[Aws]:
    from integration_tests.aws import simulated_aws  # noqa: PLC0415 - takes a second, and few tests need it

    with simulated_aws() as account:
        yield account


@pytest.fixture
def aws(_aws_account: Aws) -> Aws:
    """A simulated AWS account as it is at first."""
    _aws_account.reset()
    return _aws_account
