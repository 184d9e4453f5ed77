from __future__ import annotations

import pytest

from source_salesforce_bulk.salesforce.compounds import CompoundFields, choose_with_compounds, names_of_parts
from source_salesforce_bulk.salesforce.describe import Field, FieldChoice, SObject, UnusableOverride, parse_describe

PARTS, OBJECT, BOTH = CompoundFields
STREET = "OtherStreet OtherCity OtherState OtherPostalCode OtherCountry OtherGeocodeAccuracy".split()
ALL = FieldChoice()


def an_object(*names: str, **more: str) -> SObject:
    """An object with an address; ``more`` are further fields, a compound or the compound that they belong to."""
    fields = [{"name": "Id", "type": "id"}]
    fields += [{"name": name, "type": "string", "compoundFieldName": "OtherAddress"} for name in names]
    fields.append({"name": "OtherLatitude", "type": "double", "compoundFieldName": "OtherAddress"})
    fields.append({"name": "OtherAddress", "type": "address"})
    for name, of in more.items():
        is_compound = of in ("address", "location")
        fields.append({"name": name} | ({"type": of} if is_compound else {"type": "double", "compoundFieldName": of}))
    return parse_describe({"name": "Lead", "fields": [*fields, {"name": "Name", "type": "string"}]})


def names(sobject: SObject) -> list[str]:
    return [field.name for field in sobject.fields]


def built(sobject: SObject, name: str = "OtherAddress") -> dict[str, str | None]:
    field = sobject.field(name)
    assert field is not None
    return {part.key: part.field for part in field.parts}


def test_an_object_stands_in_the_place_of_its_parts():
    chosen = choose_with_compounds(an_object(*STREET), ALL, (), OBJECT)
    assert names(chosen) == ["Id", "OtherAddress", "Name"]
    assert [field.name for field in chosen.folded] == [*STREET, "OtherLatitude"]
    assert chosen.left_out == ()


def test_an_address_has_the_keys_of_rest_in_order_and_null_for_what_is_no_field():
    assert built(choose_with_compounds(an_object("OtherStreet", "OtherStateCode"), ALL, (), BOTH)) == {
        "city": None,
        "country": None,
        "geocodeAccuracy": None,
        "latitude": "OtherLatitude",
        "longitude": None,
        "postalCode": None,
        "state": None,
        "stateCode": "OtherStateCode",
        "street": "OtherStreet",
    }


def test_custom_addresses_and_locations_are_built_too():
    sobject = an_object(
        Where__c="location", Where__Latitude__s="Where__c", where__longitude__s="WHERE__C", Office__c="address",
        Office__City__s="Office__c", Office__CountryCode__s="Office__c",
    )  # fmt: skip
    chosen = choose_with_compounds(sobject, ALL, (), OBJECT)
    assert built(chosen, "Where__c") == {"latitude": "Where__Latitude__s", "longitude": "where__longitude__s"}
    office = built(chosen, "Office__c")
    assert (office["city"], office["countryCode"], office["country"]) == (
        "Office__City__s",
        "Office__CountryCode__s",
        None,
    )


def test_parts_are_delivered_as_they_were_unless_objects_are_asked_for():
    sobject = an_object(*STREET)
    assert choose_with_compounds(sobject, ALL, (), PARTS) == sobject
    assert names(choose_with_compounds(sobject, ALL, (), BOTH)) == [
        "Id", *STREET, "OtherLatitude", "OtherAddress", "Name",
    ]  # fmt: skip


def test_a_compound_without_a_part_that_can_be_read_stays_left_out():
    sobject = parse_describe(
        {"name": "Lead", "fields": [{"name": "Id", "type": "id"}, {"name": "A", "type": "address"}]}
    )
    chosen = choose_with_compounds(sobject, ALL, (), OBJECT)
    assert (names(chosen), [one.field for one in chosen.left_out]) == (["Id"], ["A"])


@pytest.mark.parametrize("way", [OBJECT, BOTH])
def test_a_chosen_object_brings_its_parts_without_showing_them(way):
    chosen = choose_with_compounds(an_object(*STREET), FieldChoice(only=("otheraddress",)), ("Id",), way)
    assert names(chosen) == ["Id", "OtherAddress"]
    assert [field.name for field in chosen.folded] == [*STREET, "OtherLatitude"]


def test_a_part_that_is_chosen_alone_is_a_field_like_any_other():
    chosen = choose_with_compounds(an_object(*STREET), FieldChoice(only=("OtherCity",)), ("Id",), OBJECT)
    assert (names(chosen), chosen.folded) == (["Id", "OtherCity"], ())


def test_a_chosen_part_stands_beside_its_object():
    choice = FieldChoice(only=("OtherAddress", "OtherCity"))
    assert names(choose_with_compounds(an_object(*STREET), choice, ("Id",), BOTH)) == [
        "Id",
        "OtherCity",
        "OtherAddress",
    ]


def test_an_excluded_part_is_not_read_and_null_in_the_object():
    chosen = choose_with_compounds(an_object(*STREET), FieldChoice(never=("OtherStreet",)), (), OBJECT)
    assert built(chosen)["street"] is None
    assert "OtherStreet" not in [*names(chosen), *(field.name for field in chosen.folded)]


def test_an_object_whose_parts_are_all_excluded_is_not_delivered():
    chosen = choose_with_compounds(an_object(), FieldChoice(never=("OtherLatitude",)), (), OBJECT)
    assert names(chosen) == ["Id", "Name"]


def test_an_excluded_object_takes_its_parts_with_it_where_they_are_not_seen():
    choice = FieldChoice(never=("OtherAddress",))
    assert names(choose_with_compounds(an_object(*STREET), choice, (), OBJECT)) == ["Id", "Name"]
    both = choose_with_compounds(an_object(*STREET), choice, (), BOTH)
    assert names(both) == ["Id", *STREET, "OtherLatitude", "Name"]


def test_a_hashed_part_is_text_in_its_object_and_an_object_cannot_be_hashed():
    chosen = choose_with_compounds(an_object(*STREET), FieldChoice(hashed=("OtherLatitude",)), (), OBJECT)
    address = chosen.field("OtherAddress")
    assert address is not None
    assert {part.type for part in address.parts} == {"string"}
    with pytest.raises(UnusableOverride, match=r"hash_fields names OtherAddress, .* name OtherCity"):
        choose_with_compounds(an_object("OtherCity"), FieldChoice(hashed=("OtherAddress",)), (), OBJECT)


def test_a_field_that_is_needed_is_shown_though_it_is_a_part():
    chosen = choose_with_compounds(an_object(*STREET), ALL, ("OtherCity",), OBJECT)
    assert names(chosen) == ["Id", "OtherCity", "OtherAddress", "Name"]


def test_only_fields_are_named_as_parts():
    assert list(names_of_parts(Field("Name", "string"))) == []
