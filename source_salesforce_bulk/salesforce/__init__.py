"""All that speaks Salesforce; knows nothing of Airbyte."""
