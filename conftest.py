# The CDK's hooks must be named here: pytest accepts `pytest_plugins` in the root conftest only.
pytest_plugins = ["airbyte_cdk.test.standard_tests.pytest_hooks"]
