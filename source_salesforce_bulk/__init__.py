"""Salesforce to Airbyte, AWS Fargate and AWS Glue through Bulk API 2.0 query jobs."""

from __future__ import annotations

__all__ = ["SourceSalesforceBulk"]


def __getattr__(name: str) -> object:
    """``SourceSalesforceBulk``, which Airbyte's tools look for here; imported when asked for, with the CDK it needs."""
    if name == "SourceSalesforceBulk":
        from source_salesforce_bulk.airbyte.source import SourceSalesforceBulk  # noqa: PLC0415 - Spark executors lack the CDK

        return SourceSalesforceBulk
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
