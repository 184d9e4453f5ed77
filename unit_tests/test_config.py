from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from source_salesforce_bulk.config import Config, ConfigError, ObjectOverride, parse_config
from source_salesforce_bulk.salesforce.compounds import CompoundFields
from source_salesforce_bulk.salesforce.oauth import ClientCredentials, JwtBearer, RefreshToken, build_token_request

SECRET, TOKEN = "s3cr3t-of-the-app", "5Aep-refresh"
REFRESH_TOKEN = {"auth_type": "refresh_token", "client_id": "id", "client_secret": SECRET, "refresh_token": TOKEN}
CLIENT_CREDENTIALS = {"auth_type": "client_credentials", "client_id": "id", "client_secret": SECRET}
MY_DOMAIN = "https://acme.my.salesforce.com"


def parse(**keys: object) -> Config:
    return parse_config({"credentials": REFRESH_TOKEN, **keys})


def refusal(**keys: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(**keys)
    return caught.value


def jwt_bearer(private_key: str) -> dict[str, str]:
    return {"auth_type": "jwt_bearer", "client_id": "id", "username": "user@acme.com", "private_key": private_key}


def pem(key, style=PrivateFormat.PKCS8, encryption=None) -> str:
    return key.private_bytes(Encoding.PEM, style, encryption or NoEncryption()).decode()


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_only_credentials_are_needed():
    config = parse()
    assert config.credentials == RefreshToken("id", SECRET, TOKEN)
    assert config.login_url == "https://login.salesforce.com"
    assert config.start_date is None
    assert (config.objects, config.exclude_objects, config.include_deleted) == (("*",), (), True)
    assert (config.lookback_window, config.job_timeout) == (timedelta(minutes=10), timedelta(hours=4))
    assert (config.api_version, config.max_concurrent_jobs, config.page_size) == ("v66.0", 10, 50000)
    assert config.daily_limit_reserve_percent == 5
    assert (dict(config.overrides), config.warnings) == ({}, ())


def test_null_is_left_out():
    config = parse(start_date=None, page_size=None, object_overrides=[{"object": "Task", "where": None}])
    assert config.page_size == 50000
    assert config.override_for("task") == ObjectOverride("Task")
    assert config.warnings == ()


UNKNOWN = [
    ({"start_dat": "2024-01-01"}, "start_dat is not a known key. Write start_date, or take it out."),
    ({"include_objects": ["A"]}, "include_objects is not a known key. Write objects, or take it out."),
    (
        {"object_overrides": [{"object": "Task", "wher": "Name = 'x'"}]},
        "object_overrides[0].wher is not a known key. Write where, or take it out.",
    ),
    (
        {"credentials": {**REFRESH_TOKEN, TOKEN: ""}},
        "credentials has a key that is not known. Take it out; known are auth_type, client_id, client_secret, ",
    ),
    ({"\x1b[2Jx": 1}, "\\u001b[2Jx is not a known key. Take it out; known are credentials, "),
]


@pytest.mark.parametrize(("keys", "sentence"), UNKNOWN)
def test_an_unknown_key_is_a_warning_or_is_refused(keys, sentence):
    raw = {"credentials": REFRESH_TOKEN, **keys}
    (warning,) = parse_config(raw).warnings
    assert warning.startswith(sentence)
    with pytest.raises(ConfigError) as raised:
        parse_config(raw, refuse_unknown_keys=True)
    assert str(raised.value) == warning


def test_an_unknown_key_is_named_before_what_is_missing_for_it():
    with pytest.raises(ConfigError, match=r"^credential is not a known key\. Write credentials"):
        parse_config({"credential": REFRESH_TOKEN}, refuse_unknown_keys=True)


def test_what_is_missing_is_named_before_a_key_that_resembles_none():
    with pytest.raises(ConfigError, match=r"^credentials\.auth_type is missing"):
        parse_config({"credentials": {"password": SECRET}}, refuse_unknown_keys=True)


# Each as long as a configuration can hold it, and of the form that costs a careless pattern most.
@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"lookback_window": "P" + "1" * 100_000}, "lookback_window"),
        ({"job_timeout": "PT" + "1" * 100_000 + "S"}, "job_timeout"),
        ({"start_date": "2024-01-01T00:00:00." + "0" * 100_000 + "Z"}, "start_date"),
        ({"login_url": "https://" + "a." * 50_000}, "login_url"),
        ({"api_version": "v66." + "0" * 100_000}, "api_version"),
        ({"objects": ["*" * 100_000]}, "objects[0]"),
        ({"object_overrides": [{"object": "A" * 100_000}]}, "object_overrides[0].object"),
        ({"object_overrides": [{"object": "A", "where": "'" * 100_001}]}, "object_overrides[0].where"),
    ],
)
def test_a_text_without_end_is_refused_before_it_is_looked_at(keys, key):
    error = refusal(**keys)
    assert error.key == key
    assert error.problem.startswith("is longer than ")


