from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import SimulatedOrg


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg() as simulated:
        yield simulated


@pytest.fixture
def client(org: SimulatedOrg) -> OrgClient:
    return OrgClient(org)
