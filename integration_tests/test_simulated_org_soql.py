from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from integration_tests.simulated_org import OrgSettings
from integration_tests.simulated_org.errors import ApiError
from integration_tests.simulated_org.ids import checksum, record_id, to_18
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.soql import CompiledQuery


@pytest.fixture(scope="module")
def org() -> Iterator[Org]:
    made = Org(OrgSettings(frozen_at="2026-07-01T00:00:00Z"))
    yield made
    made.close()


def rows(org: Org, soql: str, *, all_rows: bool = True, dialect: str = "bulk") -> list[tuple[str | None, ...]]:
    compiled = org.compile(soql, all_rows=all_rows, dialect=dialect)  # type: ignore[arg-type]
    return org.store.select(compiled.sql, compiled.parameters)


def where(org: Org, condition: str, name: str = "Contact", *, all_rows: bool = True) -> set[str]:
    return {str(row[0]) for row in rows(org, f"SELECT Id FROM {name} WHERE {condition}", all_rows=all_rows)}


def everything(org: Org, name: str = "Contact") -> set[str]:
    return {str(row[0]) for row in rows(org, f"SELECT Id FROM {name}")}


def refusal(org: Org, soql: str, dialect: str = "bulk") -> ApiError:
    with pytest.raises(ApiError) as caught:
        org.compile(soql, all_rows=False, dialect=dialect)  # type: ignore[arg-type]
    return caught.value


def test_ids_carry_the_checksum_of_their_case() -> None:
    assert checksum("00D000000000062") == "EAA"
    assert to_18("0015g00000XyZab") == "0015g00000XyZab" + checksum("0015g00000XyZab")
    assert to_18("0015g00000XyZabZZZ") is None


def test_ids_grow_per_pod_with_gaps_over_two_pods() -> None:
    ids = [record_id("001", n) for n in range(400)]
    assert len(set(ids)) == 400
    pods = {one[3:5] for one in ids}
    assert len(pods) == 2
    for pod in pods:
        of_pod = [one for one in ids if one[3:5] == pod]
        assert of_pod == sorted(of_pod)


def test_header_names_are_canonical_whatever_the_case(org: Org) -> None:
    compiled: CompiledQuery = org.compile("select id, NAME, account.owner.NAME from contact", all_rows=False)
    assert [column.header for column in compiled.columns] == ["Id", "Name", "Account.Owner.Name"]


def test_old_versions_sort_the_columns(org: Org) -> None:
    compiled = org.compile("SELECT Name, Id, Email FROM Contact", all_rows=False, alphabetical=True)
    assert [column.header for column in compiled.columns] == ["Email", "Id", "Name"]


def test_query_hides_deleted_and_archived_rows(org: Org) -> None:
    shown = {str(row[0]) for row in rows(org, "SELECT Id FROM Task", all_rows=False)}
    gone = where(org, "IsDeleted = true OR IsArchived = true", "Task")
    assert gone
    assert shown == everything(org, "Task") - gone


def test_null_comparisons_leave_no_row_out(org: Org) -> None:
    null = where(org, "Email = null")
    assert null
    assert where(org, "Email != null") == everything(org) - null
    assert null <= where(org, "Email != 'nobody@example.com'")
    assert null <= where(org, "NOT Email = 'nobody@example.com'")
    assert null <= where(org, "Email NOT IN ('nobody@example.com')")
    assert where(org, "Email = ''") == null
    assert where(org, "HasOptedOutOfEmail = null") == where(org, "HasOptedOutOfEmail = false")
    assert where(org, "HasOptedOutOfEmail != null") == where(org, "HasOptedOutOfEmail = true")
    assert not null & where(org, "Birthdate > 1900-01-01") - where(org, "Birthdate != null")


def test_text_compares_without_case_and_reads_escapes(org: Org) -> None:
    assert where(org, r"LastName = 'O\'NEIL'") == where(org, r"LastName LIKE 'o\'n_il'") != set()
    assert where(org, r"Text__c = 'line\nfeed'", "Awkward__c")
    assert where(org, r"Text__c = '\\'", "Awkward__c")
    assert where(org, r"Text__c LIKE '\%41'", "Awkward__c")
    assert not where(org, r"Text__c LIKE '\%4'", "Awkward__c")


def test_instants_compare_as_utc(org: Org) -> None:
    stamp = rows(org, "SELECT SystemModstamp FROM Account ORDER BY SystemModstamp LIMIT 1")[0][0]
    assert stamp is not None
    base = where(org, f"SystemModstamp = {stamp}", "Account")
    assert base
    for written in (stamp.replace(".000Z", "Z"), stamp.replace(".000Z", "+00:00"), stamp.replace(".000Z", ".0Z")):
        assert where(org, f"SystemModstamp = {written}", "Account") == base
    assert where(org, "SystemModstamp < 2024-01-01T00:00:00+02:00", "Account") == where(
        org, "SystemModstamp < 2023-12-31T22:00:00Z", "Account"
    )


