from __future__ import annotations

import json

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from integration_tests.aws import TABLE, Aws, lose_first_answers
from source_salesforce_bulk.registries.dynamodb_state import LEASE_SECONDS, RENEW_AFTER, DynamoDbStates
from source_salesforce_bulk.registries.state import DataFile, LeaseHeld, LeaseLost, Progress, UnreadableProgress
from unit_tests.fakes import FakeClock


def file(number: int) -> DataFile:
    return DataFile(f"Account/run=r/w00000-p{number:06d}.parquet", 10, 2000, "750A", f"loc{number}" if number else None)


FILES = tuple(file(number) for number in range(6))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def states(aws: Aws, clock: FakeClock) -> DynamoDbStates:
    return DynamoDbStates(aws.client("dynamodb"), TABLE, clock)


def kept(states: DynamoDbStates) -> Progress:
    """The progress that the next run finds."""
    lease = states.acquire("00D", "Account", "reader")
    lease.release()
    return lease.progress


def items(aws: Aws) -> set[str]:
    return {item["sk"]["S"] for item in aws.client("dynamodb").scan(TableName=TABLE)["Items"]}


def test_nothing_kept_is_the_beginning(states):
    assert kept(states) == Progress()


def test_a_table_that_is_not_there_is_seen_before_any_object(states, aws, clock):
    states.check()
    client = aws.client("dynamodb")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        DynamoDbStates(client, "no-such-table", clock).check()
    assert items(aws) == set()


def test_every_step_of_an_export_is_there_for_the_next_run(states, aws):
    """Pages come, a window closes, a job is lost, a manifest takes the files."""
    steps = [
        Progress({"step": 1}, (), (), "s3://b"),
        Progress({"step": 2}, (), FILES[:1], "s3://b"),
        Progress({"step": 3}, (), FILES[:3], "s3://b"),
        Progress({"step": 4}, FILES[:3], (), "s3://b"),
        Progress({"step": 5}, FILES[:3], FILES[3:5], "s3://b"),
        Progress({"step": 6}, FILES[:3], (), "s3://b"),
        Progress({"step": 7}, FILES[:3], FILES[5:], "s3://b"),
        Progress({"step": 8}, (*FILES[:3], FILES[5]), (), "s3://b", "run-1"),
        Progress({"step": 9}, (), (), "s3://b"),
        Progress({"step": 10}, (), FILES[4:5], "s3://b"),
        Progress({"step": 11}, (), FILES[:1], "s3://b"),
    ]
    for step in steps:
        lease = states.acquire("00D", "Account", "one")
        lease.commit(step)
        assert lease.progress == step
        lease.release()
        assert kept(states) == step
    assert len(items(aws)) <= 1 + 1 + len(FILES)


def test_one_lease_commits_the_same_steps(states):
    lease = states.acquire("00D", "Account", "one")
    for count in range(len(FILES) + 1):
        lease.commit(Progress({"files": count}, (), FILES[:count], "s3://b"))
    lease.commit(Progress({}, FILES, (), "s3://b", "run-1"))
    lease.commit(Progress({}, (), (), "s3://b"))
    lease.commit(Progress({}, (), FILES[:2], "s3://b"))
    lease.release()
    assert kept(states) == Progress({}, (), FILES[:2], "s3://b")


def test_more_files_than_an_item_or_a_page_of_a_query_holds(states):
    many = tuple(DataFile(f"{'x' * 4000}/{number:06d}", 1, 1, "750A", None) for number in range(400))
    lease = states.acquire("00D", "Account", "one")
    for start in range(0, len(many), 50):
        lease.commit(Progress({}, (), many[: start + 50], "s3://b"))
    lease.release()
    assert kept(states).open == many


def test_files_that_no_longer_count_are_deleted(states, aws):
    lease = states.acquire("00D", "Account", "one")
    lease.commit(Progress({}, FILES, (), "s3://b"))
    lease.commit(Progress({}, (), (), "s3://b"))
    assert items(aws) == {"progress"}


def test_a_held_lease_names_its_holder_and_how_long(states):
    states.acquire("00D", "Account", "the-first")
    states.acquire("00D", "Contact", "the-second")
    with pytest.raises(LeaseHeld, match=f"the-first.*{LEASE_SECONDS} seconds"):
        states.acquire("00D", "Account", "the-second")


def test_a_dead_runs_lease_expires_and_the_dead_run_can_write_nothing(states, clock):
    """Fencing: the first run wakes up after a second one has taken over."""
    first = states.acquire("00D", "Account", "first")
    first.commit(Progress({"by": "first"}, (), FILES[:1], "s3://b"))
    clock.advance(LEASE_SECONDS + 1)
    second = states.acquire("00D", "Account", "second")
    assert second.progress.open == FILES[:1]
    second.commit(Progress({"by": "second"}, (), FILES[:2], "s3://b"))

    for attempt in (lambda: first.commit(Progress({"by": "first"}, (), FILES[:3], "s3://b")), first.renew):
        with pytest.raises(LeaseLost, match="another run has taken the lease on 00D#Account"):
            attempt()
    first.release()

    second.commit(Progress({"by": "second"}, (), FILES[:3], "s3://b"))
    second.release()
    assert kept(states) == Progress({"by": "second"}, (), FILES[:3], "s3://b")


