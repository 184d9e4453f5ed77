from __future__ import annotations

import re

import pytest

from source_salesforce_bulk.salesforce.failure_kinds import Kind
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS
from source_salesforce_bulk.salesforce.failure_table import ROWS
from source_salesforce_bulk.salesforce.failures import Failure
from source_salesforce_bulk.salesforce.programs import Program, in_words_of

REMEDIES = [*(meaning.guidance for meaning in MEANINGS.values()), *(row.guidance for row in ROWS if row.guidance)]
# Words of one program that another one's reader would look for in vain.
OF_AIRBYTE = re.compile(r"\bsync\b|unselect|\bstream|source's schema|connection's schema", re.IGNORECASE)
OF_EXPORT = re.compile(r"--run-id|same command|--object|exclude_fields|Glue")


@pytest.mark.parametrize("program", Program)
@pytest.mark.parametrize("remedy", REMEDIES)
def test_every_remedy_is_whole_sentences_in_every_program(remedy, program):
    told = in_words_of(program, remedy).replace("{field}", "Name")
    assert not re.search(r"[{}]", told)
    assert told.endswith(".")
    assert all(sentence[:1].isupper() or sentence.startswith("http") for sentence in re.split(r"(?<=\.) ", told))


@pytest.mark.parametrize("remedy", REMEDIES)
def test_no_remedy_names_what_only_another_program_has(remedy):
    assert not OF_EXPORT.search(in_words_of(Program.AIRBYTE, remedy))
    for program in (Program.EXPORT, Program.GLUE):
        assert not OF_AIRBYTE.search(in_words_of(program, remedy))


@pytest.mark.parametrize(
    ("program", "again", "leave_out"),
    [
        (Program.AIRBYTE, "run the sync again", "Unselect the stream"),
        (Program.EXPORT, "run the same command again", "exclude_objects, or choose others with --object"),
        (Program.GLUE, "start the Glue job again with the same --run-id", "exclude_objects"),
    ],
)
def test_a_remedy_is_told_in_the_readers_words(program, again, leave_out):
    assert again in Failure.of(Kind.JOB_FAILED).message_for(program)
    assert leave_out in Failure.of(Kind.OBJECT_NOT_SUPPORTED).message_for(program)


def test_braces_that_are_no_phrase_stay():
    assert in_words_of(Program.AIRBYTE, "{unknown} {} {again}") == "{unknown} {} run the sync again"
