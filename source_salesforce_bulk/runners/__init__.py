"""The same extraction without Airbyte: on AWS Fargate or any other machine, and on AWS Glue."""
