from __future__ import annotations

import gzip

import pytest
import requests

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

DESCRIBE_KEYS = """actionOverrides activateable associateEntityType associateParentEntity childRelationships
compactLayoutable createable custom customSetting deepCloneable defaultImplementation deletable deprecatedAndHidden
extendedBy extendsInterfaces feedEnabled fields hasSubtypes implementedBy implementsInterfaces isInterface isSubtype
keyPrefix label labelPlural layoutable listviewable lookupLayoutable mergeable mruEnabled name namedLayoutInfos
networkScopeFieldName queryable recordTypeInfos replicateable retrieveable searchLayoutable searchable
sobjectDescribeOption supportedScopes triggerable undeletable updateable urls""".split()
FIELD_KEYS = """aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete
caseSensitive compoundFieldName controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate
dependentPicklist deprecatedAndHidden digits displayLocationInDecimal encrypted externalId extraTypeInfo filterable
filteredLookupInfo formulaTreatNullNumberAsZero groupable highScaleNumber htmlFormatted idLookup inlineHelpText label
length mask maskType name nameField namePointing nillable permissionable picklistValues polymorphicForeignKey precision
queryByDistance referenceTargetField referenceTo relationshipName relationshipOrder restrictedDelete restrictedPicklist
scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead""".split()


def test_versions_need_no_session_and_cost_nothing(org: SimulatedOrg) -> None:
    answer = requests.get(f"{org.url}/services/data", timeout=20)
    versions = [one["version"] for one in answer.json()]
    assert {f"{number}.0" for number in range(58, 68)} <= set(versions)
    assert set(answer.json()[0]) == {"label", "url", "version"}
    assert "Sforce-Limit-Info" not in answer.headers
    assert org.control.limits()["DailyApiRequests"] == {"Max": 5_000_000, "Remaining": 5_000_000}


