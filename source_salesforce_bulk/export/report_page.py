"""Render the report of a run as one HTML page without scripts or external resources. Pure.

The timeline has a lane for each object, with a bar for each query job. Overlapping jobs of one object are drawn in rows
below each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from source_salesforce_bulk.export.overview import duration
from source_salesforce_bulk.export.run_story import JobSpan, RunStory
from source_salesforce_bulk.export.text_tables import counted

ROW = 16
"""Pixels from one row of bars in a lane to the next."""

FILES_SHOWN = 2000
INCIDENTS_SHOWN = 500
_TICKS = 8
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_ENDINGS = {
    0: ("good", "complete"),
    1: ("bad", "a defect of salesforce-bulk"),
    2: ("bad", "nothing was started"),
    3: ("bad", "some objects failed permanently"),
    75: ("warn", "to be run again"),
}
_STATUSES = {"complete": "good", "failed": "bad"}


def report_page(story: RunStory, style: str) -> str:
    """Return the page; ``style`` is its CSS."""
    body = "\n".join(
        [
            _head(story),
            _time_line(story),
            _objects(story),
            _incidents(story),
            _drift(story),
            _jobs(story),
            _files(story),
        ]
    )
    title = escape(f"Export {story.run_id}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{style}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def _head(story: RunStory) -> str:
    tone, ending = ("warn", "it did not finish") if story.code is None else _ending(story.code)
    totals = [
        ("rows", f"{story.rows:,}"),
        ("objects", f"{len(story.objects):,}"),
        ("query jobs", f"{len(story.jobs):,}"),
        ("API calls", f"{sum(entry.calls for entry in story.objects.values()):,}"),
        ("retries", f"{sum(entry.retries for entry in story.objects.values()):,}"),
        ("files", f"{sum(entry.files for entry in story.objects.values()):,}"),
        ("took", duration(story.seconds)),
        *_quota(story),
    ]
    cells = "".join(f"{_tile(value)}<dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in totals)
    began = f"{story.begun:%Y-%m-%d %H:%M:%S} UTC" if story.begun else "at an unknown time"
    tries = f", {story.attempts} attempts" if story.attempts > 1 else ""
    manifests = "".join(f'<p class="soft">Manifest: {escape(manifest)}</p>' for manifest in story.manifests)
    return (
        f"<h1>Export {escape(story.run_id)}</h1><p>Began {began}{tries}; "
        f'<strong class="{tone}">{escape(ending)}</strong>. {escape(story.destination)}</p>{manifests}'
        f'<dl class="totals">{cells}</dl>'
        '<nav><a href="#time">Time line</a><a href="#objects">Objects</a><a href="#incidents">Errors and retries</a>'
        '<a href="#schema">Schema changes</a><a href="#jobs">Query jobs</a><a href="#files">Files</a></nav>'
    )


def _tile(value: str) -> str:
    return '<div class="long">' if len(value) > 12 else "<div>"


def _ending(code: int) -> tuple[str, str]:
    return _ENDINGS.get(code, ("warn", "stopped by a signal; the next run continues"))


def _quota(story: RunStory) -> Iterator[tuple[str, str]]:
    """Yield the remaining daily API calls of the org before and after the run."""
    left = [f"{int(quota['remaining']):,}" for quota in story.quotas if isinstance(quota.get("remaining"), int)]
    if left:
        yield "API calls left", left[0] if len(left) == 1 else f"{left[0]} \u2192 {left[-1]}"


def _time_line(story: RunStory) -> str:
    heading = '<h2 id="time">Time line</h2>'
    if not story.jobs or story.begun is None or story.last is None:
        return f'{heading}<p class="soft">No query job was needed.</p>'
    scale = _Scale(story.begun, story.last)
    by_object: dict[str, list[JobSpan]] = {}
    for span in sorted(story.jobs.values(), key=lambda span: span.begun):
        by_object.setdefault(span.object, []).append(span)
    lanes = "".join(_lane(name, spans, scale) for name, spans in by_object.items())
    legend = "".join(
        f'<span><i style="background:var(--{color})"></i>{text}</span>'
        for color, text in (
            ("waits", "Salesforce works on the job"),
            ("reads", "pages are read"),
            ("page", "a page is written"),
            ("bad", "failed"),
        )
    )
    return (
        f'{heading}<p class="legend">{legend}</p><div class="time"><div class="axis"><span>object</span>'
        f'<div class="track">{scale.ticks()}</div></div>{lanes}</div>'
    )


class _Scale:
    """Converts instants to percent of the timeline's width."""

    def __init__(self, begun: datetime, last: datetime) -> None:
        self._begun = begun
        self._seconds = max((last - begun).total_seconds(), 0.001)

    def at(self, instant: datetime) -> float:
        return min(100.0, max(0.0, (instant - self._begun).total_seconds() / self._seconds * 100))

    def ticks(self) -> str:
        step = next((step for step in _STEPS if self._seconds / step <= _TICKS), 86400 * 7)
        count = int(self._seconds // step)
        marks = [
            (self.at(self._begun + timedelta(seconds=step * number)), step * number) for number in range(count + 1)
        ]
        return "".join(
            f'<span class="tick" style="left:{left:.2f}%">{escape(_short(seconds)) if seconds else "0"}</span>'
            for left, seconds in marks
            if left < 92 or not seconds
        )


def _short(seconds: float) -> str:
    return duration(seconds).removesuffix(" 0 s").removesuffix(" 0 min")


def _lane(name: str, spans: Sequence[JobSpan], scale: _Scale) -> str:
    rows: list[datetime] = []
    bars = []
    for span in spans:
        row = next((number for number, free in enumerate(rows) if free <= span.begun), len(rows))
        rows[row : row + 1] = [span.last]
        bars.append(_bars(span, scale, 5 + row * ROW))
    height = 6 + len(rows) * ROW
    label = escape(name)
    return (
        f'<div class="lane"><span title="{label}">{label}</span>'
        f'<div class="track" style="height:{height}px">{"".join(bars)}</div></div>'
    )


def _bars(span: JobSpan, scale: _Scale, top: int) -> str:
    rows = "" if span.rows is None else f", {counted(span.rows, 'row')}"
    took = duration((span.last - span.begun).total_seconds())
    text = escape(f"{span.job}: {span.window}{rows}, {took}" + (f". {span.failure}" if span.failure else ""))
    complete = span.complete or span.last
    parts = [("fails" if span.failure else "waits", span.begun, complete)]
    if span.complete is not None and span.last > span.complete:
        parts.append(("reads", span.complete, span.last))
    drawn = [
        f'<i class="bar {kind}" title="{text}" style="left:{scale.at(low):.2f}%;'
        f'width:{max(scale.at(high) - scale.at(low), 0.0):.2f}%;top:{top}px"></i>'
        for kind, low, high in parts
    ]
    marks = [f'<i class="mark" style="left:{scale.at(at):.2f}%;top:{top}px"></i>' for at, _ in span.pages]
    return "".join([*drawn, *marks])


def _objects(story: RunStory) -> str:
    rows = []
    for entry in sorted(story.objects.values(), key=lambda entry: (entry.status == "complete", entry.name)):
        tone = _STATUSES.get(entry.status, "warn")
        numbers = "".join(_number(value) for value in (entry.rows, entry.files, entry.jobs, entry.calls, entry.retries))
        why = f"<br>{escape(entry.error)}" if entry.error else ""
        if entry.stored_files:
            why += f"<br>{counted(entry.stored_files, 'file')} of rows stored, {entry.stored_bytes / 1e6:,.1f} MB"
        kind = ' class="long"' if why else ""
        rows.append(
            f"<tr><td>{escape(entry.name)}</td><td{kind}>"
            f'<span class="{tone}">{escape(entry.status)}</span>{why}</td>{numbers}</tr>'
        )
    heads = _headings("object", "status", ">rows", ">files", ">jobs", ">API calls", ">retries")
    return f'<h2 id="objects">Objects</h2>{_table(heads, rows)}'


def _incidents(story: RunStory) -> str:
    heading = '<h2 id="incidents">Errors and retries</h2>'
    if not story.incidents:
        return f'{heading}<p class="soft">None.</p>'
    tones = {"error": "bad", "warning": "warn"}
    rows = [
        f"<tr><td>{incident.at:%H:%M:%S}</td><td>{escape(incident.object)}</td>"
        f'<td class="{tones.get(incident.kind, "soft")}">{incident.kind}</td>'
        f'<td class="long">{escape(incident.text)}</td></tr>'
        for incident in story.incidents[:INCIDENTS_SHOWN]
    ]
    heads = _headings("time", "object", "kind", "what happened")
    return heading + _table(heads, rows) + _more(len(story.incidents) - INCIDENTS_SHOWN)


def _drift(story: RunStory) -> str:
    heading = '<h2 id="schema">Schema changes</h2>'
    rows = [
        f"<tr><td>{escape(str(drift.get('object', '')))}</td><td>{escape(str(field.get('field', '')))}</td>"
        f"<td>{escape(str(field.get('change', '')))}</td><td>{escape(str(field.get('before')))}</td>"
        f"<td>{escape(str(field.get('after')))}</td><td>{'breaking' if field.get('breaking') else ''}</td></tr>"
        for drift in story.drifts
        for field in drift.get("fields", ())
    ]
    if not rows:
        return f'{heading}<p class="soft">None.</p>'
    return heading + _table(_headings("object", "field", "change", "before", "after", ""), rows)


def _jobs(story: RunStory) -> str:
    heading = '<h2 id="jobs">Query jobs</h2>'
    if not story.jobs:
        return f'{heading}<p class="soft">None.</p>'
    rows = []
    for span in story.jobs.values():
        waited = duration(((span.complete or span.last) - span.begun).total_seconds())
        query = f"<details><summary>query</summary><code>{escape(span.soql)}</code></details>" if span.soql else ""
        rows.append(
            f'<tr><td>{escape(span.object)}</td><td class="id"><code>{escape(span.job)}</code></td><td class="long">'
            f'{escape(span.window)}{query}</td><td>{span.begun:%H:%M:%S}</td><td class="number">{waited}</td>'
            f"{_number(len(span.polls))}{_number(len(span.pages))}{_number(sum(rows for _, rows in span.pages))}</tr>"
        )
    heads = _headings("object", "job", "window", "created", ">in Salesforce", ">polls", ">pages", ">rows")
    return f"{heading}<details open><summary>{counted(len(rows), 'query job')}</summary>{_table(heads, rows)}</details>"


def _files(story: RunStory) -> str:
    heading = '<h2 id="files">Files</h2>'
    if not story.files:
        return f'{heading}<p class="soft">None.</p>'
    rows = [
        f'<tr><td class="long"><code>{escape(str(file.get("path", "")))}</code></td>'
        f"{_number(int(file.get('rows') or 0))}{_number(int(file.get('bytes') or 0))}</tr>"
        for file in story.files[:FILES_SHOWN]
    ]
    return (
        f"{heading}<details><summary>{counted(len(story.files), 'file')}</summary>"
        f"{_table(_headings('path', '>rows', '>bytes'), rows)}{_more(len(story.files) - FILES_SHOWN)}</details>"
    )


def _table(heads: str, rows: Iterable[str]) -> str:
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _headings(*names: str) -> str:
    return "".join(
        f'<th class="number">{escape(name[1:])}</th>' if name.startswith(">") else f"<th>{escape(name)}</th>"
        for name in names
    )


def _number(value: int) -> str:
    return f'<td class="number">{value:,}</td>'


def _more(count: int) -> str:
    return f'<p class="soft">And {count:,} more, in the ledger.</p>' if count > 0 else ""
