"""PyAirbyte as its users write it: check, select, read into DuckDB. Runs in a separate virtual environment.

    python pyairbyte_client.py CONNECTOR CONFIG CACHE STREAM...
    python pyairbyte_client.py CONNECTOR CONFIG CACHE             every stream, by select_all_streams()

Prints one JSON object: how many records PyAirbyte processed, and every row that the cache then holds, by stream.
"""

import contextlib
import json
import sys
from pathlib import Path

import airbyte


def main(connector: str, config: str, cache_directory: str, *streams: str) -> None:
    """Read ``streams`` into the cache and print what it holds."""
    # PyAirbyte reports its progress on stdout.
    with contextlib.redirect_stdout(sys.stderr):
        settings = json.loads(Path(config).read_text(encoding="utf-8"))
        source = airbyte.get_source("source-salesforce-bulk", config=settings, local_executable=connector)
        source.check()
        if streams:
            source.select_streams(list(streams))
        else:
            source.select_all_streams()
        result = source.read(cache=airbyte.new_local_cache("demo", cache_dir=cache_directory))
        rows = {name: [dict(row) for row in result[name]] for name in streams or source.get_selected_streams()}
    print(json.dumps({"processed": result.processed_records, "rows": rows}, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
