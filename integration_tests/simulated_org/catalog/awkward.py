"""`Awkward__c`: every field type, and every value that has broken a reader somewhere (facts section 6)."""

from __future__ import annotations

from integration_tests.simulated_org.objects import SObject, declare

AWKWARD = declare(
    "Awkward__c",
    "a0A",
    """
    OwnerId reference(User:Owner) required
    Name string(80) name
    Case__c string(80)
    Text__c string(255)
    LongText__c textarea(131072)
    Html__c textarea(131072)
    Pick__c picklist(NA|None|Yes)
    Multi__c multipicklist(a|b|c|d)
    Combo__c combobox(One|Two)
    Phone__c phone
    Url__c url
    Email__c email
    Secret__c encryptedstring(175)
    Category__c datacategorygroupreference
    Flag__c boolean required
    Int__c int(9,0)
    Long__c long(18,0)
    Double__c double(18,8)
    Currency__c currency(18,2)
    Percent__c percent(5,2)
    Date__c date
    DateTime__c datetime
    Time__c time
    Any__c anyType
    Json__c json
    Complex__c complexvalue
    Hologram__c hologram
    Body__c base64
    Place__Latitude__s double(18,15) of=Place__c
    Place__Longitude__s double(18,15) of=Place__c
    Place__c location
    Street__c textarea(255) of=Address__c
    City__c string(40) of=Address__c
    PostalCode__c string(20) of=Address__c
    Address__c address
    Account__c reference(Account:Account__r)
    Formula__c string(1300) formula
    Hidden__c string(20) nofilter
    """,
    volume=150,
)

_EMOJI = "\N{GRINNING FACE}"
_FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"

TEXTS: tuple[str, ...] = (
    "NA",
    "N/A",
    "n/a",
    "null",
    "NULL",
    "NaN",
    "nan",
    "None",
    "none",
    "nil",
    "#N/A",
    "-",
    "true",
    "false",
    "undefined",
    "   ",
    " ",
    "\t",
    " leading",
    "trailing ",
    "  both  ",
    "\ttab\tinside\t",
    "carriage\rreturn",
    "line\nfeed",
    "both\r\nof them",
    "\n",
    "\r",
    "\r\n",
    "ends with\n",
    "\nbegins with",
    "line\u2028separator",
    "paragraph\u2029separator",
    "next\u0085line",
    "vertical\x0btab",
    "form\x0cfeed",
    "nul\x00inside",
    "\x00",
    "\x00first",
    "last\x00",
    "bell\x07",
    "escape\x1b[31m",
    "unit\x1fseparator",
    "\x1a",
    "\x7f",
    'a "quoted" word',
    '"',
    '""',
    '"quoted whole"',
    "it's",
    "comma, inside",
    ",",
    ",,,",
    '","',
    '"\n"',
    '\\"',
    "\\",
    "\\n",
    "semi;colon",
    "pipe|caret^backquote`",
    "=1+1",
    "+1",
    "-1",
    "@cmd",
    "#hash",
    "%41",
    "<b>&amp;</b>",
    _EMOJI,
    _FAMILY,
    "e\u0301 combining",
    "\u00e9 composed",
    "Zürich",
    "東京",
    "مرحبا",
    "\u200bzero width",
    "\u202eright to left",
    "\ufeffbom",
    "\ufffd",
    "\ufffe",
    "\U0010ffff",
    "ß",
    "İ",
    "ﬁ",
    "1",
    "01",
    "007",
    "02134",
    "00501",
    "1.0",
    "1e5",
    "0x1F",
    "1,000",
    "12345678901234567890",
    "2026-01-01",
    "12:00",
    "a" * 255,
    "é" * 255,
    _EMOJI * 127,
)

LONG_TEXTS: tuple[str, ...] = (
    "x" * 131_072,
    "é" * 131_072,
    '"' * 131_072,
    "line\r\n" * 21_845,
    "a,b;" * 32_768,
    _EMOJI * 65_536,
)

INTS: tuple[str, ...] = (
    "47.0",
    "0.0",
    "0",
    "-0.0",
    "-1",
    "999999999",
    "2147483647",
    "-2147483648",
    "1.0E3",
    "3000000000",
)
LONGS: tuple[str, ...] = (
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "0",
    "12.0",
)
DOUBLES: tuple[str, ...] = (
    "1.39E8",
    "12345678901234567.89",
    "0.1",
    "-0.1",
    "1.0E-8",
    "-1.0E-10",
    "0.00000001",
    "0.0",
    "-0.0",
    "1E100",
    "123456789012345678",
    "9007199254740993",
    "0.30000000000000004",
    "1.7976931348623157E308",
    "4.9E-324",
    "100",
)
CURRENCIES: tuple[str, ...] = ("0.0", "19.99", "1.39E8", "-1500.5", "99999999999999.99", "1000000", "0.005")
PERCENTS: tuple[str, ...] = ("50.0", "0.5", "100", "150.25", "-3.0", "0.0")
DATES: tuple[str, ...] = ("2024-02-29", "1700-01-01", "4000-12-31", "1970-01-01", "2026-06-30", "0001-01-01")
DATETIMES: tuple[str, ...] = (
    "2021-11-08T16:16:00.000Z",
    "1970-01-01T00:00:00.000Z",
    "1969-12-31T23:59:59.000Z",
    "2024-02-29T23:59:59.999Z",
    "4000-12-31T23:59:59.000Z",
    "1700-01-01T00:00:00.000Z",
    "2026-03-29T01:30:00.000Z",
)
TIMES: tuple[str, ...] = ("13:14:15.000Z", "00:00:00.000Z", "23:59:59.999Z")
ANYTHING: tuple[str, ...] = ("47", "true", "null", "2024-01-01", "0015g00000XyZabAAB", "some text", "1.0", "{}", "NaN")
JSONS: tuple[str, ...] = ('{"a": 1, "b": [null, "x,y"]}', "[]", "null", '"text"', "{broken")
MULTI: tuple[str, ...] = ("a", "a;b", "a;b;c;d", "d")
ZIPS: tuple[str, ...] = ("02134", "00501", "0", "SW1A 1AA", "010-0001")


def pools() -> dict[str, tuple[str, ...]]:
    """Give, per field, the values that its rows walk through; a field without a pool is made like any other."""
    return {
        "Text__c": TEXTS,
        "LongText__c": tuple(text for long in LONG_TEXTS for text in (long, *TEXTS[:14])),  # few: they are heavy
        "Html__c": TEXTS,
        "Pick__c": ("NA", "None", "Yes", "null"),
        "Multi__c": MULTI,
        "Int__c": INTS,
        "Long__c": LONGS,
        "Double__c": DOUBLES,
        "Currency__c": CURRENCIES,
        "Percent__c": PERCENTS,
        "Date__c": DATES,
        "DateTime__c": DATETIMES,
        "Time__c": TIMES,
        "Any__c": ANYTHING,
        "Json__c": JSONS,
        "Hologram__c": TEXTS[:12],
        "PostalCode__c": ZIPS,
        "Street__c": ("1 Main St\r\nSuite 2", 'Rue "B", 3'),
        "Combo__c": ("One", "Free text", "NA"),
        "Formula__c": ("NA", "1.0", '<img src="x">', "a\nb"),
        "Phone__c": ("+1 (555) 010", "NA"),
    }


def awkward_objects() -> list[SObject]:
    """Return the object with every type and every awkward value."""
    return [AWKWARD]
