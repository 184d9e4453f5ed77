"""A wire-faithful stand-in for a Salesforce org: OAuth, REST discovery, limits and Bulk API 2.0 query jobs.

Test equipment, built from the API's facts alone. It shares nothing with the connector that is tested against it.
"""

from __future__ import annotations

from integration_tests.simulated_org.control import Control, LocalControl
from integration_tests.simulated_org.fault_kinds import KINDS
from integration_tests.simulated_org.faults import Fault
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.simulated import SimulatedOrg

__all__ = ["KINDS", "Control", "Fault", "LocalControl", "OrgSettings", "SimulatedOrg"]
