"""Error responses of the token endpoint: codes first, then the flow and the clocks, then the text.

Salesforce sends ``invalid_grant`` for a dozen errors that differ only in their text. If the text is not known here,
the flow decides: a flow without a refresh token cannot fail because of an expired one.
"""

from __future__ import annotations

from functools import partial

from source_salesforce_bulk.salesforce.failure_evidence import Fact, Row, codes, facts, statuses, text
from source_salesforce_bulk.salesforce.failure_kinds import Kind
from source_salesforce_bulk.salesforce.wire import Operation

_row = partial(Row, operations=frozenset({Operation.TOKEN}))
"""A row about a response of the token endpoint."""

_REFUSED = statuses(400, 401, 403)
_REDIRECT = frozenset(range(300, 400))

_APP_ACCESS = (
    "Under the app's OAuth policies either set Permitted Users to All users may self-authorize, or add a profile or "
    "permission set of the integration user to the app."
)
_ADDRESSES = (
    "Add the addresses that this program runs from to the Login IP Ranges of the user's profile (Setup > Profiles)"
)
_NEW_REFRESH_TOKEN = (
    "Authenticate again to get a new refresh token: this one has expired, was revoked or was replaced "
    "(rotation); the app's Refresh Token Policy says how long one lives. A sandbox's token is known only where the "
    "sandbox logs in, at https://test.salesforce.com or its My Domain URL."
)

_BY_CODE = (
    _row("too many logins, by code", Kind.LOGIN_RATE_LIMITED, codes=codes("rate_limit_exceeded")),
    _row(
        "login host in trouble",
        Kind.UNAVAILABLE,
        codes=codes("unknown_error server_error temporarily_unavailable"),
    ),
    _row("user not active, by code", Kind.USER_INACTIVE, codes=codes("inactive_user")),
    _row("org not active, by code", Kind.ORG_INACTIVE, codes=codes("inactive_org inactive_organization")),
    _row("app not in the org", Kind.APP_UNKNOWN, codes=codes("app_not_found invalid_client_id")),
    _row(
        "app blocked",
        Kind.POLICY_REFUSED,
        codes=codes("oauth_app_blocked oauth_app_access_denied"),
        guidance="Have an administrator unblock the app under Setup > Connected Apps OAuth Usage, or install it there.",
    ),
    _row("app not for the user", Kind.POLICY_REFUSED, codes=codes("invalid_app_access"), guidance=_APP_ACCESS),
    _row(
        "app not installed, says so",
        Kind.APP_UNKNOWN,
        statuses=_REFUSED,
        text=text(r"\binstalled\b"),
    ),
    _row(
        "secret refused",
        Kind.CREDENTIALS_REFUSED,
        codes=codes("invalid_client invalid_client_credentials"),
        guidance="Check client_secret (Consumer Secret) against the app's OAuth settings: it may have been rotated. If "
        "it is right, see that the app is installed in this org (Setup > Connected Apps OAuth Usage) and that "
        "login_url is this org's: a sandbox logs in at https://test.salesforce.com or its My Domain URL.",
    ),
    _row(
        "grant not offered",
        Kind.CREDENTIALS_REFUSED,
        codes=codes("unsupported_grant_type unauthorized_client"),
        guidance="Enable the chosen OAuth flow in the app's OAuth settings, or choose another auth_type.",
    ),
)

_BY_CLOCK = (
    _row(
        "assertion out of date",
        Kind.CLOCK_WRONG,
        codes=codes("invalid_grant invalid_assertion"),
        facts=facts(Fact.JWT_BEARER, Fact.CLOCK_WRONG),
    ),
)

