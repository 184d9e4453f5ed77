"""Salesforce to Airbyte, AWS Fargate and AWS Glue through Bulk API 2.0 query jobs."""