def test_no_secret_shows_in_the_repr(rsa_key):
    key = pem(rsa_key)
    shown = repr(parse()) + repr(parse(credentials=jwt_bearer(key)))
    assert SECRET not in shown
    assert TOKEN not in shown
    assert key.splitlines()[1] not in shown


# --- credentials


def test_each_way_to_log_in_has_its_own_credentials(rsa_key):
    client = parse(credentials=CLIENT_CREDENTIALS, login_url=MY_DOMAIN).credentials
    assert client == ClientCredentials("id", SECRET)
    assert parse(credentials=jwt_bearer(pem(rsa_key))).credentials == JwtBearer("id", "user@acme.com", pem(rsa_key))


def test_the_refresh_token_flow_may_go_without_a_client_secret():
    without = {key: value for key, value in REFRESH_TOKEN.items() if key != "client_secret"}
    assert parse(credentials=without).credentials == RefreshToken("id", "", TOKEN)


def test_blanks_of_the_clipboard_are_dropped():
    credentials = {key: f" {value}\n" if key != "auth_type" else value for key, value in REFRESH_TOKEN.items()}
    assert parse(credentials=credentials).credentials == RefreshToken("id", SECRET, TOKEN)


@pytest.mark.parametrize("auth_type", ["OAuth2.0", "", 5, None, "Refresh_Token"])
def test_an_unknown_way_to_log_in_names_the_known_ones(auth_type):
    error = refusal(credentials={**REFRESH_TOKEN, "auth_type": auth_type})
    assert error.key == "credentials.auth_type"
    assert all(known in str(error) for known in ("refresh_token", "client_credentials", "jwt_bearer"))


