"""``python -m source_salesforce_bulk`` is the console script."""

from source_salesforce_bulk.run import run

run()
