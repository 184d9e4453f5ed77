from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from source_salesforce_bulk.salesforce.describe import (
    DIGEST_LENGTH,
    Cursor,
    Field,
    FieldChoice,
    LeftOut,
    SObject,
    UnreadableDescribe,
    UnusableOverride,
    choose_cursor,
    choose_fields,
    choose_primary_key,
    json_schema,
    parse_describe,
)

SAMPLES = Path(__file__).parent / "samples" / "describe"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))


def sample(name: str) -> SObject:
    return parse_describe(json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8")))


def an_object(name: str, *fields: Field) -> SObject:
    return SObject(name, name, "__" in name, fields)


def moment(name: str, *, nillable: bool = False, filterable: bool = True) -> Field:
    return Field(name, "datetime", nillable=nillable, filterable=filterable)


ID = Field("Id", "id", filterable=True)


# Reading


def test_an_object_is_read_in_describes_words():
    account = sample("Account")
    assert (account.name, account.label, account.custom) == ("Account", "Account", False)
    fields = {field.name: field for field in account.fields}
    assert fields["AnnualRevenue"] == Field(
        name="AnnualRevenue",
        type="currency",
        label="Annual Revenue",
        help_text="What the customer\r\nreported last year",
        nillable=True,
        filterable=True,
        precision=18,
    )
    assert fields["Score__c"].calculated
    assert fields["Score__c"].scale == 2
    assert fields["Name"].length == 255
    assert not fields["Name"].nillable
    assert not fields["HiddenAt__c"].filterable


def recorded(name: str, field_type: str, **facts: object) -> dict[str, object]:
    """A field with the flags that real orgs show for it."""
    return {"name": name, "label": name, "type": field_type, "filterable": True, "nillable": True, **facts}


def test_recorded_flags_leave_out_compounds_and_nothing_else():
    """An address can be filtered, an int has no precision, and names of compounds stand at fields that Bulk selects."""
    sobject = parse_describe(
        {
            "name": "Account",
            "fields": [
                recorded("Id", "id"),
                recorded("Name", "string", compoundFieldName="Name"),
                recorded("BillingAddress", "address", queryByDistance=True, createable=False),
                recorded("BillingCity", "string", compoundFieldName="BillingAddress"),
                recorded("NumberOfEmployees", "int", precision=0, digits=8),
                recorded("FiscalQuarter", "int", precision=0, digits=8, compoundFieldName="Fiscal"),
                recorded("FiscalYear", "int", precision=0, digits=8, compoundFieldName="Fiscal"),
                recorded("Fiscal", "string", compoundFieldName=None),
            ],
        }
    )
    assert [one.field for one in sobject.left_out] == ["BillingAddress"]
    assert [field.name for field in sobject.fields] == [
        "Id",
        "Name",
        "BillingCity",
        "NumberOfEmployees",
        "FiscalQuarter",
        "FiscalYear",
        "Fiscal",
    ]
    assert json_schema(sobject)["properties"]["FiscalQuarter"]["type"] == ["null", "integer"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Name\x1b[2J", "Name\ufffd[2J"),
        ("lone \ud800 half", "lone \ufffd half"),
        (" two\n lines\u2028", "two lines"),
        ("\u202etxt.exe", "\ufffdtxt.exe"),
        ("Größe 売上", "Größe 売上"),
    ],
)
def test_labels_and_help_texts_can_be_shown_and_written(written, shown):
    entry = {"name": "F", "type": "string", "label": written, "inlineHelpText": written}
    sobject = parse_describe({"name": "A", "label": written, "fields": [entry]})
    schema = json_schema(sobject)
    assert schema["description"].startswith(f"{shown} (standard object).")
    assert schema["properties"]["F"]["description"] == f"{shown}. {shown}."
    json.dumps(schema, ensure_ascii=False).encode()


def test_fields_keep_describes_order():
    assert [field.name for field in sample("AccountHistory").fields] == [
        "Id",
        "AccountId",
        "CreatedDate",
        "OldValue",
        "NewValue",
    ]


def test_compounds_are_left_out_and_their_parts_stay():
    contact = sample("Contact")
    names = [field.name for field in contact.fields]
    assert {left_out.field for left_out in contact.left_out} == {"MailingAddress", "Site__c"}
    assert "MailingCity" in names
    assert "Site__Latitude__s" in names


def test_the_name_of_a_person_stays_although_it_has_parts():
    assert {"Name", "FirstName", "LastName"} <= {field.name for field in sample("Contact").fields}


def test_what_is_left_out_says_why():
    address, logo = sample("Account").left_out
    assert address.field == "BillingAddress"
    assert address.reason == (
        "Bulk queries cannot return compound fields; read instead: BillingStreet, BillingLatitude"
    )
    assert logo.field == "LogoBody__c"
    assert "binary" in logo.reason


def test_unknown_types_are_named_once_and_read():
    account = sample("Account")
    assert account.unknown_types == ("hologram",)
    assert {"Shape__c", "OtherShape__c"} <= {field.name for field in account.fields}


def test_what_describe_does_not_say_costs_no_row():
    sobject = parse_describe({"name": "A", "fields": [{"name": "F", "type": "string"}]})
    assert sobject == SObject("A", "A", False, (Field("F", "string", label="F"),))
    assert sobject.fields[0].nillable
    assert sobject.fields[0].filterable


def test_a_cursor_is_chosen_where_describe_does_not_say_what_can_be_filtered():
    sobject = parse_describe({"name": "A", "fields": [{"name": "SystemModstamp", "type": "datetime"}]})
    assert choose_cursor(sobject) == Cursor("SystemModstamp", nillable=True, sees_updates=True)


def test_an_answer_without_a_name_describes_what_was_asked_for():
    assert parse_describe({"fields": []}, asked_for="Account").name == "Account"
    assert parse_describe({"name": "Contact", "fields": []}, asked_for="Account").name == "Contact"


def test_null_keys_are_survived():
    entry = {"name": "F", "type": "int", "label": None, "inlineHelpText": None, "length": None, "precision": True}
    sobject = parse_describe({"name": "A", "label": None, "keyPrefix": None, "fields": [entry]})
    assert sobject.label == "A"
    assert sobject.fields == (Field("F", "int", label="F"),)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "Account",
        {},
        {"name": "Account"},
        {"name": "", "fields": []},
        {"name": "Account", "fields": None},
        {"name": "Account", "fields": {"Id": "id"}},
        {"name": "Account", "fields": ["Id"]},
        {"name": "A b", "fields": []},
        {"name": "Account", "fields": [{"name": "Id, Name", "type": "id"}]},
        {"name": "Account", "fields": [{"type": "id"}]},
        {"name": "Account", "fields": [{"name": 1, "type": "id"}]},
    ],
)
def test_what_describes_no_object_is_refused(payload):
    with pytest.raises(UnreadableDescribe):
        parse_describe(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["name", "type", "label", "inlineHelpText", "nillable", "filterable", "calculated", "length"])


