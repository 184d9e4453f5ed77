from __future__ import annotations

from argparse import Namespace

import pytest

from source_salesforce_bulk.airbyte.command_line import unreadable_file


def problem_with(tmp_path, content: bytes, option: str = "config") -> str | None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    said = unreadable_file(Namespace(command="read", **{option: str(file)}))
    return said and said.replace(f"{file} ", "")


@pytest.mark.parametrize("option", ["config", "catalog", "state"])
@pytest.mark.parametrize("content", [b"{}", "{'ä': 1}".replace("'", '"').encode(), b' {"a": [1]} '])
def test_an_object_is_not_judged_further(tmp_path, content, option):
    assert problem_with(tmp_path, content, option) is None


@pytest.mark.parametrize("content", [b"[]", b" 1 ", b"null", b'"text"', b"true", b"NaN"])
def test_a_configuration_and_a_catalog_are_objects(tmp_path, content):
    for option in ("config", "catalog"):
        said = problem_with(tmp_path, content, option)
        assert said == f"The file given as --{option} is not a JSON object. It begins with {{ and ends with }}."
    assert problem_with(tmp_path, content, "state") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file given as --config is not JSON: Expecting value in line 1, column 1. Correct it there."),
        (b'{"a": 1\n"b"}', "The file given as --config is not JSON: Expecting ',' delimiter in line 2, column 1."),
        (b"\xff\xfe{}", "The file given as --config is not text in UTF-8. Save it as UTF-8."),
        (
            b"1" * 5000,
            "The file given as --config is not JSON that can be read: it holds a number of thousands of digits.",
        ),
        (
            b'{"page_size": -' + b"9" * 5000 + b"}",
            "The file given as --config is not JSON that can be read: it holds a number of thousands of digits.",
        ),
        (b"[" * 200_000, "The file given as --config is not JSON that can be read: it is nested too deeply."),
    ],
)
def test_a_file_that_is_not_json_is_refused_with_where_and_what(tmp_path, content, said):
    assert (problem_with(tmp_path, content) or "").startswith(said)


def test_nothing_of_the_file_is_quoted(tmp_path):
    assert "hunter2" not in (problem_with(tmp_path, b'{"client_secret": "hunter2" oops}') or "")


@pytest.mark.parametrize("option", ["config", "catalog", "state"])
def test_each_file_is_looked_at(tmp_path, option):
    said = unreadable_file(Namespace(command="read", **{option: str(tmp_path / "none.json")}))
    assert said == (
        f"The file {tmp_path / 'none.json'} given as --{option} cannot be read: No such file or directory. "
        "Check its name, and that this user may read it."
    )


def test_a_directory_is_no_file(tmp_path):
    assert "cannot be read: Is a directory" in (unreadable_file(Namespace(command="check", config=str(tmp_path))) or "")


def test_what_was_not_given_is_not_missed():
    assert unreadable_file(Namespace(command="spec")) is None
    assert unreadable_file(Namespace(command="read", state=None)) is None
