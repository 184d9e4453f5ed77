"""What can happen to a window's query, and what ``query_job`` has done about it."""

from __future__ import annotations

from dataclasses import dataclass

from source_salesforce_bulk.salesforce.asked import NOT_KNOWN, Asked
from source_salesforce_bulk.salesforce.bulk_api import JobInfo
from source_salesforce_bulk.salesforce.failures import Failure

# Events


@dataclass(frozen=True, slots=True)
class Start:
    """The window's turn has come: ask for a job."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The window's turn has come, and it may well hold little: ask for its rows before a job is created for it."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The window's rows are here, all ``rows`` of them; None where there may be more, or the org did not say."""

    rows: int | None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The window's turn has come, and others of its object that were no larger could not be read whole."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The state of an earlier run names this job for exactly this query."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Created:
    """Salesforce took the job."""

    info: JobInfo


@dataclass(frozen=True, slots=True)
class Opened:
    """The window is read through REST, without a job; ``job_id`` stands for one in the state."""

    job_id: str


@dataclass(frozen=True, slots=True)
class CreateFailed:
    """The create was refused, or its answer was lost."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Polled:
    """Salesforce answered how the job stands; ``asked`` is the query that the job is for."""

    info: JobInfo
    asked: Asked = NOT_KNOWN


@dataclass(frozen=True, slots=True)
class PollFailed:
    """The poll could not be answered, transport's retries included."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class NotReady:
    """The results route says the job is not complete after all."""


@dataclass(frozen=True, slots=True)
class PagesLost:
    """The job's result cannot be read to its end."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class PagesRead:
    """Every row of the job has been handed on, and their number is right."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened; the deadline may have come."""


_OfTheOrg = Probed | Created | Opened | CreateFailed | Polled | PollFailed | NotReady | PagesLost | PagesRead
Event = Start | Probe | TooLarge | Continue | _OfTheOrg | TimePassed


# Commands


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Send the create."""


@dataclass(frozen=True, slots=True)
class ProbeWindow:
    """Ask for the window's rows synchronously."""


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
