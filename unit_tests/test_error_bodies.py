from __future__ import annotations

import pytest

from source_salesforce_bulk.salesforce.error_bodies import one_line, read_error_body


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<h1>Bad Message 431</h1><pre>reason: Fields &gt; 8 kB</pre>", "Bad Message 431 reason: Fields > 8 kB"),
        ("<head><title>x</title></head><body>Down<br>for <b>maintenance</b></body>", "Down for maintenance"),
        ("a<script>var secret = '<b>1</b>';</script>b<STYLE>p {}</STYLE >c", "a b c"),
        ("never closed <script>var x", "never closed"),
        ("1 < 2", "1 < 2"),
        ("<", "<"),
    ],
)
def test_markup_is_read_without_tags_scripts_and_styles(markup, words):
    assert one_line(read_error_body(markup.encode()).text) == words