@given(st.dictionaries(st.sampled_from(["name", "label", "fields", "custom", "keyPrefix"]), JSON) | JSON)
def test_any_json_is_read_or_refused(payload):
    read_or_refused(payload)


@given(st.lists(st.dictionaries(KEYS, JSON) | JSON, max_size=4))
def test_any_fields_are_read_or_refused(fields):
    read_or_refused({"name": "A", "fields": fields})


def read_or_refused(payload: object) -> None:
    try:
        sobject = parse_describe(payload)
    except UnreadableDescribe:
        return
    Draft7Validator.check_schema(json_schema(sobject, choose_cursor(sobject)))


# Primary key


def test_id_is_the_key_where_describe_shows_it():
    assert choose_primary_key(sample("Account")) == ("Id",)


def test_the_users_key_outweighs_the_id():
    assert choose_primary_key(sample("Account"), ["Name"]) == ("Name",)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("LightningUriEvent", "EventIdentifier"),
        ("LoginEvent", "eventidentifier"),
        ("EntityDefinition", "DurableId"),
        ("FlowVersionView", "DurableId"),
    ],
)
def test_an_object_whose_id_may_be_empty_is_keyed_by_the_field_that_identifies_its_rows(name, identifier):
    sobject = SObject(name, name, custom=False, fields=(Field("Id", "id"), Field(identifier, "string")))
    assert choose_primary_key(sobject) == (identifier,)
    assert choose_primary_key(sobject, ["Id"]) == ("Id",)


