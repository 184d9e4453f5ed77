"""Salesforce's APIs: requests, responses, errors and login. Nothing here depends on Airbyte."""
