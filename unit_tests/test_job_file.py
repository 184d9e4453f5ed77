from __future__ import annotations

from pathlib import Path

import pytest

from source_salesforce_bulk.export.job_file import LARGEST, JobFileError, job_schema, parse_job, read_job


def problem(text: bytes) -> str:
    with pytest.raises(JobFileError) as caught:
        parse_job(text, "job.yaml")
    return str(caught.value)


def test_its_keys_are_the_options():
    job = parse_job(b"config: c.json\nobjects: [Account, '*__c']\nformat: jsonl\non_drift: fail\n", "job.yaml")
    assert job.defaults() == {
        "config": "c.json",
        "objects": ["Account", "*__c"],
        "format_name": "jsonl",
        "on_drift": "fail",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"config: x\ndestinaton: y\n", "line 2: destinaton is not a known key; did you mean destination?"),
        (b"# nightly\n\nobject: [Account]\n", "line 3: object is not a known key; did you mean objects?"),
        (b"zzz: 1\n", "line 1: zzz is not a known key; known are config"),
        (b"objects: Account\n", "line 1: objects: input should be a valid list"),
        (b"state: s\nformat: parket\n", "line 2: format: input should be 'jsonl', 'jsonl.gz' or 'parquet'"),
        (b"state: a\nconfig: b\nstate: c\n", "line 3: state was already given in line 1"),
        (b"config: [\n", "line 2: this is not YAML"),
        (b"- Account\n", "has keys and values"),
        (b"", "has keys and values"),
        (b"\x00\xff", "this is not YAML"),
        (b"continue_here: 'yes'\n", "line 1: continue_here: input should be a valid boolean"),
    ],
)
def test_a_wrong_one_is_refused_by_line_and_key(text, says):
    assert says in problem(text)


def test_no_value_is_quoted():
    assert "s3cret" not in problem(b"continue_here: s3cret\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(JobFileError, match=r"nightly\.yaml cannot be read: No such file"):
        read_job(tmp_path / "nightly.yaml")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(JobFileError, match="more than"):
        read_job(tmp_path / "huge.yaml")


def test_every_key_is_in_the_schema_with_a_description():
    schema = job_schema()
    assert schema["additionalProperties"] is False
    assert all(entry.get("description") for entry in schema["properties"].values())
