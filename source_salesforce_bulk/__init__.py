"""Salesforce to Airbyte, AWS Fargate and AWS Glue through Bulk API 2.0 query jobs."""

from __future__ import annotations

__all__ = ["SourceSalesforceBulk"]


def __getattr__(name: str) -> object:
    """Import ``SourceSalesforceBulk`` on first use: Airbyte's tools look for it here, and it needs the CDK."""
    if name == "SourceSalesforceBulk":
        from source_salesforce_bulk.airbyte.source import SourceSalesforceBulk  # noqa: PLC0415 - Spark executors lack the CDK

        return SourceSalesforceBulk
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
