"""The connector under the CDK's own entrypoint: one message per record, row by row, no batches."""

import sys

from airbyte_cdk.entrypoint import launch

from source_salesforce_bulk.airbyte.source import SourceSalesforceBulk

launch(SourceSalesforceBulk(), sys.argv[1:])
