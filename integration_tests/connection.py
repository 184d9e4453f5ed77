"""One Airbyte connection: read, and read again from the state of the last read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from integration_tests.connector import Connector, Output, configure
from integration_tests.simulated_org import SimulatedOrg


class Connection:
    """Some objects of one org, read in one mode. Keyword arguments are the connector's configuration."""

    def __init__(
        self,
        org: SimulatedOrg,
        names: Iterable[str],
        mode: str = "incremental",
        fields: Mapping[str, Sequence[str]] | None = None,
        **config: Any,
    ) -> None:
        names = list(names)
        self.connector = Connector(org, **config)
        self.streams = self.connector.streams(objects=names)
        self.catalog = configure(self.streams, names, mode, fields)
        self.state: list[dict[str, Any]] | None = None

    def sync(self, **overlay: Any) -> Output:
        """Read; every stream must be complete. The next sync goes on from what this one left."""
        output = self.attempt(**overlay)
        assert not output.failed, output.errors
        assert {statuses[-1] for statuses in output.statuses.values()} == {"COMPLETE"}
        return output

    def attempt(self, **overlay: Any) -> Output:
        """Read, whatever comes of it; states that were emitted replace those before."""
        output = self.connector.read(self.catalog, self.state, **overlay)
        self.keep(output)
        return output

    def keep(self, output: Output) -> None:
        """The next sync goes on from the states of ``output``; streams without one keep theirs."""
        kept = {_name(state): state for state in [*(self.state or []), *output.final_states()]}
        self.state = list(kept.values())

    def state_of(self, name: str) -> dict[str, Any]:
        """The saved state of a stream."""
        return next(state["stream"]["stream_state"] for state in self.state or [] if _name(state) == name)


def _name(state: Mapping[str, Any]) -> str:
    return str(state["stream"]["stream_descriptor"]["name"])