# Letter case


def test_a_field_is_spelled_as_it_was_asked_for():
    sobject = SObject("A", "A", custom=False, fields=(Field("AMOUNT__c", "double"), Field("Id", "id")))
    spelled = sobject.spelled_as(["Amount__c", "Gone__c"])
    assert [field.name for field in spelled.fields] == ["Amount__c", "Id"]
    assert spelled.spelled_as(["AMOUNT__c", "Amount__c"]) == spelled


@pytest.mark.parametrize("name", ["SystemModstamp", "systemmodstamp", "SYSTEMMODSTAMP"])
def test_a_cursor_sees_updates_however_it_is_spelled(name):
    sobject = SObject("A", "A", custom=False, fields=(Field(name, "datetime"),))
    cursor = choose_cursor(sobject)
    assert cursor is not None
    assert (cursor.field, cursor.sees_updates) == (name, True)


def test_without_an_id_the_user_names_the_key():
    assert choose_primary_key(sample("AppDefinition"), ["DurableId", "Label"]) == ("DurableId", "Label")


def test_a_key_is_spelled_as_describe_spells_it_and_named_once():
    assert choose_primary_key(sample("AppDefinition"), ["durableid", "DURABLEID"]) == ("DurableId",)


@pytest.mark.parametrize("override", [None, [], ()])
def test_without_a_field_that_identifies_and_override_there_is_no_key(override):
    sobject = SObject("A", "A", custom=False, fields=(Field("Label", "string"),))
    assert choose_primary_key(sobject, override) == ()


@pytest.mark.parametrize("name", ["Nowhere__c", "BillingAddress"])
def test_a_key_of_a_field_that_cannot_be_read_is_refused(name):
    with pytest.raises(ValueError, match=f"primary_key names {name}, but Account has no such field that Bulk can read"):
        choose_primary_key(sample("Account"), [name])


# Cursor


def test_system_modstamp_comes_first():
    assert choose_cursor(sample("Account")) == Cursor("SystemModstamp", nillable=False, sees_updates=True)


def test_last_modified_date_comes_second():
    share = an_object("AccountShare", ID, moment("CreatedDate"), moment("LastModifiedDate", nillable=True))
    assert choose_cursor(share) == Cursor("LastModifiedDate", nillable=True, sees_updates=True)


def test_a_field_that_cannot_be_filtered_by_is_passed_over():
    sobject = an_object("A", ID, moment("SystemModstamp", filterable=False), moment("LastModifiedDate"))
    assert choose_cursor(sobject) == Cursor("LastModifiedDate", nillable=False, sees_updates=True)


def test_a_field_of_another_type_is_passed_over():
    sobject = an_object("A", Field("SystemModstamp", "date", filterable=True), moment("LastModifiedDate"))
    assert choose_cursor(sobject) == Cursor("LastModifiedDate", nillable=False, sees_updates=True)


@pytest.mark.parametrize(
    "name", ["AccountHistory", "OpportunityFieldHistory", "Order__History", "AccountFeed", "Order__Feed"]
)
def test_created_date_counts_where_rows_never_change(name):
    assert choose_cursor(an_object(name, ID, moment("CreatedDate"))) == Cursor("CreatedDate", False, False)


def test_created_date_counts_in_the_setup_audit_trail():
    assert choose_cursor(an_object("SetupAuditTrail", moment("CreatedDate"))) == Cursor("CreatedDate", False, False)


def test_login_time_counts_in_the_login_history():
    assert choose_cursor(sample("LoginHistory")) == Cursor("LoginTime", False, False)


def test_even_a_history_prefers_what_moves():
    sobject = an_object("OpportunityHistory", moment("CreatedDate"), moment("SystemModstamp"))
    assert choose_cursor(sobject) == Cursor("SystemModstamp", False, True)