def test_every_other_answer_counts_and_says_so(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(limit_info_lag=(0,))
    first, second = client.get("limits"), client.get("sobjects")
    assert first.headers["Sforce-Limit-Info"] == "api-usage=1/5000000"
    assert second.headers["Sforce-Limit-Info"] == "api-usage=2/5000000"
    assert first.json()["DailyApiRequests"]["Remaining"] == 4_999_999
    assert {"DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB"} <= set(first.json())


def test_exhausted_api_calls_are_refused(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.set_limit("DailyApiRequests", remaining=1)
    assert client.get("limits").status_code == 200
    refused = client.get("limits")
    assert refused.status_code == 403
    assert refused.json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_global_describe(client: OrgClient) -> None:
    body = client.get("sobjects").json()
    assert set(body) == {"encoding", "maxBatchSize", "sobjects"}
    by_name = {one["name"]: one for one in body["sobjects"]}
    assert not by_name["AccountChangeEvent"]["queryable"]
    assert by_name["OldWidget__c"]["deprecatedAndHidden"]
    assert by_name["Config__c"]["customSetting"]
    assert by_name["AccountHistory"]["associateEntityType"] == "History"
    assert by_name["CaseStatus"]["queryable"]
    prefixes = [one["keyPrefix"] for one in body["sobjects"] if one["keyPrefix"]]
    assert len(prefixes) == len(set(prefixes))


@pytest.mark.parametrize("name", ["Account", "Awkward__c", "Wide__c", "AccountHistory"])
def test_describe_has_the_recorded_keys(client: OrgClient, name: str) -> None:
    body = client.get(f"sobjects/{name}/describe").json()
    assert sorted(body) == sorted(DESCRIBE_KEYS)
    for field in body["fields"]:
        assert sorted(field) == sorted(FIELD_KEYS)


def test_describe_of_special_objects(client: OrgClient) -> None:
    def fields(name: str) -> dict[str, dict[str, object]]:
        return {one["name"]: one for one in client.get(f"sobjects/{name}/describe").json()["fields"]}

    assert len(fields("Wide__c")) > 500
    assert "SystemModstamp" not in fields("AccountShare")
    assert "LastModifiedDate" not in fields("AccountHistory")
    assert "Id" not in fields("AppDefinition")
    assert fields("NullCursor__c")["LastModifiedDate"]["nillable"]
    assert not fields("LoginEvent")["EventDate"]["filterable"]
    assert fields("Account")["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields("Task")["WhoId"]["referenceTo"] == ["Contact", "Lead"]
    types = {one["type"] for one in fields("Awkward__c").values()}
    assert {"anyType", "base64", "location", "address", "json", "complexvalue", "hologram", "multipicklist"} <= types


def test_describe_answers_304_until_something_changes(org: SimulatedOrg, client: OrgClient) -> None:
    first = client.get("sobjects/Account/describe")
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    again = client.get("sobjects/Account/describe", headers=since)
    assert (again.status_code, again.content) == (304, b"")
    org.control.advance_clock(60)
    org.control.add_field("Account", "New__c string(20)")
    changed = client.get("sobjects/Account/describe", headers=since)
    assert changed.status_code == 200
    assert "New__c" in {one["name"] for one in changed.json()["fields"]}


def test_unknown_things_are_not_found(client: OrgClient) -> None:
    body = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    for path in (
        "sobjects/Nope__c/describe",
        "nonsense",
        "/services/data/v99.0/limits",
        "jobs/query/750000000000000AAA",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (404, body)
    assert client.get("/services/data/v20.0/limits").status_code == 410


def test_record_counts(org: SimulatedOrg, client: OrgClient) -> None:
    body = client.get("limits/recordCount", sObjects="Account,Empty__c,Nope__c").json()
    live = len(org.control.rows("Account", operation="query"))
    assert body == {"sObjects": [{"count": live, "name": "Account"}, {"count": 0, "name": "Empty__c"}]}


def test_rest_query_pages_and_types(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(rest_batch=100)
    body = client.get("query", q="SELECT Id, Name, AnnualRevenue, SystemModstamp, Owner.Name FROM Account").json()
    records, total = body["records"], body["totalSize"]
    while not body["done"]:
        body = client.get(body["nextRecordsUrl"]).json()
        records += body["records"]
    assert len(records) == total == len(org.control.rows("Account", operation="query"))
    first = records[0]
    assert first["attributes"]["type"] == "Account"
    assert first["attributes"]["url"].endswith(first["Id"])
    assert first["SystemModstamp"].endswith(".000+0000")
    assert isinstance(first["Owner"]["Name"], str)
    assert any(isinstance(one["AnnualRevenue"], float) for one in records)


def test_rest_query_shows_compounds_and_counts(client: OrgClient) -> None:
    record = client.get("query", q="SELECT Id, BillingAddress FROM Account LIMIT 1").json()["records"][0]
    assert {"street", "city", "postalCode", "latitude", "geocodeAccuracy"} <= set(record["BillingAddress"])
    counted = client.get("query", q="SELECT COUNT() FROM Account").json()
    assert counted["records"] == []
    assert client.get("queryAll", q="SELECT COUNT() FROM Account").json()["totalSize"] > counted["totalSize"]
    refused = client.get("query", q="SELECT Nope FROM Account")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


def test_composite_batch_counts_each_part(org: SimulatedOrg, client: OrgClient) -> None:
    wanted = {
        "haltOnError": True,
        "batchRequests": [
            {"method": "GET", "url": "v66.0/sobjects/Account/describe"},
            {"method": "GET", "url": "v66.0/sobjects/Nope__c/describe"},
            {"method": "GET", "url": "v66.0/limits"},
        ],
    }
    body = client.session.post(f"{client.base}/composite/batch", json=wanted, timeout=20).json()
    assert body["hasErrors"]
    assert [one["statusCode"] for one in body["results"]] == [200, 404, 412]
    assert body["results"][0]["result"]["name"] == "Account"
    used = org.control.limits()["DailyApiRequests"]
    assert used["Max"] - used["Remaining"] == 3


def test_json_is_compressed_only_when_asked_for(client: OrgClient) -> None:
    plain = client.get("limits", headers={"Accept-Encoding": "identity"})
    packed = client.session.get(f"{client.base}/limits", stream=True, timeout=20)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.raw.read())
    assert packed.headers["Transfer-Encoding"] == "chunked"


def test_the_date_header_is_the_orgs_clock(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.freeze_clock("2026-07-01T10:00:00Z")
    assert client.get("limits").headers["Date"] == "Wed, 01 Jul 2026 10:00:00 GMT"
    org.control.advance_clock(90)
    assert client.get("limits").headers["Date"] == "Wed, 01 Jul 2026 10:01:30 GMT"


def test_addresses_and_headers_have_a_limit(client: OrgClient) -> None:
    assert client.get("query", q="x" * 17_000).status_code == 414
    answer = client.get("limits", headers={"X-Long": "x" * 16_500})
    assert answer.status_code == 431
    assert answer.text.startswith("<h1>Bad Message 431</h1>")


def test_many_objects_start_at_once() -> None:
    with SimulatedOrg(OrgSettings(extra_objects=1_500)) as org:
        client = OrgClient(org)
        names = [one["name"] for one in client.get("sobjects").json()["sobjects"]]
        assert len(names) > 1_500
        assert client.get("sobjects/Extra1500__c/describe").status_code == 200
        assert len(org.control.rows("Extra0006__c")) == 30


def test_rows_depend_on_the_seed_alone(org: SimulatedOrg) -> None:
    def first(seed: int) -> dict[str, str | None]:
        with SimulatedOrg(OrgSettings(seed=seed)) as other:
            return other.control.rows("Contact")[0]

    assert first(1) == org.control.rows("Contact")[0]
    assert first(2) != first(1)
