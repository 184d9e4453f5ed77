"""The content of a request, as far as it explains why Salesforce refuses it.

Salesforce writes its messages in the language of the login's user. The request is known without reading them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from source_salesforce_bulk.salesforce.soql import ObjectQuery


class Flow(Enum):
    """The OAuth flows; the values are those of the configuration's ``auth_type``."""

    REFRESH_TOKEN = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"
    JWT_BEARER = "jwt_bearer"


@dataclass(frozen=True, slots=True)
class Asked:
    """The content of a request; attributes that do not apply are None.

    ``soql`` is the statement that ``query`` became, as it was sent. ``sent_at`` is this machine's own time.
    """

    query: ObjectQuery | None = None
    soql: str = ""
    flow: Flow | None = None
    sent_at: datetime | None = None


NOT_KNOWN = Asked()
"""A request about which nothing is known."""