def test_closed_open_windows_cover_everything_once(org: Org) -> None:
    edges = ["1990-01-01T00:00:00Z", "2022-10-01T00:00:00Z", "2024-03-09T12:00:00Z", "2030-01-01T00:00:00Z"]
    windows = [where(org, f"SystemModstamp >= {low} AND SystemModstamp < {high}") for low, high in pairwise(edges)]
    assert set.union(*windows) == everything(org)
    assert sum(len(one) for one in windows) == len(everything(org))


def test_id_ranges_follow_base_62_order(org: Org) -> None:
    ordered = sorted(everything(org))
    middle = ordered[len(ordered) // 2]
    upper = set(ordered[len(ordered) // 2 :])
    assert where(org, f"Id >= '{middle}'") == where(org, f"Id >= '{middle[:15]}'") == upper
    assert where(org, f"Id < '{middle}'") == everything(org) - upper
    assert where(org, f"Id IN ('{middle[:15]}', '{ordered[0]}')") == {middle, ordered[0]}


def test_numbers_booleans_and_dates(org: Org) -> None:
    assert where(org, "Int__c = 47", "Awkward__c")
    assert where(org, "Double__c = 139000000", "Awkward__c") == where(org, "Double__c = 1.39E8", "Awkward__c")
    assert where(org, "Flag__c = TRUE", "Awkward__c") == where(org, "Flag__c != false", "Awkward__c")
    assert where(org, "Date__c >= 2024-02-29 AND Date__c <= 2024-02-29", "Awkward__c")
    assert where(org, "CALENDAR_YEAR(CreatedDate) = 2024") == where(
        org, "CreatedDate >= 2024-01-01T00:00:00Z AND CreatedDate < 2025-01-01T00:00:00Z"
    )
    assert where(org, "SystemModstamp = LAST_N_DAYS:365") == where(org, "SystemModstamp >= 2025-07-01T00:00:00Z")


def test_multipicklists(org: Org) -> None:
    assert where(org, "Multi__c INCLUDES ('a;b')", "Awkward__c") < where(org, "Multi__c INCLUDES ('a')", "Awkward__c")


def test_parents_are_joined_and_filtered(org: Org) -> None:
    found = rows(org, "SELECT Id, Account.Name, Account.Owner.Name FROM Contact WHERE Account.Name = 'account 000007'")
    assert found
    assert {row[1] for row in found} == {"Account 000007"}
    kinds = {row[0] for row in rows(org, "SELECT Who.Type FROM Task WHERE WhoId != null")}
    assert kinds == {"Contact", "Lead"}


def test_order_and_limit(org: Org) -> None:
    names = [row[0] for row in rows(org, "SELECT Email FROM Contact ORDER BY Email ASC NULLS LAST LIMIT 10")]
    assert names == sorted(str(name) for name in names)
    assert rows(org, "SELECT Email FROM Contact ORDER BY Email LIMIT 1")[0][0] is None
    numbers = [row[0] for row in rows(org, "SELECT AnnualRevenue FROM Account ORDER BY AnnualRevenue DESC NULLS LAST")]
    values = [float(number) for number in numbers if number is not None]
    assert values == sorted(values, reverse=True)


def test_parentheses_are_needed_between_and_and_or(org: Org) -> None:
    assert refusal(org, "SELECT Id FROM Contact WHERE Email = null AND Phone = null OR Title = null")
    assert where(org, "Email = null AND (Phone = null OR Title = null)")


@pytest.mark.parametrize(
    ("soql", "code", "reason"),
    [
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: <EOF>"),
        ("SELECT Id Name FROM Contact", "MALFORMED_QUERY", "unexpected token: 'Name'"),
        ('SELECT Id FROM Contact WHERE Name = "x"', "MALFORMED_QUERY", "no viable alternative"),
        (
            "SELECT Id FROM Contact WHERE SystemModstamp > 2024-01-01T00:00:00 00:00",
            "MALFORMED_QUERY",
            "unexpected token",
        ),
        ("SELECT Nope__c FROM Contact", "INVALID_FIELD", "No such column 'Nope__c' on entity 'Contact'"),
        ("SELECT Boss.Name FROM Contact", "INVALID_FIELD", "Didn't understand relationship 'Boss'"),
        ("SELECT Id FROM Nope__c", "INVALID_TYPE", "sObject type 'Nope__c' is not supported"),
        ("SELECT Id, id FROM Contact", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2024-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Contact WHERE Birthdate > 2024-01-01T00:00:00Z", "INVALID_FIELD", "must be of type date "),
        ("SELECT Id FROM Contact WHERE Birthdate > '2024-01-01'", "INVALID_FIELD", "not be enclosed in quotes"),
        ("SELECT Id FROM Contact WHERE Email = 5", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Contact WHERE Id > 'xyz'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: xyz"),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM LoginEvent WHERE EventDate > 2024-01-01T00:00:00Z", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM ApiEvent WHERE EventDate > 2024-01-01T00:00:00Z", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Contact ORDER BY Description", "MALFORMED_QUERY", "can not be sorted"),
        ("SELECT COUNT() FROM Contact", "API_ERROR", "Aggregate Relationships not supported"),
        ("SELECT MAX(CreatedDate) FROM Contact", "API_ERROR", "not supported in Bulk Query"),
        ("SELECT LeadSource FROM Contact GROUP BY LeadSource", "API_ERROR", "not supported in Bulk Query"),
        ("SELECT Id FROM Contact LIMIT 5 OFFSET 5", "API_ERROR", "OFFSET not supported"),
        ("SELECT TYPEOF Who WHEN Contact THEN Name END FROM Task", "API_ERROR", "TYPEOF"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR", "not supported in Bulk Query"),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 200", "API_ERROR", "Selecting compound data not supported"),
        ("SELECT BillingAddress FROM Account", "API_ERROR", "Selecting compound data not supported"),
        ("SELECT Place__c FROM Awkward__c", "API_ERROR", "Selecting compound data not supported"),
        (
            "SELECT Body__c FROM Awkward__c",
            "API_ERROR",
            "Blob field not supported in Bulk V2 Query with CSV content type",
        ),
        ("SELECT Complex__c FROM Awkward__c", "API_ERROR", "Cannot serialize value"),
        ("SELECT Id FROM CaseStatus", "INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API."),
        ("SELECT Id FROM Config__Tag", "INVALIDENTITY", ".Tag' is not supported"),
        ("SELECT Id FROM ContentDocumentLink", "MALFORMED_QUERY", "requires a filter"),
        ("SELECT DurableId FROM FieldDefinition", "MALFORMED_QUERY", "filter on a reified column is required"),
        ("SELECT Id FROM AccountChangeEvent", "INVALID_TYPE_FOR_OPERATION", "does not support query"),
        ("SELECT Id FROM Contact WHERE " + "Name = 'xxxxxxxx' OR " * 6_000 + "Id = null", "MALFORMED_QUERY", "100000"),
    ],
)
def test_refusals(org: Org, soql: str, code: str, reason: str) -> None:
    error = refusal(org, soql)
    assert (error.status, error.error_code) == (400, code)
    assert reason in error.message


def test_compiler_errors_point_at_the_place(org: Org) -> None:
    message = refusal(org, "SELECT Id, Nope FROM Contact").message
    fragment, caret, place, reason = message.strip("\n").split("\n")
    assert fragment[caret.index("^") :].startswith("Nope")
    assert place == "ERROR at Row:1:Column:12"
    assert reason.startswith("No such column")


def test_required_filters_satisfy(org: Org) -> None:
    accounts = ",".join(f"'{record_id('001', n)}'" for n in range(300))
    assert rows(org, f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId IN ({accounts})")
    several = f"SELECT Id FROM ContentDocumentLink WHERE ShareType != 'X' AND LinkedEntityId IN ({accounts})"
    assert refusal(org, several).error_code == "MALFORMED_QUERY"


def test_rest_counts_and_aggregates(org: Org) -> None:
    assert org.compile("SELECT COUNT() FROM Contact", all_rows=False, dialect="rest").count_only
    newest = rows(org, "SELECT MAX(SystemModstamp) newest, COUNT(Id) FROM Contact", dialect="rest")[0]
    assert newest[0] is not None
    assert str(newest[1]) == str(len(everything(org)))
    assert rows(org, "SELECT FIELDS(ALL) FROM Account LIMIT 5", dialect="rest")
    assert "at most 200" in refusal(org, "SELECT FIELDS(ALL) FROM Account", "rest").message


def test_chunking_is_told_apart(org: Org) -> None:
    def chunking(soql: str) -> bool:
        return org.compile(soql, all_rows=False).pk_chunking

    assert chunking("SELECT Id FROM Contact WHERE SystemModstamp > 2024-01-01T00:00:00Z")
    assert not chunking("SELECT Id FROM Contact LIMIT 5")
    assert not chunking("SELECT Id FROM Contact ORDER BY Id")
    assert not chunking("SELECT Id FROM Contact WHERE Id > '003000000000000'")
