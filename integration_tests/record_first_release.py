"""Record what the first release writes: states, catalogs, exports, items of a table, and how it reads configurations.

    make build/first-release/.set-up && python -m integration_tests.record_first_release

The files under ``recorded/0.1.0`` are text, and ``test_upgrade`` continues from each. A state that names query jobs
comes with their queries, from which a fresh simulated org makes jobs with the same ids.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from integration_tests.aws import TABLE, simulated_aws
from integration_tests.connector import configure
from integration_tests.first_release import BIN, FirstConnector, FirstExporter
from integration_tests.org_client import strike
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

RECORDED = Path(__file__).parent / "recorded" / "0.1.0"
RELEASE = RECORDED.name
SPEC = Path(__file__).parents[1] / "unit_tests" / "samples" / "spec" / "0.1.0.json"
SETTINGS = {"rows": 0.1, "polls_until_complete": 1, "frozen_at": "2026-11-24T08:00:00Z"}
TOO_LARGE = {
    "kind": "job_failed",
    "object": "OpportunityLineItem",
    "rows": 25,
    "message": "Retried more than 15 times",
    "value": "above",
    "times": None,
}
REFUSED = {"kind": "http_error", "on": "createJob", "object": "AccountShare", "status": 400, "times": None}
FOLDER = "{folder}"
"""Takes the place of the folder of an export in what is recorded."""

SYNCS: Mapping[str, tuple[str, str, int, int, list[dict[str, Any]]]] = {
    # name: object, sync mode, rows of a page, the page at whose delivery the sync is stopped (0: not), faults
    "sync-ended": ("Contact", "incremental", 500, 0, []),
    "sync-inside-a-job": ("Contact", "incremental", 40, 5, []),
    "refresh-inside-a-job": ("Contact", "full_refresh", 40, 5, []),
    "sync-split": ("OpportunityLineItem", "incremental", 10, 5, [TOO_LARGE]),
}
EXPORTS: Mapping[str, tuple[int, str | None, list[dict[str, Any]]]] = {
    # name: the page at whose delivery the export is stopped (0: not), the place of states, faults
    "export-ended": (0, None, []),
    "export-stopped": (4, None, []),
    "export-stopped-dynamodb": (4, f"dynamodb://{TABLE}", []),
    "export-partial": (0, None, [REFUSED]),
}
SMALL_PAGE = 10
EXPORTED = ["CampaignMember", "AccountShare"]

# As the first release reads a configuration; credentials are left out.
_READ = """
import json, sys
from source_salesforce_bulk.config import parse_config
found = []
for raw in json.load(sys.stdin):
    config = parse_config(raw)
    overrides = {name: [one.object, one.primary_key, one.cursor_field, one.where]
                 for name, one in config.overrides.items()}
    found.append({
        "login_url": config.login_url, "start_date": str(config.start_date), "objects": config.objects,
        "exclude_objects": config.exclude_objects, "include_deleted": config.include_deleted,
        "lookback_window": str(config.lookback_window), "api_version": config.api_version,
        "max_concurrent_jobs": config.max_concurrent_jobs, "page_size": config.page_size,
        "job_timeout": str(config.job_timeout), "reserve": config.daily_limit_reserve_percent, "overrides": overrides,
    })
