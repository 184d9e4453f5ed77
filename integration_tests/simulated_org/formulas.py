"""Formula fields, whose values are computed when they are read, so that they change without a new timestamp.

An expression is SQL over the row's own table, `{row}`, over others by name, and over the moment: `{today}`, `{now}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from integration_tests.simulated_org.clock import csv_stamp


@dataclass(frozen=True, slots=True)
class Formula:
    """The computation of a calculated field.

    `shown` is the formula as describe tells it, None for a roll-up summary; `reads` are the other objects it looks at.
    """

    sql: str
    shown: str | None
    reads: tuple[str, ...] = ()

    def expression(self, alias: str, now: datetime) -> str:
        """Return the SQL of the value for the rows of a table alias."""
        moment = csv_stamp(now)
        text = self.sql.replace("{row}", alias).replace("{today}", f"'{moment[:10]}'").replace("{now}", f"'{moment}'")
        return f"({text})"


def number(sql: str) -> str:
    """Return the SQL of a number in the form that other numbers are stored in."""
    return f"CAST(ROUND(CAST({sql} AS REAL), 2) AS TEXT)"


def flag(sql: str) -> str:
    """Return the SQL of a condition as a boolean cell."""
    return f"CASE WHEN {sql} THEN 'true' ELSE 'false' END"


def parent_field(child_reference: str, parent: str, field: str) -> str:
    """Return the SQL of a field of a parent."""
    return f'SELECT p."{field}" FROM "{parent}" p WHERE p."Id" = {{row}}."{child_reference}"'


def children(child: str, reference: str, aggregate: str) -> str:
    """Return the SQL of an aggregate over the living children of a row."""
    return number(
        f'(SELECT {aggregate} FROM "{child}" c WHERE c."{reference}" = {{row}}."Id" AND c."IsDeleted" = \'false\')'
    )


# By object and field. Own fields, parents one and two steps up, the clock, and roll-ups that stamp nothing.
FORMULAS: dict[str, dict[str, Formula]] = {
    "Project__c": {
        "Remaining__c": Formula(number('{row}."Budget__c" - {row}."Spent__c"'), "Budget__c - Spent__c"),
        "Title__c": Formula(
            """{row}."Name" || ' (' || COALESCE({row}."Status__c", '-') || ')'""",
            'Name & " (" & TEXT(Status__c) & ")"',
        ),
        "AccountName__c": Formula(parent_field("Account__c", "Account", "Name"), "Account__r.Name", ("Account",)),
        "AccountOwner__c": Formula(
            'SELECT u."Name" FROM "Account" a JOIN "User" u ON u."Id" = a."OwnerId" WHERE a."Id" = {row}."Account__c"',
            "Account__r.Owner.Name",
            ("Account", "User"),
        ),
        "AgeDays__c": Formula(number('julianday({today}) - julianday({row}."Start__c")'), "TODAY() - Start__c"),
        "IsOverdue__c": Formula(flag('{row}."Due__c" < {now}'), "Due__c < NOW()"),
        "Jobs__c": Formula(children("ProjectJob__c", "Project__c", "COUNT(*)"), None, ("ProjectJob__c",)),
        "Hours__c": Formula(
            children("ProjectJob__c", "Project__c", 'COALESCE(SUM(CAST(c."Hours__c" AS REAL)), 0)'),
            None,
            ("ProjectJob__c",),
        ),
    },
    "ProjectJob__c": {
        "ProjectName__c": Formula(parent_field("Project__c", "Project__c", "Name"), "Project__r.Name", ("Project__c",)),
        "Cost__c": Formula(
            number('{row}."Hours__c" * (SELECT p."Rate__c" FROM "Project__c" p WHERE p."Id" = {row}."Project__c")'),
            "Hours__c * Project__r.Rate__c",
            ("Project__c",),
        ),
    },
}