@pytest.mark.parametrize("name", ["CronTrigger", "Payment_History__c", "FeedItem", "HistoryOfMine__c"])
@pytest.mark.parametrize("field", ["CreatedDate", "LoginTime"])
def test_elsewhere_a_moment_of_creation_is_no_cursor(name, field):
    assert choose_cursor(an_object(name, ID, moment(field))) is None


@pytest.mark.parametrize("name", ["LoginEvent", "ApiEvent", "ActivityFieldHistory", "PendingOrderSummary"])
def test_objects_that_refuse_the_filter_have_none(name):
    fields = moment("CreatedDate"), moment("LastModifiedDate"), moment("SystemModstamp")
    assert choose_cursor(an_object(name, *fields)) is None


def test_without_a_moment_there_is_no_cursor():
    assert choose_cursor(sample("AppDefinition")) is None


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("LastVisit__c", Cursor("LastVisit__c", nillable=True, sees_updates=False)),
        ("lastvisit__C", Cursor("LastVisit__c", nillable=True, sees_updates=False)),
        ("CreatedDate", Cursor("CreatedDate", nillable=False, sees_updates=False)),
        ("LastModifiedDate", Cursor("LastModifiedDate", nillable=False, sees_updates=True)),
    ],
)
def test_an_override_wins(override, expected):
    assert choose_cursor(sample("Account"), override) == expected


def test_an_override_wins_even_where_filters_are_known_to_be_refused():
    assert choose_cursor(an_object("LoginEvent", moment("EventDate")), "EventDate") == Cursor("EventDate", False, False)


@pytest.mark.parametrize(
    ("override", "trouble"),
    [
        ("Renewal__c", "cursor_field Renewal__c of Account cannot be a cursor"),
        ("HiddenAt__c", "cursor_field HiddenAt__c of Account cannot be a cursor"),
    ],
)
def test_an_override_that_cannot_be_a_cursor_is_refused_and_says_what_can(override, trouble):
    with pytest.raises(ValueError, match=trouble) as caught:
        choose_cursor(sample("Account"), override)
    assert str(caught.value).endswith("(LastVisit__c, CreatedDate, LastModifiedDate, SystemModstamp).")


@pytest.mark.parametrize("name", ["Nowhere__c", "BillingAddress", ""])
def test_a_cursor_of_a_field_that_cannot_be_read_is_refused(name):
    with pytest.raises(ValueError, match=f"cursor_field names {name}, but Account has no such field that Bulk can"):
        choose_cursor(sample("Account"), name)


def test_an_override_of_an_object_without_moments_is_refused():
    with pytest.raises(ValueError, match="it has none"):
        choose_cursor(sample("AppDefinition"), "Label")


# Schema


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_draft_07_and_json_without_references(name):
    sobject = sample(name)
    schema = json_schema(sobject, choose_cursor(sobject))
    Draft7Validator.check_schema(schema)
    text = json.dumps(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is True
    assert "$ref" not in text
    assert "allOf" not in text


def test_a_schema_has_every_field_that_can_be_read_and_no_other():
    account = sample("Account")
    properties = json_schema(account)["properties"]
    assert list(properties) == [field.name for field in account.fields]
    assert "BillingAddress" not in properties
    assert all(entry["type"][0] == "null" for entry in properties.values())


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Id", {"type": ["null", "string"], "description": "Account ID."}),
        ("IsDeleted", {"type": ["null", "boolean"], "description": "Deleted."}),
        ("NumberOfEmployees", {"type": ["null", "integer"], "description": "Employees."}),
        (
            "AnnualRevenue",
            {"type": ["null", "number"], "description": "Annual Revenue. What the customer reported last year."},
        ),
        ("Opens__c", {"type": ["null", "string"], "description": "Opens at."}),
        ("Renewal__c", {"type": ["null", "string"], "format": "date", "description": "Renewal."}),
        (
            "LastVisit__c",
            {
                "type": ["null", "string"],
                "format": "date-time",
                "airbyte_type": "timestamp_with_timezone",
                "description": "Last Visit.",
            },
        ),
        ("OtherShape__c", {"type": ["null", "string"], "description": "Other Shape?"}),
        (
            "Score__c",
            {
                "type": ["null", "number"],
                "description": "Score. Calculated by Salesforce: when it changes, the row's cursor may not.",
            },
        ),
    ],
)
def test_a_property(field, expected):
    assert json_schema(sample("Account"))["properties"][field] == expected


