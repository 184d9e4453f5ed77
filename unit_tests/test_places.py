from __future__ import annotations

from collections.abc import Callable

import pytest

from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.destination import LocalDestination, S3Destination
from source_salesforce_bulk.export.metrics_sink import EmbeddedMetrics, MetricsFile, NoMetrics
from source_salesforce_bulk.export.places import UnknownPlace
from source_salesforce_bulk.registries.dynamodb_state import DynamoDbStates
from source_salesforce_bulk.registries.glue_schemas import GlueSchemas
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.registries.schemas import LocalSchemas
from unit_tests.fakes import FakeClock

OPTIONS: dict[str, Callable[[str], object]] = {
    "destination": places.destination,
    "state": lambda url: places.state_registry(url, FakeClock()),
    "schemas": lambda url: places.schema_registry(url, FakeClock()),
    "metrics": lambda text: places.metrics_sink(text, print),
}


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, str]]:
    """The service and the thing that each client was made for; nothing is asked of the clients here."""
    made: list[tuple[str, str]] = []
    monkeypatch.setattr(places, "aws_client", lambda service, about: made.append((service, about)))
    return made


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("option", "text", "kind"),
    [
        ("destination", "file:///out", LocalDestination),
        ("state", "file://localhost/state", LocalStates),
        ("schemas", "file:///schemas/", LocalSchemas),
        ("metrics", "none", NoMetrics),
        ("metrics", "emf", EmbeddedMetrics),
        ("metrics", "json:metrics.json", MetricsFile),
    ],
)
def test_what_lies_on_this_machine_needs_no_aws(asked, option, text, kind):
    assert type(OPTIONS[option](text)) is kind
    assert asked == []


@pytest.mark.parametrize("written", ["out", "./out", "x/../out", "{here}/out", "file://{here}/out"])
def test_a_folder_may_be_written_as_a_path(asked, tmp_path, written):
    assert places.destination(written.format(here=tmp_path)).url == (tmp_path / "out").as_uri()
    assert type(places.state_registry("state", FakeClock())) is LocalStates
    assert type(places.schema_registry("~/schemas", FakeClock())) is LocalSchemas
    assert places.destination("100% #1?").url.endswith("/100%25%20%231%3F")


@pytest.mark.parametrize(
    ("option", "text", "near"),
    [
        ("destination", "s3a://b/x", "s3://"),
        ("destination", "fil:///x", "file:///"),
        ("state", "dynamo://t", "dynamodb://"),
    ],
)
def test_a_misspelt_place_is_answered_with_the_nearest(asked, option, text, near):
    with pytest.raises(UnknownPlace, match=f"Did you mean {near}"):
        OPTIONS[option](text)


@pytest.mark.parametrize(
    ("option", "url", "kind", "service", "about"),
    [
        ("destination", "s3://bucket", S3Destination, "s3", "the bucket bucket"),
        ("destination", "s3://bucket/a/prefix/", S3Destination, "s3", "the bucket bucket"),
        ("state", "dynamodb://My_state.v2", DynamoDbStates, "dynamodb", "the table My_state.v2"),
        ("schemas", "glue://registry/", GlueSchemas, "glue", "the schema registry registry"),
    ],
)
def test_a_place_at_aws_has_a_client_of_its_service_that_knows_its_name(asked, option, url, kind, service, about):
    assert type(OPTIONS[option](url)) is kind
    assert asked == [(service, about)]


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("file:///out/with%20blank", "file:///out/with%20blank"),
        ("file:///out/%23%3F", "file:///out/%23%3F"),
        ("s3://Bucket.name_1/a/b/", "s3://Bucket.name_1/a/b"),
    ],
)
def test_a_destination_is_where_it_was_said_to_be(asked, written, url):
    assert places.destination(written).url == url


@pytest.mark.parametrize(
    ("option", "texts", "instead"),
    [
        ("destination", ["/", "", "gs://bucket", "s3://", "s3:///x", "s3a://bucket/x"], "file:///data, or s3://"),
        (
            "state",
            ["s3://bucket", "dynamodb://", "dynamodb://table/x", "dynamodb:table"],
            "file:///data, or dynamodb://",
        ),
        ("schemas", ["glue://", "glue://a/b", "dynamodb://t"], "file:///data, or glue://"),
        ("metrics", ["", "json", "json:", "cloudwatch", "file:///x"], "none, emf or json:PATH"),
    ],
)
def test_what_is_no_place_is_named_with_what_to_write_instead(asked, option, texts, instead):
    for text in texts:
        with pytest.raises(UnknownPlace) as raised:
            OPTIONS[option](text)
        said = str(raised.value)
        assert said.startswith(f"{text!r} is not a valid ")
        assert instead in str(raised.value)
    assert asked == []


def test_a_file_of_metrics_that_cannot_be_written_is_no_place(tmp_path):
    with pytest.raises(UnknownPlace, match=r"cannot be written to .*Is a directory"):
        places.metrics_sink(f"json:{tmp_path}", print)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["destination", "state", "schemas"])
@pytest.mark.parametrize(
    "url",
    ["file://", "file:///", "file://out/x", "file://host/x", "file:///out#1", "file:///out?", "s3://[x", "//[x/y"],
)
def test_a_url_that_would_end_up_elsewhere_is_no_place(asked, option, url):
    with pytest.raises(UnknownPlace):
        OPTIONS[option](url)


def test_a_key_prefix_is_never_cut_short(asked):
    for url in ("s3://bucket/a#b", "s3://bucket/a?b"):
        with pytest.raises(UnknownPlace):
            places.destination(url)


def test_tables_with_an_old_pyarrow_are_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(places, "version", lambda name: "17.0.0")
    with pytest.raises(UnknownPlace, match=r"needs pyarrow 18; 17\.0\.0 is installed here"):
        places.tables("iceberg://glue/crm")