_BY_WORDS = (
    _row("wrong audience", Kind.WRONG_LOGIN_HOST, statuses=_REFUSED, text=text(r"audience")),
    _row(
        "wrong domain for the grant",
        Kind.WRONG_LOGIN_HOST,
        statuses=_REFUSED,
        text=text(r"not supported on this domain"),
    ),
    _row(
        "address not on the app's list",
        Kind.IP_RESTRICTED,
        statuses=_REFUSED,
        text=text(r"ip restricted by app|restricted by (the )?app developer"),
        guidance="The app's developer accepts its refresh tokens only from listed addresses: have the address that "
        "this program runs from added to the IP allowlist of the External Client App. The org's own Network Access "
        "and Relax IP restrictions have no part in this.",
    ),
    _row(
        "assertion from a foreign address",
        Kind.IP_RESTRICTED,
        statuses=_REFUSED,
        facts=facts(Fact.JWT_BEARER),
        text=text(r"ip restricted|restricted ip"),
        guidance=f"{_ADDRESSES}. With jwt_bearer these ranges always hold: Relax IP restrictions does not lift them.",
    ),
    _row(
        "login from a foreign address",
        Kind.IP_RESTRICTED,
        statuses=_REFUSED,
        text=text(r"ip restricted|restricted ip"),
    ),
    _row(
        "too many logins",
        Kind.LOGIN_RATE_LIMITED,
        statuses=_REFUSED | {429},
        text=text(r"login rate|rate limit"),
    ),
    _row("login collision", Kind.LOGIN_COLLISION, statuses=_REFUSED, text=text(r"being processed")),
    _row(
        "assertion out of date, says so",
        Kind.CLOCK_WRONG,
        statuses=_REFUSED,
        facts=facts(Fact.JWT_BEARER),
        text=text(r"\bexpired\b"),
    ),
    _row(
        "refresh token dead",
        Kind.CREDENTIALS_REFUSED,
        statuses=_REFUSED,
        but_not=facts(Fact.JWT_BEARER, Fact.CLIENT_CREDENTIALS),
        text=text(r"expired (access/refresh|refresh|authorization)"),
        guidance=_NEW_REFRESH_TOKEN,
    ),
    _row(
        "no run-as user",
        Kind.CREDENTIALS_REFUSED,
        statuses=_REFUSED,
        text=text(r"no client credentials user"),
        guidance="Tick Enable Client Credentials Flow in the app's OAuth settings and choose a Run As user under its "
        "policies.",
    ),
    _row(
        "app not approved for the user",
        Kind.POLICY_REFUSED,
        statuses=_REFUSED,
        text=text(r"(hasn.t|has not) approved|not admin approved"),
        guidance=_APP_ACCESS,
    ),
    _row("org not active", Kind.ORG_INACTIVE, statuses=_REFUSED, text=text(r"inactive.{0,3}org")),
    _row(
        "user not active",
        Kind.USER_INACTIVE,
        statuses=_REFUSED,
        text=text(r"inactive.{0,3}user|user (is )?inactive|user (is )?(locked|frozen)|locked out"),
    ),
)

_BY_FLOW = (
    _row(
        "assertion refused",
        Kind.CREDENTIALS_REFUSED,
        codes=codes("invalid_grant invalid_assertion"),
        facts=facts(Fact.JWT_BEARER),
        guidance="Check username and client_id, that private_key belongs to the certificate under the app's Use "
        "digital signatures, that the app admits the user (Permitted Users), and that login_url fits: users of a "
        "sandbox log in at https://test.salesforce.com. Setup > Users > Login History shows the reason.",
    ),
    _row(
        "client credentials refused",
        Kind.CREDENTIALS_REFUSED,
        codes=codes("invalid_grant"),
        facts=facts(Fact.CLIENT_CREDENTIALS),
        guidance="Make sure that Client Credentials Flow is enabled in the app's OAuth settings, that its policies "
        "name an active Run As user, and that login_url is the org's My Domain URL.",
    ),
    _row(
        "refresh token refused",
        Kind.CREDENTIALS_REFUSED,
        codes=codes("invalid_grant"),
        facts=facts(Fact.REFRESH_TOKEN),
        guidance=f"{_NEW_REFRESH_TOKEN} Setup > Users > Login History shows the reason.",
    ),
    _row(
        "grant refused",
        Kind.CREDENTIALS_REFUSED,
        codes=codes("invalid_grant"),
        guidance="Check the credentials, and whether login_url fits: users of a sandbox log in at "
        "https://test.salesforce.com or the sandbox's My Domain URL. Setup > Users > Login History shows the reason.",
    ),
)

_WITHOUT_CODE = (
    _row("login host redirects to maintenance", Kind.UNAVAILABLE, statuses=_REDIRECT, text=text(r"maint|down")),
    _row("login host redirects", Kind.WRONG_LOGIN_HOST, statuses=_REDIRECT),
    _row("no token endpoint", Kind.WRONG_LOGIN_HOST, statuses=statuses(404, 405, 410)),
)

LOGIN_REFUSED = _row("login refused", Kind.CREDENTIALS_REFUSED, statuses=_REFUSED)
"""A refusal of the token endpoint that no other row explains."""

LOGIN_ROWS: tuple[Row, ...] = (*_BY_CODE, *_BY_CLOCK, *_BY_WORDS, *_BY_FLOW, *_WITHOUT_CODE)
"""The rows of the token endpoint, in order."""