@pytest.mark.parametrize(
    ("credentials", "key"),
    [
        (None, "credentials"),
        ("a text", "credentials"),
        ([], "credentials"),
        ({**REFRESH_TOKEN, "refresh_token": None}, "credentials.refresh_token"),
        ({**REFRESH_TOKEN, "refresh_token": "  "}, "credentials.refresh_token"),
        ({**REFRESH_TOKEN, "refresh_token": [SECRET]}, "credentials.refresh_token"),
        ({**REFRESH_TOKEN, "client_id": ""}, "credentials.client_id"),
        ({**REFRESH_TOKEN, "client_secret": {"value": SECRET}}, "credentials.client_secret"),
        ({"auth_type": "client_credentials", "client_id": "id"}, "credentials.client_secret"),
        ({**CLIENT_CREDENTIALS, "client_secret": ""}, "credentials.client_secret"),
        ({**jwt_bearer(SECRET), "username": 1}, "credentials.username"),
        (jwt_bearer(SECRET), "credentials.private_key"),
    ],
)
def test_bad_credentials_are_named_and_never_quoted(credentials, key):
    error = refusal(credentials=credentials)
    assert error.key == key
    assert SECRET not in str(error)
    # Neither the error nor what a traceback prints with it.
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    "written",
    [
        lambda key: key,
        lambda key: key.replace("\n", "\\n"),
        lambda key: key.replace("\n", "\\r\\n"),
        lambda key: key.replace("\n", "\r\n"),
        lambda key: key.replace("\n", " "),
        lambda key: f"Bag Attributes\n    friendlyName: app\n{key}",
    ],
)
@pytest.mark.parametrize("style", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_private_key_may_have_lost_its_line_breaks(rsa_key, style, written):
    key = pem(rsa_key, style)
    credentials = parse(credentials=jwt_bearer(written(key))).credentials
    assert credentials == JwtBearer("id", "user@acme.com", key)
    assert build_token_request(credentials, MY_DOMAIN, datetime(2026, 1, 1, tzinfo=UTC)).form["assertion"]


def test_what_is_no_rsa_private_key_is_called_by_its_name(rsa_key):
    good = pem(rsa_key)
    lines = good.splitlines()
    public = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    locked, elliptic = BestAvailableEncryption(b"pass"), ec.generate_private_key(ec.SECP256R1())
    expected = {
        pem(rsa_key, encryption=locked): "is encrypted",
        pem(rsa_key, PrivateFormat.TraditionalOpenSSL, locked): "is encrypted",
        pem(elliptic): "is not an RSA key",
        pem(elliptic, PrivateFormat.TraditionalOpenSSL): "is not an RSA key",
        pem(rsa_key, PrivateFormat.OpenSSH): "is an OpenSSH key",
        public: "is a public key",
        public.replace("PUBLIC KEY", "CERTIFICATE"): "is a certificate",
        "\n".join([*lines[:5], *lines[6:]]): "is damaged: part of the key is missing or was changed",
        lines[1]: "is not a private key in PEM form",
        "": "is empty",
    }
    for text, problem in expected.items():
        error = refusal(credentials=jwt_bearer(text))
        assert (error.key, error.problem) == ("credentials.private_key", problem)
        assert not any(line in str(error) for line in text.splitlines() if line)
        assert error.__context__ is None


# --- login_url


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        (" HTTPS://Acme.My.Salesforce.com/ ", MY_DOMAIN),
        (f"{MY_DOMAIN}/services/oauth2/token?x=1#y", MY_DOMAIN),
        (f"{MY_DOMAIN}/lightning/page/home", MY_DOMAIN),
        (f"{MY_DOMAIN}:443", MY_DOMAIN),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://acme--dev.sandbox.my.salesforce.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_login_url_is_cut_to_scheme_and_host(written, url):
    assert parse(login_url=written).login_url == url


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("https://acme.lightning.force.com", MY_DOMAIN),
        ("https://Acme.lightning.force.com/lightning/page/home", MY_DOMAIN),
        ("https://acme--dev.sandbox.lightning.force.com/", "https://acme--dev.sandbox.my.salesforce.com"),
        ("https://acme.my.salesforce-setup.com/lightning/setup", MY_DOMAIN),
        ("http://acme.my.salesforce.com", MY_DOMAIN),
    ],
)
def test_a_wrong_address_of_the_org_is_answered_with_the_right_one(written, instead):
    error = refusal(login_url=written)
    assert error.key == "login_url"
    assert error.remedy == f'Write "{instead}"'


@pytest.mark.parametrize(
    "written",
    [
        "login.salesforce.com",
        "",
        "https://",
        "https://:443",
        "ftp://login.salesforce.com",
        "https://login.salesforce.com:99999",
        "https://login.salesforce.com:0",
        "https://[::1",
        "https://log in.salesforce.com",
        "https://evil.example\\.my.salesforce.com",
        f"https://user:{SECRET}@acme.my.salesforce.com",
        f"not a url {SECRET}",
        "http://localhost.example.com",
        7,
    ],
)
def test_what_is_no_login_url_is_refused(written):
    error = refusal(login_url=written)
    assert error.key == "login_url"
    assert "https://" in error.remedy
    assert SECRET not in str(error)


