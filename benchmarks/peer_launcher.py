"""airbyte-source-salesforce as it is, but for its login host. Runs in the peer's own environment.

The peer has ``https://login.salesforce.com`` in its code. Requests to that address, and to nothing else, are sent to
the one in ``BENCH_LOGIN_URL``.
"""

from __future__ import annotations

import os
from typing import Any

import requests

LOGIN = "https://login.salesforce.com"


def main() -> None:
    """Run one protocol command."""
    send = requests.Session.send

    def send_elsewhere(self: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if request.url is not None and request.url.startswith(LOGIN):
            request.url = os.environ["BENCH_LOGIN_URL"] + request.url.removeprefix(LOGIN)
        return send(self, request, **kwargs)

    requests.Session.send = send_elsewhere  # type: ignore[method-assign]
    from source_salesforce.run import run  # noqa: PLC0415 - after the patch

    run()


if __name__ == "__main__":
    main()
