"""Full refresh of an object whose rows are long texts, some 20,000 characters a row; a hundredth of the rows."""

from benchmarks.scenario import Scenario

_FIELDS = "\n".join(f"Text{number}__c textarea(131072)" for number in range(6))

SCENARIO = Scenario(
    "text-heavy: 6 long texts a row", "full_refresh", "Texts__c", _FIELDS, fraction=100, page_rows=1_000
)
