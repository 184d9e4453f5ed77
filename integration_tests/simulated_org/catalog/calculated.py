"""Two objects with formula fields and roll-up summaries over each other, over Account and over the clock."""

from __future__ import annotations

from dataclasses import replace

from integration_tests.simulated_org.formulas import FORMULAS
from integration_tests.simulated_org.objects import SObject, declare


def calculated_objects() -> list[SObject]:
    """Return projects and their jobs."""
    return [
        _with_formulas(
            declare(
                "Project__c",
                "a0P",
                """
                Name string(80) name
                Account__c reference(Account:Account__r)
                Status__c picklist(Open|Closed)
                Budget__c currency(18,2)
                Spent__c currency(18,2)
                Rate__c currency(18,2)
                Start__c date
                Due__c datetime
                Remaining__c currency(18,2) formula
                Title__c string(1300) formula
                AccountName__c string(1300) formula
                AccountOwner__c string(1300) formula
                AgeDays__c double(18,0) formula
                IsOverdue__c boolean required formula
                Jobs__c double(18,0) formula
                Hours__c double(18,2) formula
                """,
                volume=80,
            )
        ),
        _with_formulas(
            declare(
                "ProjectJob__c",
                "a0J",
                """
                Name string(80) name
                Project__c reference(Project__c:Project__r) required
                Hours__c double(18,2)
                ProjectName__c string(1300) formula
                Cost__c currency(18,2) formula
                """,
                volume=200,
            )
        ),
    ]


def _with_formulas(declared: SObject) -> SObject:
    formulas = FORMULAS[declared.name]
    return replace(declared, fields=tuple(replace(one, formula=formulas.get(one.name)) for one in declared.fields))
