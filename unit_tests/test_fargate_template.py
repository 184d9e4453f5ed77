"""The CloudFormation template: what cfn-lint knows, and what a task needs that neither cfn-lint nor moto would miss."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from source_salesforce_bulk.registries.dynamodb_state import _key
from source_salesforce_bulk.runners.cli import export
from source_salesforce_bulk.runners.metrics import NAMESPACE, UNITS
from source_salesforce_bulk.signals import Stop
from unit_tests.cloudformation import DEPLOY, actions, lint, read_template, statements

TEMPLATE = DEPLOY / "fargate" / "template.yaml"


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return read_template(TEMPLATE)


@pytest.fixture(scope="module")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    return template["Resources"]


@pytest.fixture(scope="module")
def container(resources: dict[str, Any]) -> dict[str, Any]:
    (only,) = resources["Task"]["Properties"]["ContainerDefinitions"]
    return only


def of_type(resources: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def test_cfn_lint_finds_nothing() -> None:
    assert lint(TEMPLATE) == (0, "")


def test_the_only_way_out_is_one_address_that_is_told(template: dict[str, Any], resources: dict[str, Any]) -> None:
    (nat,) = of_type(resources, "AWS::EC2::NatGateway")
    assert nat["AllocationId"] == {"Fn::GetAtt": ["EgressAddress", "AllocationId"]}
    assert template["Outputs"]["AddressToAllow"]["Value"] == {"Ref": "EgressAddress"}
    assert resources["EgressAddress"]["DeletionPolicy"] == "Retain"
    assert resources["PrivateDefaultRoute"]["Properties"]["NatGatewayId"] == {"Ref": "NatGateway"}
    for name in ("A", "B"):
        routes = resources[f"PrivateSubnet{name}Routes"]["Properties"]["RouteTableId"]
        assert routes == {"Ref": "PrivateRoutes"}
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in of_type(resources, "AWS::EC2::Subnet"))
    network = resources["Schedule"]["Properties"]["Target"]["EcsParameters"]["NetworkConfiguration"]
    assert network["AwsvpcConfiguration"] == {
        "AssignPublicIp": "DISABLED",
        "SecurityGroups": [{"Ref": "TaskSecurityGroup"}],
        "Subnets": [{"Ref": "PrivateSubnetA"}, {"Ref": "PrivateSubnetB"}],
    }


def test_nothing_comes_in_and_only_https_goes_out(resources: dict[str, Any]) -> None:
    (group,) = of_type(resources, "AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group
    (egress,) = group["SecurityGroupEgress"]
    assert (egress["IpProtocol"], egress["FromPort"], egress["ToPort"]) == ("tcp", 443, 443)


def test_files_and_state_have_endpoints_of_their_own(resources: dict[str, Any]) -> None:
    services = [endpoint["ServiceName"]["Fn::Sub"] for endpoint in of_type(resources, "AWS::EC2::VPCEndpoint")]
    assert sorted(service.rpartition(".")[2] for service in services) == ["dynamodb", "s3"]


def test_the_task_runs_as_the_image_wants(resources: dict[str, Any], container: dict[str, Any]) -> None:
    task = resources["Task"]["Properties"]
    assert (task["NetworkMode"], task["RequiresCompatibilities"]) == ("awsvpc", ["FARGATE"])
    assert task["Cpu"] == {"Ref": "TaskCpu"}
    assert container["User"] == "1000:1000"
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"] == {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}}
    assert container["StopTimeout"] == 120
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"


def test_pages_are_spooled_to_a_volume_that_is_declared(resources: dict[str, Any], container: dict[str, Any]) -> None:
    (environment,) = [entry["Value"] for entry in container["Environment"] if entry["Name"] == "TMPDIR"]
    (mount,) = container["MountPoints"]
    assert mount["ContainerPath"] == environment
    assert mount["SourceVolume"] in [volume["Name"] for volume in resources["Task"]["Properties"]["Volumes"]]


def test_no_secret_stands_in_the_task_definition(container: dict[str, Any]) -> None:
    assert "Secrets" not in container
    assert [entry["Name"] for entry in container["Environment"]] == ["TMPDIR"]


def test_the_command_is_one_that_the_console_script_takes(container: dict[str, Any], monkeypatch) -> None:
    """Every option exists, and every place has the form that is understood."""
    taken: list[Any] = []
    monkeypatch.setattr(
        "source_salesforce_bulk.runners.cli.run_export", lambda options, stop: taken.append(options) or 0
    )
    filled = [part if isinstance(part, str) else _filled(part) for part in container["Command"]]
    assert filled[0] == "export"
    result = CliRunner().invoke(export, filled[1:], obj=Stop())
    assert result.exit_code == 0, result.output
    (options,) = taken
    assert options.config.startswith("secretsmanager://")
    assert options.destination.startswith("s3://")
    assert options.state.startswith("dynamodb://")
    assert options.schemas.startswith("glue://")
    assert options.metrics == "emf"
    assert container["EntryPoint"][0].endswith("/bin/salesforce-bulk")


def _filled(part: dict[str, Any]) -> str:
    if part == {"Ref": "OnDrift"}:
        return "warn"
    return str(part.get("Fn::Sub", "name")).replace("${", "").replace("}", "").replace("AWS::StackName", "stack")


def test_the_table_has_the_keys_that_the_registry_writes(resources: dict[str, Any]) -> None:
    (table,) = of_type(resources, "AWS::DynamoDB::Table")
    assert [key["AttributeName"] for key in table["KeySchema"]] == list(_key("x", "y"))
    assert {entry["AttributeType"] for entry in table["AttributeDefinitions"]} == {"S"}


@pytest.mark.parametrize("role", ["ExecutionRole", "TaskRole", "SchedulerRole"])
def test_no_role_may_do_everything_or_anywhere(resources: dict[str, Any], role: str) -> None:
    for statement in statements(resources[role]):
        assert not any("*" in action for action in actions(statement)), statement
        assert statement["Resource"] != "*" or actions(statement) == ["ecr:GetAuthorizationToken"], statement


def test_only_the_task_itself_reads_the_configuration(resources: dict[str, Any]) -> None:
    secret = [
        (role, statement["Resource"])
        for role in ("ExecutionRole", "TaskRole", "SchedulerRole")
        for statement in statements(resources[role])
        if any(action.startswith("secretsmanager:") for action in actions(statement))
    ]
    assert secret == [("TaskRole", {"Ref": "Config"})]


def test_what_holds_data_outlives_the_stack(resources: dict[str, Any]) -> None:
    for name in ("Config", "Data", "State", "Logs", "EgressAddress"):
        assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain"


def test_alarms_watch_metrics_that_an_export_writes(resources: dict[str, Any]) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    assert {alarm["MetricName"] for alarm in alarms} == {"Failed", "Succeeded"}
    for alarm in alarms:
        assert alarm["Namespace"] == NAMESPACE
        assert alarm["MetricName"] in UNITS
        assert "Dimensions" not in alarm  # the run's totals have none
    (silence,) = [alarm for alarm in alarms if alarm["MetricName"] == "Succeeded"]
    assert silence["TreatMissingData"] == "breaching"


def test_it_can_run_on_spot(template: dict[str, Any], resources: dict[str, Any]) -> None:
    assert template["Parameters"]["CapacityProvider"]["AllowedValues"] == ["FARGATE", "FARGATE_SPOT"]
    assert resources["Cluster"]["Properties"]["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    strategy = resources["Schedule"]["Properties"]["Target"]["EcsParameters"]["CapacityProviderStrategy"]
    assert strategy == [{"CapacityProvider": {"Ref": "CapacityProvider"}, "Weight": 1, "Base": 0}]
