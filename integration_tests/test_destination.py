from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from integration_tests.aws import BUCKET, Aws, lose_first_answers
from source_salesforce_bulk.export.destination import Destination, LocalDestination, ManifestExists, S3Destination


@pytest.fixture(params=["local", "s3", "s3 root"])
def destination(request, tmp_path: Path) -> Destination:
    if request.param == "local":
        return LocalDestination(tmp_path / "out")
    aws: Aws = request.getfixturevalue("aws")
    return S3Destination(aws.client("s3"), BUCKET, "/a/prefix/" if request.param == "s3" else "")


def test_a_manifest_is_written_once(destination):
    assert destination.manifest("r1") is None
    where = destination.create_manifest("r1", {"run_id": "r1"})
    assert where.endswith("_manifests/r1.json")
    with pytest.raises(ManifestExists):
        destination.create_manifest("r1", {"run_id": "another"})
    assert destination.manifest("r1") == {"run_id": "r1"}
    assert destination.manifest("r2") is None


def test_the_same_manifest_again_is_the_one_that_is_there(destination):
    """A dead run's manifest may be declared abandoned by two others at once."""
    where = destination.create_manifest("r1", {"run_id": "r1", "status": "abandoned"})
    assert destination.create_manifest("r1", {"run_id": "r1", "status": "abandoned"}) == where


def test_a_manifest_whose_first_answer_was_lost_is_written(aws):
    """boto3 sends it again, and S3 refuses the second one because of the first."""
    client = aws.client("s3")
    answers = []
    client.meta.events.register(
        "after-call.s3.PutObject", lambda http_response, **_: answers.append(http_response.status_code)
    )
    lose_first_answers(client, "PutObject")
    destination = S3Destination(client, BUCKET, "a")
    assert destination.create_manifest("r1", {"run_id": "r1"}) == f"s3://{BUCKET}/a/_manifests/r1.json"
    assert answers == [412]
    assert destination.manifest("r1") == {"run_id": "r1"}


def test_a_manifest_that_somebody_is_creating_at_this_moment_is_not_said_to_exist(aws):
    """Its content is not known yet: the run that looks fails, and a later run reads it."""
    client = aws.client("s3")
    destination = S3Destination(client, BUCKET, "")
    with Stubber(client) as stub:
        stub.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
        stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
        with pytest.raises(ClientError, match="ConditionalRequestConflict"):
            destination.create_manifest("r1", {"run_id": "r1"})


def test_the_size_of_a_file_is_known_once_it_is_there(destination, tmp_path):
    path = "Attachment/_files/a.pdf"
    assert destination.size(path) is None
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    destination.put(file, path)
    assert destination.size(path) == 5


@pytest.mark.parametrize(("code", "status"), [("404", 404), ("403", 403)])
def test_s3_without_the_right_to_list_says_403_of_a_missing_file(aws, code, status):
    client = aws.client("s3")
    with Stubber(client) as stubber:
        stubber.add_client_error("head_object", code, http_status_code=status)
        assert S3Destination(client, BUCKET, "a").size("x") is None
        stubber.add_client_error("head_object", "503", http_status_code=503)
        with pytest.raises(ClientError):
            S3Destination(client, BUCKET, "a").size("x")


def test_a_file_replaces_what_stood_there(destination, tmp_path, request):
    path = "Account/run=r/w00000-p000000.parquet"
    for content in (b"of old, and longer", b"new"):
        file = tmp_path / "page"
        file.write_bytes(content)
        destination.put(file, path)
        assert content_at(f"{destination.url}/{path}", request) == content


def content_at(url: str, request: pytest.FixtureRequest) -> bytes:
    place = urlsplit(url)
    if place.scheme == "file":
        return Path(place.path).read_bytes()
    aws: Aws = request.getfixturevalue("aws")
    content: bytes = aws.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    return content


def test_s3_keys_begin_with_the_prefix(aws, tmp_path):
    file = tmp_path / "page"
    file.write_bytes(b"rows")
    S3Destination(aws.client("s3"), BUCKET, "/a/b/").put(file, "Account/x.parquet")
    S3Destination(aws.client("s3"), BUCKET, "").create_manifest("r", {})
    assert aws.all_keys() == {"a/b/Account/x.parquet", "_manifests/r.json"}


def test_a_local_folder_holds_nothing_but_whole_files(tmp_path):
    file = tmp_path / "page"
    file.write_bytes(b"rows")
    destination = LocalDestination(tmp_path / "out")
    destination.put(file, "Account/run=r/x.parquet")
    destination.create_manifest("r", {})
    found = [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(found) == ["Account/run=r/x.parquet", "_manifests/r.json"]
    assert (tmp_path / "out" / "Account/run=r/x.parquet").read_bytes() == b"rows"