@pytest.mark.parametrize("shared", ["https://login.salesforce.com", "https://test.salesforce.com/"])
def test_client_credentials_need_the_my_domain(shared):
    error = refusal(credentials=CLIENT_CREDENTIALS, login_url=shared)
    assert error.key == "login_url"
    assert "My Domain" in error.remedy


# --- dates and durations


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2024-01-01T10:20:30Z", datetime(2024, 1, 1, 10, 20, 30, tzinfo=UTC)),
        ("2024-01-01T10:20:30.123Z", datetime(2024, 1, 1, 10, 20, 30, 123000, tzinfo=UTC)),
        ("2024-01-01T00:00:00+02:00", datetime(2023, 12, 31, 22, tzinfo=UTC)),
        ("2024-01-01T00:00-0930", datetime(2024, 1, 1, 9, 30, tzinfo=UTC)),
        ("1700-01-01", datetime(1700, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_start_date_is_an_instant_in_utc(written, instant):
    start = parse(start_date=written).start_date
    assert start == instant
    assert type(start) is datetime
    assert start.tzinfo is UTC


@pytest.mark.parametrize("written", ["2024-01-01T10:20:30", "2024-01-01 10:20", "2024-01-01T10:20:30.5"])
def test_a_date_time_without_a_zone_is_refused(written):
    error = refusal(start_date=written)
    assert (error.key, error.problem) == ("start_date", f'"{written}" has no time zone')
    assert "Add Z" in error.remedy


@pytest.mark.parametrize(
    "written",
    [
        "",
        "now",
        "2024",
        "2024-13-01",
        "2023-02-29",
        "01/02/2024",
        "10:00",
        "2024-W01",
        "20240101",
        "2024-01-01/2024-02-01",
        "2024-01-01T25:00:00Z",
        "2024-01-01T00:00:00+25:00",
        "2024-01-01\n",
        "٢٠٢٤-01-01",
        "1699-12-31",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        20240101,
        ["2024-01-01"],
    ],
)
def test_what_is_no_date_is_refused(written):
    error = refusal(start_date=written)
    assert error.key == "start_date"
    assert '"2024-01-01"' in error.remedy


@pytest.mark.parametrize(
    ("written", "duration"),
    [
        ("PT10M", timedelta(minutes=10)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("P2W", timedelta(weeks=2)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("P3650D", timedelta(days=3650)),
    ],
)
@pytest.mark.parametrize("key", ["lookback_window", "job_timeout"])
def test_durations_are_iso_8601(key, written, duration):
    parsed = getattr(parse(**{key: written}), key)
    assert parsed == duration
    assert type(parsed) is timedelta


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("P1M", "counts in months or years"),
        ("P1Y", "counts in months or years"),
        ("P1Y2DT3H", "counts in months or years"),
        ("-PT5M", "is negative"),
        ("PT-5M", "is negative"),
        ("P", "is not an ISO 8601 duration"),
        ("PT", "is not an ISO 8601 duration"),
        ("P1DT", "is not an ISO 8601 duration"),
        ("P1W2D", "is not an ISO 8601 duration"),
        ("pt10m", "is not an ISO 8601 duration"),
        ("PT10", "is not an ISO 8601 duration"),
        ("PT10M\n", "is not an ISO 8601 duration"),
        ("10 minutes", "is not an ISO 8601 duration"),
        ("a-b", "is not an ISO 8601 duration"),
        ("2024-01-01", "is not an ISO 8601 duration"),
        ("", "is not an ISO 8601 duration"),
        ("P3651D", "is longer than ten years"),
        ("P99999999W", "is longer than ten years"),
        ("PT999999999999999999H", "is longer than ten years"),
        (600, "is not text"),
    ],
)
@pytest.mark.parametrize("key", ["lookback_window", "job_timeout"])
def test_what_is_no_duration_is_refused(key, written, problem):
    error = refusal(**{key: written})
    assert error.key == key
    assert problem in error.problem
    assert '"P' in error.remedy


def test_no_look_back_is_allowed_with_a_warning():
    config = parse(lookback_window="PT0S")
    assert config.lookback_window == timedelta(0)
    (warning,) = config.warnings
    assert "PT0S" in warning


@pytest.mark.parametrize("written", ["PT0S", "P0D", "PT0.0000001S"])
def test_a_job_needs_some_time(written):
    assert refusal(job_timeout=written).problem == f'"{written}" leaves no time at all'


# --- the rest


@pytest.mark.parametrize("written", ["v66.0", "V66.0", "66.0", "v66", "66", " v66.0 "])
def test_an_api_version_is_normalised(written):
    assert parse(api_version=written).api_version == "v66.0"


@pytest.mark.parametrize("written", ["v57.0", "57", "v9.0", "v66.1", "latest", "", "v66.0.0", "v٦٦.0", 66, 66.0])
def test_an_old_or_strange_api_version_is_refused(written):
    error = refusal(api_version=written)
    assert error.key == "api_version"
    assert '"v' in error.remedy


def test_v58_is_the_oldest_api_version():
    assert parse(api_version="v58.0").api_version == "v58.0"


def test_patterns_of_objects():
    config = parse(objects=["Account", " *__c ", "[A-C]??"], exclude_objects=["*History"])
    assert config.objects == ("Account", "*__c", "[A-C]??")
    assert config.exclude_objects == ("*History",)


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"objects": []}, "objects"),
        ({"objects": "Account"}, "objects"),
        ({"objects": ["Account, Contact"]}, "objects[0]"),
        ({"objects": ["Account", ""]}, "objects[1]"),
        ({"objects": ["Account", 1]}, "objects[1]"),
        ({"objects": [None]}, "objects[0]"),
        ({"exclude_objects": [".*History"]}, "exclude_objects[0]"),
        ({"exclude_objects": {}}, "exclude_objects"),
        ({"include_deleted": "true"}, "include_deleted"),
        ({"include_deleted": 1}, "include_deleted"),
        ({"max_concurrent_jobs": 0}, "max_concurrent_jobs"),
        ({"max_concurrent_jobs": True}, "max_concurrent_jobs"),
        ({"page_size": "50000"}, "page_size"),
        ({"page_size": 1.5}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"daily_limit_reserve_percent": -1}, "daily_limit_reserve_percent"),
        ({"daily_limit_reserve_percent": 100}, "daily_limit_reserve_percent"),
        ({"object_overrides": {}}, "object_overrides"),
        ({"object_overrides": ["Account"]}, "object_overrides[0]"),
    ],
)
def test_wrong_types_and_ranges_name_the_key_and_what_to_write(keys, key):
    error = refusal(**keys)
    assert error.key == key
    assert error.remedy.startswith("Write ")
    assert str(error) == f"{error.key} {error.problem}. {error.remedy}."


