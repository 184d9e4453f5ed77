from hypothesis import settings

# The CDK's hooks must be named here: pytest accepts `pytest_plugins` in the root conftest only.
pytest_plugins = ["airbyte_cdk.test.standard_tests.pytest_hooks"]

# No test asserts a time, not even hypothesis's own of 200 ms for an example: machines are noisy.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
