"""Full refresh of an object of 500 fields, most of which hold something; a fiftieth of the rows."""

from benchmarks.scenario import Scenario

_KINDS = ("string(80)", "currency(18,2)", "picklist(New|Open|Closed)", "date", "boolean", "datetime", "int", "email")
_FIELDS = "\n".join(f"Field{number:03d}__c {_KINDS[number % len(_KINDS)]}" for number in range(500))

SCENARIO = Scenario("wide: 500 fields", "full_refresh", "Wide500__c", _FIELDS, fraction=50, page_rows=1_000)