def test_the_edges_of_the_ranges_are_allowed():
    config = parse(max_concurrent_jobs=1, page_size=1, daily_limit_reserve_percent=0)
    assert (config.max_concurrent_jobs, config.page_size, config.daily_limit_reserve_percent) == (1, 1, 0)
    assert parse(daily_limit_reserve_percent=99).daily_limit_reserve_percent == 99


@pytest.mark.parametrize("raw", [None, [], "text", 5])
def test_a_configuration_is_an_object(raw):
    with pytest.raises(ConfigError, match="is not a JSON object"):
        parse_config(raw)


def test_an_empty_configuration_misses_its_credentials():
    with pytest.raises(ConfigError, match=r"^credentials is missing\. Write "):
        parse_config({})


def test_a_long_value_is_quoted_in_part():
    assert len(str(refusal(start_date="x" * 10_000))) < 300


# --- compound_fields


def test_compound_fields_are_chosen_for_all_objects_and_for_one():
    config = parse(compound_fields="object", object_overrides=[{"object": "Task", "compound_fields": "both"}])
    assert (config.compound_fields, parse().compound_fields) == (CompoundFields.OBJECT, CompoundFields.PARTS)
    task = config.override_for("Task")
    assert task is not None
    assert task.compound_fields is CompoundFields.BOTH
    assert refusal(compound_fields="all").key == "compound_fields"


