"""The events of a window's query, and the commands with which ``query_job`` responds."""

from __future__ import annotations

from dataclasses import dataclass

from source_salesforce_bulk.salesforce.asked import NOT_KNOWN, Asked
from source_salesforce_bulk.salesforce.bulk_api import JobInfo
from source_salesforce_bulk.salesforce.failures import Failure

# Events


@dataclass(frozen=True, slots=True)
class Start:
    """It is the window's turn: create a job."""


@dataclass(frozen=True, slots=True)
class Probe:
    """It is the window's turn, and it probably has few rows: query them before a job is created."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The probe returned all ``rows`` of the window; None if there may be more."""

    rows: int | None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """It is the window's turn, but windows of its object that were no larger have failed for their size."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The state of an earlier run names a job with exactly this query."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Created:
    """Salesforce created the job."""

    info: JobInfo


@dataclass(frozen=True, slots=True)
class Opened:
    """The window is read through REST, without a job; ``job_id`` stands for one in the state."""

    job_id: str


@dataclass(frozen=True, slots=True)
class CreateFailed:
    """The create was refused, or its response was lost."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Polled:
    """Salesforce returned the job's state; ``asked`` is the job's query."""

    info: JobInfo
    asked: Asked = NOT_KNOWN


@dataclass(frozen=True, slots=True)
class PollFailed:
    """The poll failed, even after transport's retries."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class NotReady:
    """The results resource reports that the job is not complete."""


@dataclass(frozen=True, slots=True)
class PagesLost:
    """The job's result cannot be read to its end."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class PagesRead:
    """All rows of the job have been passed on, and their number is correct."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """No other event; the deadline may have passed."""


_OfTheOrg = Probed | Created | Opened | CreateFailed | Polled | PollFailed | NotReady | PagesLost | PagesRead
Event = Start | Probe | TooLarge | Continue | _OfTheOrg | TimePassed


# Commands


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Send the create."""


@dataclass(frozen=True, slots=True)
class ProbeWindow:
    """Query the window's rows synchronously."""


@dataclass(frozen=True, slots=True)
class AbortJob:
    """Stop this unfinished job and delete it, best effort."""

    job_id: str


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete this finished job, best effort."""

    job_id: str


@dataclass(frozen=True, slots=True)
class SplitWindow:
    """Replace the window by its halves."""


Command = CreateJob | ProbeWindow | AbortJob | DeleteJob | SplitWindow
