"""The report's structure. ``integration_tests/test_report.py`` opens it in a browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from source_salesforce_bulk.export.report_command import style
from source_salesforce_bulk.export.report_page import FILES_SHOWN, report_page
from source_salesforce_bulk.export.run_story import Incident, JobSpan, ObjectStory, RunStory

BEGAN = datetime(2026, 11, 25, 2, tzinfo=UTC)
VOID = {"meta", "link", "br"}


def story(objects: int, jobs_of_each: int = 1) -> RunStory:
    made = RunStory("monday", BEGAN, BEGAN + timedelta(hours=1), 1, 0, "s3://lake/salesforce")
    for number in range(objects):
        name = f"Object{number:03d}__c"
        made.objects[name] = ObjectStory(name, "complete", 100, 1, jobs_of_each, 5, 0)
        for index in range(jobs_of_each):
            begun = BEGAN + timedelta(seconds=number + index)
            span = JobSpan(name, f"750{number:04d}{index:04d}", "all rows", begun, "SELECT Id FROM X", 100)
            span.complete = begun + timedelta(seconds=30)
            span.pages = [(begun + timedelta(seconds=40), 100)]
            made.jobs[span.job] = span
        made.files.append({"path": f"{name}/run=monday/w00000-p000000.parquet", "rows": 100, "bytes": 1234})
    return made


class Page(HTMLParser):
    """The content of a page; raises if an element is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.classes: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.ids |= {facts["id"] or ""} if "id" in facts else set()
        self.links += [facts[name] or "" for name in ("href", "src") if name in facts]
        self.classes.append(facts.get("class") or tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(("objects", "jobs"), [(1, 1), (3, 40), (500, 1)])
def test_every_object_has_a_lane_and_every_job_its_bars(objects, jobs):
    page = Page(report_page(story(objects, jobs), style()))
    assert page.classes.count("lane") == objects
    assert page.classes.count("bar waits") == page.classes.count("bar reads") == objects * jobs
    assert page.classes.count("mark") == objects * jobs


def test_it_needs_no_network_and_its_links_lead_somewhere():
    text = report_page(story(2), style())
    page = Page(text)
    assert not re.search(r"https?:|<script|@import|url\(", text)
    assert all(link == "data:," or (link.startswith("#") and link[1:] in page.ids) for link in page.links)
    assert {"time", "objects", "incidents", "schema", "jobs", "files"} <= page.ids


def test_it_suits_light_dark_phone_and_paper():
    text = style()
    for condition in ("prefers-color-scheme: dark", "max-width: 640px", "@media print"):
        assert condition in text


def test_the_time_line_comes_before_everything_else():
    text = report_page(story(1), "")
    assert text.index('id="time"') < text.index('id="objects"') < text.index('id="incidents"')


def test_a_phone_shows_an_objects_status_before_its_numbers():
    text = report_page(story(1), "")
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", text[text.index('id="objects"') : text.index('id="incidents"')])
    assert heads[:3] == ["object", "status", "rows"]


def test_words_of_others_are_shown_and_not_obeyed():
    made = story(1)
    made.incidents.append(Incident(BEGAN, "<b>", "<script>alert(1)</script> & more", "error"))
    made.objects["x"] = ObjectStory('"><img src=x>', "failed", error="<i>no</i>")
    text = report_page(made, "")
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text
    assert "<img" not in text
    Page(text)


def test_bars_stay_inside_and_overlapping_jobs_lie_below_each_other():
    text = report_page(story(1, 5), "")
    places = [(float(left), float(width)) for left, width in re.findall(r"left:([\d.]+)%;width:([\d.]+)%", text)]
    assert places
    assert all(0 <= left <= 100 and left + width <= 100.1 for left, width in places)
    assert len(set(re.findall(r'bar waits"[^>]*top:(\d+)px', text))) == 5


def test_a_run_that_did_not_end_says_so():
    made = story(1)
    made.code = None
    assert "it did not finish" in report_page(made, "")
    made.code = 143
    assert "stopped by a signal" in report_page(made, "")


def test_an_object_shows_how_many_files_were_stored():
    made = story(1)
    assert "of rows stored" not in report_page(made, "")
    made.objects["Object000__c"].stored_files, made.objects["Object000__c"].stored_bytes = 1_200, 3_400_000
    assert "1,200 files of rows stored, 3.4 MB" in report_page(made, "")


def test_the_time_line_is_marked_in_whole_minutes_and_a_long_total_gets_room():
    made = story(1)
    made.quotas = [{"remaining": 4_999_994}, {"remaining": 4_999_978}]
    text = report_page(made, style())
    assert ">10 min</span>" in text
    assert '<div class="long"><dt>API calls left</dt>' in text


def test_a_run_without_jobs_has_no_time_line():
    assert "No query job was needed." in report_page(RunStory("monday"), "")


def test_a_long_list_of_files_is_cut_and_says_so():
    made = story(1)
    made.files = made.files * (FILES_SHOWN + 3)
    assert "And 3 more, in the ledger." in report_page(made, "")
