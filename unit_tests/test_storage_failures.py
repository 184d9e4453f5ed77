from __future__ import annotations

import errno

import pytest
from botocore.exceptions import NoRegionError

from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.export.storage_failures import defect, storage_failure
from source_salesforce_bulk.salesforce.failures import Consequence, page_not_kept


@pytest.mark.parametrize(
    ("error", "consequence", "says"),
    [
        (OSError(28, "No space left on device"), Consequence.TRANSIENT, "no space is left"),
        (PermissionError(13, "Permission denied", "/out"), Consequence.CONFIG, "Permission denied: /out"),
        (NoRegionError(), Consequence.CONFIG, "You must specify a region."),
    ],
)
def test_trouble_with_storage_says_who_has_to_act(error, consequence, says):
    failed = storage_failure(error, "Account")
    assert isinstance(failed, ExportFailed)
    assert failed.consequence is consequence
    assert failed.message.startswith("Account: ")
    assert says in failed.message


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE])
def test_a_disk_means_the_same_for_a_page_as_for_a_file_of_the_export(number):
    error = OSError(number, "why", "/somewhere")
    failed = storage_failure(error, "Account")
    assert failed is not None
    assert failed.consequence is page_not_kept(error).consequence


def test_a_full_disk_is_named_by_the_file_that_it_should_hold():
    failed = storage_failure(OSError(errno.ENOSPC, "No space left on device", "/data/out/Account/x.parquet"), "Account")
    assert failed is not None
    assert "the disk that holds /data/out/Account/x.parquet" in failed.message


def test_too_many_open_files_are_not_blamed_on_a_path():
    failed = storage_failure(OSError(errno.EMFILE, "Too many open files", "/tmp/page"), "Account")
    assert failed is not None
    assert "ulimit -n" in failed.message
    assert "/tmp" not in failed.message


def test_anything_else_is_no_trouble_with_storage():
    assert storage_failure(ValueError("x"), "Account") is None


def test_a_defect_says_where_and_quotes_nothing():
    try:
        ExportFailed(Consequence.SYSTEM, "secret value").no_such_attribute  # noqa: B018
    except AttributeError as error:
        failed = defect(error, "Account")
    assert failed.consequence is Consequence.SYSTEM
    assert failed.message.startswith("Account: AttributeError in test_storage_failures.py, line ")
    assert "secret value" not in failed.message
