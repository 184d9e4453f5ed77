"""Run the console script with ``python -m source_salesforce_bulk``."""

from source_salesforce_bulk.run import run

run()