# --- object_overrides


def test_overrides_are_found_whatever_the_case():
    override = {"object": "Invoice__c", "primary_key": ["A__c", "B__c"], "cursor_field": "Seen__c", "where": " X = 1 "}
    config = parse(object_overrides=[override, {"object": "Task", "primary_key": []}])
    assert config.override_for("INVOICE__C") == ObjectOverride("Invoice__c", ("A__c", "B__c"), "Seen__c", "X = 1")
    assert config.override_for("Task") == ObjectOverride("Task", None, None, None)
    assert config.override_for("Account") is None


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ({}, "object"),
        ({"object": ""}, "object"),
        ({"object": "A*"}, "object"),
        ({"object": "Account.Owner"}, "object"),
        ({"object": 1}, "object"),
        ({"object": "A", "primary_key": "Id"}, "primary_key"),
        ({"object": "A", "primary_key": ["Id", "id"]}, "primary_key"),
        ({"object": "A", "primary_key": ["Id", "a b"]}, "primary_key[1]"),
        ({"object": "A", "primary_key": ["Id", 1]}, "primary_key[1]"),
        ({"object": "A", "cursor_field": ""}, "cursor_field"),
        ({"object": "A", "cursor_field": "Owner.CreatedDate"}, "cursor_field"),
        ({"object": "A", "cursor_field": ["CreatedDate"]}, "cursor_field"),
        ({"object": "A", "where": ""}, "where"),
        ({"object": "A", "where": "X = 1 ORDER BY Id"}, "where"),
        ({"object": "A", "where": "X = 1) OR (X = 2"}, "where"),
        ({"object": "A", "where": "where X = 1"}, "where"),
        ({"object": "A", "where": 1}, "where"),
    ],
)
def test_a_bad_override_is_named_by_its_place(override, key):
    error = refusal(object_overrides=[{"object": "Task"}, override])
    assert error.key == f"object_overrides[1].{key}"
    assert error.remedy.startswith("Write ")


def test_one_override_for_one_object():
    error = refusal(object_overrides=[{"object": "Task"}, {"object": "TASK"}])
    assert error.key == "object_overrides[1].object"
    assert "already" in error.problem


# Fields that are chosen or hashed


def test_fields_of_an_object_may_be_chosen_excluded_and_hashed():
    override = {"object": "Contact", "fields": ["Name"], "exclude_fields": ["Phone"], "hash_fields": ["Email"]}
    config = parse(hash_key=" k3y ", object_overrides=[override])
    known = config.override_for("contact")
    assert known is not None
    assert (known.fields, known.exclude_fields, known.hash_fields) == (("Name",), ("Phone",), ("Email",))
    assert config.hash_key == "k3y"
    assert "k3y" not in repr(config)


@pytest.mark.parametrize("given", [{}, {"hash_key": None}, {"hash_key": "  "}])
def test_hashing_needs_a_key(given):
    override = {"object": "Contact", "hash_fields": ["Email"]}
    with pytest.raises(ConfigError, match=r"hash_key is (missing|empty)"):
        parse(**given, object_overrides=[override])


@pytest.mark.parametrize("key", ["fields", "exclude_fields", "hash_fields"])
@pytest.mark.parametrize("names", [["a b"], ["Name", "name"], [""], ["Owner.Name"]])
def test_a_list_of_fields_holds_names(key, names):
    with pytest.raises(ConfigError, match=rf"object_overrides\[0\].{key}"):
        parse(hash_key="k", object_overrides=[{"object": "Contact", key: names}])
