"""AWS on a loopback port (moto), which the connector's own boto3 clients find through the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import requests
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
TABLE, BUCKET, REGISTRY, SECRET, BUS = "salesforce-state", "salesforce-data", "salesforce", "prod/salesforce", "drift"


class Aws:
    """One simulated AWS account with what an export needs."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a process finds it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """A client of one of its services."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def reset(self) -> None:
        """Nothing is there but an empty bucket, table, event bus."""
        requests.post(f"{self.url}/moto-api/reset", timeout=10).raise_for_status()
        self.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        self.client("events").create_event_bus(Name=BUS)

    def all_keys(self) -> set[str]:
        """The keys of all objects in the bucket."""
        found = self.client("s3").list_objects_v2(Bucket=BUCKET)
        return {entry["Key"] for entry in found.get("Contents", [])}

    def hear_events(self) -> str:
        """From now on, events of the bus wait in a queue; its URL."""
        queue = self.client("sqs").create_queue(QueueName="drift")["QueueUrl"]
        arn = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        events = self.client("events")
        events.put_rule(Name="all", EventBusName=BUS, EventPattern='{"source": ["source-salesforce-bulk"]}')
        events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
        return queue


def lose_first_answers(client: Any, operation: str) -> None:
    """Each request of this operation arrives and its first answer does not: the client sends it again by itself."""
    event = f"needs-retry.{client.meta.service_model.service_name}.{operation}"
    # What a handler of this event returns is the pause before the next attempt, in seconds; None means: no retry.
    client.meta.events.register_first(event, lambda attempts, **_: 0 if attempts == 1 else None)


@contextmanager
def simulated_aws() -> Iterator[Aws]:
    """An account on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Aws(f"http://{host}:{port}")
    finally:
        server.stop()