def test_a_description_names_what_is_left_out():
    description = json_schema(sample("Account"), Cursor("SystemModstamp", False, True))["description"]
    assert description == (
        "Account (standard object). Incremental by SystemModstamp. "
        "Not read, because Bulk queries cannot return it: BillingAddress, LogoBody__c."
    )


@pytest.mark.parametrize(
    ("cursor", "said"),
    [
        (None, "Full refresh only"),
        (Cursor("CreatedDate", False, False), "Incremental by CreatedDate, which sees new rows only"),
        (Cursor("LoginTime", False, False), "Incremental by LoginTime, which sees new rows only"),
        (Cursor("LastVisit__c", True, False), "a change of a row is read only where LastVisit__c moved with it"),
    ],
)
def test_a_description_says_what_incremental_reads_do_not_see(cursor, said):
    assert said in json_schema(sample("Account"), cursor)["description"]


def test_a_description_of_a_custom_object_says_so():
    sobject = replace(sample("Account"), custom=True, left_out=())
    description = json_schema(sobject, Cursor("LastModifiedDate", False, True))["description"]
    assert description == "Account (custom object). Incremental by LastModifiedDate."


def test_two_schemas_share_nothing_that_can_be_changed():
    first, second = json_schema(sample("Account")), json_schema(sample("Account"))
    first["properties"]["Name"]["type"].append("integer")
    assert second["properties"]["Name"]["type"] == ["null", "string"]
    assert json_schema(sample("Account"))["properties"]["Name"]["type"] == ["null", "string"]


def test_an_object_of_which_nothing_can_be_read_has_an_empty_schema():
    sobject = parse_describe({"name": "Blob", "fields": [{"name": "Body", "type": "base64"}]})
    assert sobject.fields == ()
    assert [type(left_out) for left_out in sobject.left_out] == [LeftOut]
    assert json_schema(sobject)["properties"] == {}


# Which fields


def chosen(**choice: tuple[str, ...]) -> list[str]:
    return [field.name for field in choose_fields(WIDE, FieldChoice(**choice), {"Id", "SystemModstamp"}).fields]


WIDE = SObject(
    "Account",
    "Account",
    custom=False,
    fields=tuple(
        Field(name, type_)
        for name, type_ in (("Id", "id"), ("Name", "string"), ("Email__c", "email"), ("SystemModstamp", "datetime"))
    ),
)


def test_fields_are_chosen_in_any_letter_case_and_key_and_cursor_stay():
    assert chosen() == ["Id", "Name", "Email__c", "SystemModstamp"]
    assert chosen(only=("NAME",)) == ["Id", "Name", "SystemModstamp"]
    assert chosen(never=("email__C",)) == ["Id", "Name", "SystemModstamp"]
    assert chosen(only=("name", "email__c"), never=("Name",)) == ["Id", "Email__c", "SystemModstamp"]


def test_a_hashed_field_is_text_of_a_known_length():
    sobject = choose_fields(WIDE, FieldChoice(hashed=("email__c",)), {"Id"})
    field = sobject.field("Email__c")
    assert field is not None
    assert (field.type, field.length) == ("string", DIGEST_LENGTH)


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"never": ("id",)}, "exclude_fields names Id, without which"),
        ({"never": ("SystemModstamp",)}, "exclude_fields names SystemModstamp"),
        ({"hashed": ("systemmodstamp",)}, "hash_fields names SystemModstamp, by which"),
        ({"hashed": ("ID",)}, "hash_fields names Id"),
        (
            {"only": ("Nmae",)},
            "no such field that Bulk can read. Did you mean Name? Correct the name",
        ),
        ({"hashed": ("Emial__c",)}, "Did you mean Email__c?"),
        ({"never": ("Zzz",)}, "exclude_fields names Zzz"),
    ],
)
def test_an_impossible_choice_is_a_sentence(choice, says):
    with pytest.raises(UnusableOverride) as caught:
        chosen(**choice)
    assert says in str(caught.value)