@pytest.mark.parametrize("error", [EndpointConnectionError(endpoint_url="x"), NoCredentialsError(), OSError("gone")])
def test_giving_a_lease_back_raises_nothing(aws, clock, error):
    client = aws.client("dynamodb")
    lease = DynamoDbStates(client, TABLE, clock).acquire("00D", "Account", "one")

    def fail(**_):
        raise error

    client.meta.events.register("before-call.dynamodb.UpdateItem", fail)
    lease.release()
    lease.release()


def test_a_lease_says_when_it_was_not_given_back(states, clock):
    first = states.acquire("00D", "Account", "same")
    assert first.taken_from is None
    first.release()
    second = states.acquire("00D", "Account", "same")
    assert second.taken_from is None
    clock.advance(LEASE_SECONDS + 1)
    labels = [second.taken_from, states.acquire("00D", "Account", "same").taken_from]
    assert labels[1] is not None
    assert labels[0] != labels[1]


def test_how_far_an_object_is_can_be_seen_without_its_lease(states):
    whole = Progress({"step": 1}, FILES[:2], FILES[2:3], "s3://b", None, "parquet", 7, "r1")
    states.acquire("00D", "Account", "one").commit(whole)
    assert states.progress("00D", "Account") == whole
    assert states.progress("00D", "Contact") == Progress()


def test_the_same_run_id_does_not_share_a_lease(states, clock):
    first = states.acquire("00D", "Account", "same")
    with pytest.raises(LeaseHeld):
        states.acquire("00D", "Account", "same")
    clock.advance(LEASE_SECONDS + 1)
    states.acquire("00D", "Account", "same")
    with pytest.raises(LeaseLost):
        first.commit(Progress())


def test_a_lease_whose_taking_was_sent_twice_is_ours(aws, clock):
    client = aws.client("dynamodb")
    states = DynamoDbStates(client, TABLE, clock)
    lose_first_answers(client, "UpdateItem")
    lease = states.acquire("00D", "Account", "one")
    lease.commit(Progress({"by": "one"}))
    with pytest.raises(LeaseHeld, match="the run one"):
        states.acquire("00D", "Account", "two")
    lease.release()
    assert kept(states) == Progress({"by": "one"})


def test_a_commit_that_was_sent_twice_counts_once(aws, clock):
    client = aws.client("dynamodb")
    lease = DynamoDbStates(client, TABLE, clock).acquire("00D", "Account", "one")
    lose_first_answers(client, "TransactWriteItems")
    lease.commit(Progress({}, (), FILES[:2], "s3://b"))
    lease.commit(Progress({}, FILES[:2], (), "s3://b"))
    lease.release()
    assert kept(DynamoDbStates(client, TABLE, clock)) == Progress({}, FILES[:2], (), "s3://b")


def test_a_lease_that_is_renewed_lasts(states, clock):
    lease = states.acquire("00D", "Account", "one")
    for _ in range(10):
        clock.advance(RENEW_AFTER + 1)
        lease.renew()
    with pytest.raises(LeaseHeld):
        states.acquire("00D", "Account", "two")


def test_a_commit_renews_the_lease(states, clock):
    lease = states.acquire("00D", "Account", "one")
    clock.advance(LEASE_SECONDS - 1)
    lease.commit(Progress())
    clock.advance(LEASE_SECONDS - 1)
    with pytest.raises(LeaseHeld):
        states.acquire("00D", "Account", "two")


def test_a_renewal_that_is_not_due_makes_no_call(states, clock, aws):
    lease = states.acquire("00D", "Account", "one")
    aws.client("dynamodb").delete_table(TableName=TABLE)
    lease.renew()
    clock.advance(RENEW_AFTER)
    with pytest.raises(lease._client.exceptions.ClientError):
        lease.renew()


def test_a_released_lease_commits_nothing(states):
    lease = states.acquire("00D", "Account", "one")
    lease.release()
    lease.release()
    with pytest.raises(LeaseLost):
        lease.commit(Progress({"late": 1}))
    assert kept(states) == Progress()


@pytest.mark.parametrize(
    "damage", [{"state": {"S": "{"}}, {"state": {"S": "[]"}}, {"next_file": {"N": "7"}}], ids=["json", "list", "files"]
)
def test_a_damaged_item_is_named_and_its_lease_given_back(states, aws, damage):
    lease = states.acquire("00D", "Account", "one")
    lease.commit(Progress({}, (), FILES[:2], "s3://b"))
    lease.release()
    client = aws.client("dynamodb")
    key = {"pk": {"S": "00D#Account"}, "sk": {"S": "progress"}}
    item = client.get_item(TableName=TABLE, Key=key)["Item"]
    client.put_item(TableName=TABLE, Item={**item, **damage})
    for _ in range(2):
        with pytest.raises(UnreadableProgress, match="00D#Account"):
            states.acquire("00D", "Account", "two")


def test_the_state_is_readable_where_it_lies(states, aws):
    states.acquire("00D", "Account", "one").commit(Progress({"SystemModstamp": "2026-11-23T02:00:00.000Z"}))
    key = {"pk": {"S": "00D#Account"}, "sk": {"S": "progress"}}
    item = aws.client("dynamodb").get_item(TableName=TABLE, Key=key)["Item"]
    assert json.loads(item["state"]["S"]) == {"SystemModstamp": "2026-11-23T02:00:00.000Z"}
    assert item["owner"]["S"] == "one"