print(json.dumps(found))
"""


def main() -> int:
    """Write every file again; 0."""
    RECORDED.mkdir(parents=True, exist_ok=True)
    for name in SYNCS:
        _write(name, record_sync(name))
    for name in EXPORTS:
        _write(name, record_export(name))
    _write("configurations", record_configurations())
    return 0


def record_sync(name: str) -> dict[str, Any]:
    """Let 0.1.0 sync one object, to its end or until a page is served."""
    object_name, mode, page_size, stop_at, faults = SYNCS[name]
    with SimulatedOrg(OrgSettings(**SETTINGS)) as org:
        _strike(org, faults)
        connector = FirstConnector(org, page_size=page_size, max_concurrent_jobs=1)
        catalog = configure(connector.streams(objects=[object_name]), [object_name], mode)
        output = connector.read_until("page_served", stop_at, catalog) if stop_at else connector.read(catalog)
        return {
            "release": RELEASE,
            "settings": SETTINGS,
            "faults": faults,
            "page_size": page_size,
            "object": object_name,
            "catalog": catalog,
            "jobs": _jobs(org),
            "state": output.final_states(),
            "ids": [row["Id"] for row in output.rows[object_name]],
        }


def record_export(name: str) -> dict[str, Any]:
    """Let 0.1.0 export two objects, to their end or until a page is served."""
    stop_at, states, faults = EXPORTS[name]
    with SimulatedOrg(OrgSettings(**SETTINGS)) as org, simulated_aws() as aws, tempfile.TemporaryDirectory() as folder:
        aws.reset()
        os.environ |= aws.environment
        _strike(org, faults)
        exporter = FirstExporter(org, Path(folder), page_size=SMALL_PAGE, max_concurrent_jobs=1)
        more = ["--format", "jsonl", "--run-id", "monday", *(["--state", states] if states else [])]
        process = exporter.start(EXPORTED, *more)
        if stop_at:
            org.control.when_do("page_served", process.terminate, nth=stop_at)
        process.communicate(timeout=120)
        found = {
            "release": RELEASE,
            "settings": SETTINGS,
            "faults": faults,
            "page_size": SMALL_PAGE,
            "objects": EXPORTED,
            "exit_code": process.returncode,
            "jobs": _jobs(org),
            "items": aws.client("dynamodb").scan(TableName=TABLE)["Items"],
            "files": _files(Path(folder)),
        }
        placed: dict[str, Any] = json.loads(json.dumps(found).replace(folder, FOLDER))
        return placed


def record_configurations() -> dict[str, Any]:
    """Return configurations made from the examples in the spec of 0.1.0, and how 0.1.0 reads each."""
    configurations = list(_configurations())
    done = subprocess.run(
        [BIN / "python", "-c", _READ], input=json.dumps(configurations), capture_output=True, text=True, check=True
    )
    pairs = zip(configurations, json.loads(done.stdout), strict=True)
    return {"release": RELEASE, "read": [{"config": config, "as": read} for config, read in pairs]}


def _configurations() -> list[dict[str, Any]]:
    """A configuration for each example, default, choice and bound of each key."""
    properties = json.loads(SPEC.read_text(encoding="utf-8"))["connectionSpecification"]["properties"]
    login = {"auth_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
    usual = {"credentials": login, "login_url": "https://acme.my.salesforce.com"}
    found = [usual, {"credentials": {**login, "auth_type": "refresh_token", "refresh_token": "token"}}]
    for key, described in properties.items():
        if key in ("credentials", "object_overrides"):
            continue
        values = [*described.get("examples", []), *described.get("enum", [])]
        values += [described[word] for word in ("default", "minimum", "maximum") if word in described]
        if described.get("type") == "boolean":
            values += [True, False]
        if key == "login_url":  # shared hosts take no client credentials
            found += [{**found[1], key: value} for value in values]
        else:
            found += [{**usual, key: value} for value in values]
    items = properties["object_overrides"]["items"]["properties"]
    for key, described in items.items():
        found += [{**usual, "object_overrides": [{"object": "Case", key: one}]} for one in described["examples"]]
    return [*found, {**usual, "a_key_of_the_user": 1, "_note": "kept"}]


def _jobs(org: SimulatedOrg) -> list[dict[str, Any]]:
    return [{key: job[key] for key in ("id", "query", "operation")} for job in org.control.jobs()]


def _files(folder: Path) -> dict[str, str]:
    """Return the texts of an export's files; its configuration, which has credentials, and locks are left out."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    texts = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in paths}
    return {name: text for name, text in texts.items() if name != "config.json"}


def _strike(org: SimulatedOrg, faults: list[dict[str, Any]]) -> None:
    for fault in faults:
        strike(org, **fault)


def _write(name: str, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (RECORDED / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
