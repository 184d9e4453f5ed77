from __future__ import annotations

from source_salesforce_bulk.export.run_attempts import read_attempts


def manifest(run_id: str, *entries: dict[str, object], status: str = "complete") -> dict[str, object]:
    return {"run_id": run_id, "status": status, "objects": list(entries)}


def entry(name: str, status: str = "complete", *paths: str) -> dict[str, object]:
    return {"object": name, "status": status, "files": [{"path": path} for path in paths]}


def attempts(**manifests: dict[str, object]):
    return read_attempts("monday", {name.replace("_", "."): one for name, one in manifests.items()}.get)


def test_a_run_without_a_manifest_writes_the_first():
    assert attempts().next_name == "monday"
    assert attempts().complete_objects == frozenset()


def test_each_attempt_has_the_next_name():
    found = attempts(monday=manifest("monday", status="partial"), monday_2=manifest("monday"))
    assert found.next_name == "monday.3"
    assert len(found.manifests) == 2


def test_what_any_attempt_has_completed_is_complete():
    found = attempts(
        monday=manifest("monday", entry("Account"), entry("Contact", "failed"), entry("Lead", "run again")),
        monday_2=manifest("monday", entry("Account", "failed"), entry("Contact")),
    )
    assert found.complete_objects == {"Account", "Contact"}


def test_the_manifest_of_a_run_whose_id_looks_like_an_attempt_only_takes_its_name():
    found = attempts(monday=manifest("monday"), monday_2=manifest("monday.2", entry("Account")))
    assert found.next_name == "monday.3"
    assert found.complete_objects == frozenset()


def test_files_that_a_manifest_names_keep_their_window_numbers():
    paths = ("Account/run=monday/w00004-p000000.parquet", "Account/run=monday.7/w00009-p000000.parquet")
    found = attempts(monday=manifest("monday", entry("Account", "failed", *paths), entry("Contact")))
    assert found.highest_window("monday", "Account") == 4
    assert found.highest_window("monday.7", "Account") == 9
    assert found.highest_window("monday", "Contact") == -1


def test_a_manifest_that_is_damaged_below_its_first_level_counts_for_nothing():
    found = attempts(monday={"run_id": "monday", "objects": "none"}, monday_2={"run_id": "monday", "objects": [3]})
    assert (found.next_name, found.complete_objects) == ("monday.3", frozenset())
