"""The rules whose breach a test must notice: those of docs/contracts.md by number, then by file."""

from __future__ import annotations

from unit_tests.mutants import Mutant

MUTANTS: tuple[Mutant, ...] = (
    # 3.1, 3.2: windows
    Mutant(
        rule="A window is closed below: cursor >= from",
        file="salesforce/soql.py",
        old='f"{field} >= {format_instant(start)}"',
        new='f"{field} > {format_instant(start)}"',
        tests=("test_soql.py::test_a_window_is_closed_below_and_open_above",),
    ),
    Mutant(
        rule="A window is open above: cursor < to",
        file="salesforce/soql.py",
        old='f"{field} < {format_instant(end)}"',
        new='f"{field} <= {format_instant(end)}"',
        tests=("test_soql.py::test_a_window_is_closed_below_and_open_above",),
    ),
    Mutant(
        rule="An Id range is open above: the next one begins with its end",
        file="salesforce/soql.py",
        old="f\"Id < '{bounds.id_to}'\"",
        new="f\"Id <= '{bounds.id_to}'\"",
        tests=("test_soql.py::test_an_id_range_is_closed_below_and_open_above",),
    ),
    Mutant(
        rule="A window that follows an earlier run's begins a look-back before its end",
        file="extraction/windows.py",
        old="lower = reached - min(lookback, reached - _EARLIEST)",
        new="lower = reached",
        tests=("test_windows.py::test_the_second_run_begins_before_the_end_of_the_first",),
    ),
    Mutant(
        rule="A full refresh has no bound on its cursor",
        file="extraction/windows.py",
        old="return (PlannedWindow(replace(WHOLE, start=start)),)",
        new="return (PlannedWindow(replace(WHOLE, start=start, end=datetime(2026, 11, 23, tzinfo=UTC))),)",
        tests=(
            "test_windows.py::test_a_full_refresh_has_no_upper_bound",
            "test_scheduler.py::test_a_full_refresh_has_no_bound_on_its_cursor",
        ),
    ),
    Mutant(
        rule="A window ends at the org's clock, never at this machine's",
        file="extraction/connection.py",
        old="known = self._transport.org_clock.upper_bound(moment, login)",
        new="known = moment.wall",
        tests=(
            "test_connection.py::test_the_upper_bound_is_the_orgs_own_clock_cut_to_the_second",
            "test_source.py::test_the_window_ends_at_the_orgs_clock_whatever_this_machines_says",
        ),
    ),
    Mutant(
        rule="The upper bound is cut to the second",
        file="salesforce/org_clock.py",
        old="return min(dates).replace(microsecond=0) if dates else None",
        new="return min(dates) if dates else None",
        tests=("test_connection.py::test_before_any_answer_the_upper_bound_is_when_the_token_was_issued",),
    ),
    Mutant(
        rule="One fast answer does not move the upper bound",
        file="salesforce/org_clock.py",
        old="return min(dates).replace(microsecond=0) if dates else None",
        new="return max(dates).replace(microsecond=0) if dates else None",
        tests=(
            "test_org_clock.py::test_one_fast_answer_does_not_move_the_upper_bound",
            "test_connection.py::test_one_answer_an_hour_ahead_does_not_move_the_upper_bound",
        ),
    ),
    Mutant(
        rule="A cursor ahead of the org's clock is never written",
        file="extraction/object_read.py",
        old="min(window.bounds.end, org_now or window.bounds.end)",
        new="window.bounds.end",
        tests=("test_object_read.py::test_the_cursor_never_passes_the_orgs_clock_whatever_the_window_was_planned_by",),
    ),
    Mutant(
        rule="A cursor in the future reads nothing",
        file="extraction/windows.py",
        old="if not future and (lower is None or lower < upper):",
        new="if lower is None or lower != upper:",
        tests=("test_windows.py::test_a_cursor_in_the_future_reads_nothing",),
    ),
    # 3.3: null cursors, and what is selected
    Mutant(
        rule="A nullable cursor hides no rows",
        file="salesforce/soql.py",
        old='return [f"({below} OR {field} = null)"] if query.cursor_nillable else [below]',
        new="return [below]",
        tests=("test_soql.py::test_a_nullable_cursor_hides_no_rows_in_the_window_that_is_open_below",),
    ),
    Mutant(
        rule="The user's filter stands in parentheses",
        file="salesforce/soql.py",
        old='conditions.append(f"({query.where})")',
        new="conditions.append(query.where)",
        tests=("test_soql.py::test_the_users_filter_stands_in_parentheses_behind_everything_else",),
    ),
    Mutant(
        rule="A deleted row never arrives looking alive",
        file="extraction/selection.py",
        old="exclude_deleted=include_deleted and flag is not None and flag.name.lower() not in read",
        new="exclude_deleted=False",
        tests=("test_selection.py::test_a_deleted_row_never_arrives_looking_alive",),
    ),
    Mutant(
        rule="Key and cursor are read whether they were selected or not",
        file="extraction/catalog.py",
        old="always = {*readable.primary_key, *([cursor.field] if cursor else [])}",
        new="always: set[str] = set()",
        tests=("test_catalog.py::test_key_and_cursor_are_read_whether_they_were_selected_or_not",),
    ),
    # 3.4: pages
    Mutant(
        rule="A page holds as many rows as its header says",
        file="pages/fetch.py",
        old="if headers.rows is not None and headers.rows != shape.rows:",
        new="if False:",
        tests=("test_fetch.py::test_a_damaged_page_is_fetched_again_with_the_same_locator",),
    ),
    Mutant(
        rule="A page that does not prove its end must come twice alike",
        file="pages/fetch.py",
        old="return self.shape.ended and self.headers.rows is not None",
        new="return True",
        tests=("test_fetch.py::test_two_unproven_pages_that_differ_prove_nothing",),
    ),
    Mutant(
        rule="A page's header line names exactly the selected fields",
        file="pages/csv_page.py",
        old="if len(header) != len(columns) or set(positions) != set(wanted):",
        new="if len(header) != len(columns):",
        tests=("test_fetch.py::test_a_damaged_page_is_fetched_again_with_the_same_locator",),
    ),
    Mutant(
        rule="Every row has as many cells as the header",
        file="pages/csv_page.py",
        old='raise PageRejected(f"a row has {len(row)} cells where the header has {width}")',
        new="return [*row, *[''] * width][:width]",
        tests=("test_csv_page.py::test_a_page_that_salesforce_cannot_have_meant_is_rejected",),
    ),
    Mutant(
        rule="The fast way keeps the rest of a block as it stands in the page",
        file="pages/csv_blocks.py",
        old="self._inside(text).split(between, len(pieces) - left)[-1]",
        new="between.join(self._inside(text).rsplit(between, left)[-left:])",
        tests=("test_csv_blocks.py::test_row_ends_that_share_a_quote_hide_no_damage",),
    ),
    Mutant(
        rule="The fast way makes no row of half a pair of quotes",
        file="pages/csv_blocks.py",
        old=" or len(text) <= 2 * len(quote):",
        new=":",
        tests=(
            "test_csv_blocks.py::test_rows_whose_cells_look_like_ends_of_rows_are_cut_right_wherever_a_block_ends",
            "test_fuzz_corpus.py::test_what_was_tried_before_holds",
        ),
    ),
    Mutant(
        rule="The fast way gives a page up where an empty line stands among rows of several cells",
        file="pages/csv_blocks.py",
        old='io.StringIO(f"{text.decode()}\\n", newline="\\n")',
        new='io.StringIO(text.decode(), newline="\\n")',
        tests=("test_csv_blocks.py::test_an_odd_page_is_not_plain",),
    ),
    Mutant(
        rule="A page that is not UTF-8 is rejected, not repaired",
        file="pages/csv_page.py",
        old='errors="strict"',
        new='errors="replace"',
        tests=("test_fetch.py::test_a_damaged_page_is_fetched_again_with_the_same_locator",),
    ),
    Mutant(
        rule="A page whose connection broke is not a shorter page",
        file="salesforce/http_client.py",
        old="if expected is not None and self.received < expected:",
        new="if False:",
        tests=("test_fetch.py::test_a_damaged_page_is_fetched_again_with_the_same_locator",),
    ),
    # 3.5, 3.6: totals and locators
    Mutant(
        rule="More rows than numberRecordsProcessed are a wrong total",
        file="pages/walk.py",
        old="if walk.total is not None and seen > walk.total:",
        new="if False:",
        tests=("test_walk.py::test_more_rows_than_the_total_are_a_wrong_total_whatever_follows",),
    ),
    Mutant(
        rule="Fewer rows than numberRecordsProcessed are a wrong total",
        file="pages/walk.py",
        old="if walk.total == seen or (headers.last and walk.total is None):",
        new="if headers.last or walk.total == seen:",
        tests=(
            "test_walk.py::test_an_end_before_the_total_is_a_wrong_total",
            "test_reader.py::test_a_row_that_a_page_lacks_although_its_header_agrees_is_noticed",
        ),
    ),
    Mutant(
        rule="A missing locator header is the end only when the rows equal the total",
        file="pages/walk.py",
        old="if walk.total == seen or (headers.last and walk.total is None):",
        new="if walk.total == seen or not headers.last or walk.total is None:",
        tests=(
            "test_walk.py::test_a_missing_locator_header_is_the_end_only_when_the_rows_so_far_equal_the_total",
            "test_reader.py::test_an_accepted_page_that_does_not_lead_on_is_fetched_again",
        ),
    ),
    Mutant(
        rule="A locator that was used before does not lead on",
        file="pages/walk.py",
        old="if headers.locator == walk.locator or headers.locator in walk.used:",
        new="if False:",
        tests=("test_walk.py::test_a_page_that_names_itself_as_the_next_leads_nowhere",),
    ),
    Mutant(
        rule="After a wrong total no state names the job",
        file="extraction/reader.py",
        old="forget_jobs=True",
        new="forget_jobs=False",
        tests=("test_reader.py::test_a_wrong_total_fails_the_object_typed_and_its_state_forgets_the_job",),
    ),
    Mutant(
        rule="How many rows repeat is known and said",
        file="extraction/object_read.py",
        old="self.repeated_rows += repeated",
        new="pass",
        tests=(
            "test_whole_extraction.py::test_every_row_comes_once_or_the_object_fails_typed_and_no_job_is_left",
            "test_reader.py::test_a_job_that_disappears_between_two_pages_is_asked_for_again_and_its_rows_repeat_with_a_warning",
        ),
    ),
    # 1.6, 3.7: states
    Mutant(
        rule="A state follows the rows it covers",
        file="airbyte/streams.py",
        old="""                    yield from self._records(ready.page)
                    reading.extraction.handed_on(read, ready)
""",
        new="""                    rows = list(self._records(ready.page))
                    reading.extraction.handed_on(read, ready)
                    yield from self._changed_state(read)
                    yield from rows
""",
        tests=(
            "test_streams.py::test_rows_come_page_by_page_each_followed_by_its_state_and_a_turn",
            "test_read.py::test_every_state_stands_behind_the_rows_it_covers",
        ),
    ),
    Mutant(
        rule="A continued job goes on behind the last page of its state",
        file="extraction/object_read.py",
        old="locator=point.locator, page=point.page, rows=point.rows",
        new="locator=None, page=point.page, rows=point.rows",
        tests=("test_scheduler.py::test_an_earlier_runs_job_goes_on_behind_the_last_page_of_its_state",),
    ),
    Mutant(
        rule="A continued job keeps its own version and page size",
        file="extraction/object_read.py",
        old="window.api_version, window.page_size = point.api_version, point.page_size",
        new="pass",
        tests=("test_scheduler.py::test_an_earlier_runs_job_is_continued_with_its_own_version_and_page_size",),
    ),
    Mutant(
        rule="A job that was asked another query is not continued",
        file="extraction/object_read.py",
        old="if point.query != window.query:",
        new="if False:",
        tests=("test_scheduler.py::test_a_job_of_another_query_is_ended_and_its_window_read_anew",),
    ),
    Mutant(
        rule="The cursor never decreases",
        file="extraction/object_read.py",
        old="return other if one is None or other > one else one",
        new="return other",
        tests=("test_object_read.py::test_the_cursor_never_decreases",),
    ),
    Mutant(
        rule="The cursor waits for the last Id range of its window",
        file="extraction/object_read.py",
        old="window.bounds.end is not None and not sibling",
        new="window.bounds.end is not None",
        tests=("test_object_read.py::test_the_cursor_waits_for_the_last_id_range_of_a_window",),
    ),
    Mutant(
        rule="A range in front without a job leaves the older state standing",
        file="extraction/object_read.py",
        old="front.job.job_id is None and (front.ranged or self.plan.mode is Mode.FULL_REFRESH)",
        new="False",
        tests=("test_object_read.py::test_a_range_in_front_without_a_job_leaves_the_older_state_standing",),
    ),
    Mutant(
        rule="State of another scope starts over",
        file="extraction/stream_state.py",
        old="""    if blob.get(_SCOPE, scope) != scope:
        return ReadState(fresh, _OTHER_SCOPE, points)
    cursor""",
        new="""    cursor""",
        tests=(
            "test_catalog.py::test_a_state_of_another_scope_starts_over_with_a_warning",
            "test_stream_state.py::test_a_state_of_another_scope_starts_over_says_why_and_leaves_its_jobs",
        ),
    ),
    Mutant(
        rule="Which rows a cursor stands for includes the organization",
        file="extraction/stream_state.py",
        old="parts = [organization_id, operation,",
        new="parts = [operation,",
        tests=("test_catalog.py::test_a_state_of_another_scope_starts_over_with_a_warning",),
    ),
    # 3.8, 3.9: jobs
    Mutant(
        rule="Another user's job is not ours",
        file="extraction/salesforce_org.py",
        old="return self._creator is not None and _same_id(user_id, self._creator)",
        new="return True",
        tests=(
            "test_salesforce_org.py::test_what_the_org_writes_on_a_job_of_ours_decides_where_it_is_not_the_logins_user",
            "test_extraction.py::test_abandoned_jobs_are_ended_where_they_are_ours",
        ),
    ),
    Mutant(
        rule="A job that a state names is judged before it is touched",
        file="extraction/scheduler.py",
        old="if window.unconfirmed:\n            confirm",
        new="if False:\n            confirm",
        tests=("test_scheduler.py::test_a_job_that_turns_out_not_to_be_ours_is_asked_about_once_and_left_alone",),
    ),
    Mutant(
        rule="A create whose answer was lost is sent once more, not again and again",
        file="extraction/query_job.py",
        old="if event.failure.action is Action.SEND_ONCE_MORE and job.lost_answers == 0:",
        new="if event.failure.action is Action.SEND_ONCE_MORE:",
        tests=(
            "test_query_job.py::test_a_create_that_was_lost_twice_fails",
            "test_scheduler.py::test_a_create_that_was_lost_twice_fails_the_object_and_no_third_is_sent",
        ),
    ),
    Mutant(
        rule="No more jobs run in the org than max_concurrent_jobs",
        file="extraction/scheduler.py",
        old="return self._unfinished(reads) < self._policy.max_concurrent_jobs",
        new="return True",
        tests=("test_scheduler.py::test_no_more_jobs_run_in_the_org_than_allowed",),
    ),
    Mutant(
        rule="The jobs that an emitted state names outlive the run",
        file="extraction/job_ledger.py",
        old="if job_id not in keep",
        new="if job_id",
        tests=(
            "test_job_ledger.py::test_at_the_end_every_job_but_those_that_the_state_names_is_discarded",
            "test_extraction.py::test_a_run_that_is_stopped_keeps_the_jobs_of_its_states_and_ends_the_others",
        ),
    ),
    Mutant(
        rule="A job that may still run is aborted before it is deleted",
        file="extraction/job_ledger.py",
        old="abort = partial(self._org.abort,",
        new="abort = partial(self._org.delete,",
        tests=("test_job_ledger.py::test_a_job_that_may_still_run_is_aborted_with_its_own_version",),
    ),
    Mutant(
        rule="A job whose time is over is given up",
        file="extraction/query_job.py",
        old="""    if at.now < deadline(job, at.policy):
        return job, ()
""",
        new="""    if at.now < 10**9:
        return job, ()
""",
        tests=("test_query_job.py::test_a_job_whose_time_is_over_is_aborted_and_asked_for_again",),
    ),
    # Sessions, secrets, failures
    Mutant(
        rule="One login serves every thread that found the same session ended",
        file="salesforce/token.py",
        old="if self._session is not None and self._session.access_token != stale:",
        new="if self._session is not None and stale is None:",
        tests=("test_token.py::test_who_comes_late_gets_the_session_that_is_there",),
    ),
    Mutant(
        rule="A session refused right after its login is not renewed again",
        file="salesforce/transport.py",
        old="if logins == MAX_LOGINS or (logins and session.access_token not in self._answered):",
        new="if False:",
        tests=("test_transport.py::test_a_session_refused_right_after_its_login_fails_for_good",),
    ),
    Mutant(
        rule="The token goes to the org's host and to no other",
        file="salesforce/transport.py",
        old='if not request.path.startswith("/"):',
        new="if False:",
        tests=("test_transport.py::test_the_token_goes_to_no_other_host",),
    ),
    Mutant(
        rule="A rotated refresh token is handed on before anything else",
        file="salesforce/token.py",
        old="        self._keep_rotated(rotated_refresh_token(response))\n",
        new="",
        tests=(
            "test_token.py::test_a_rotated_refresh_token_is_handed_on_first_and_used_from_then_on",
            "test_source.py::test_a_rotated_refresh_token_is_handed_to_the_platform_before_anything_else",
        ),
    ),
    Mutant(
        rule="Salesforce's words about a job hold no secret",
        file="extraction/jobs.py",
        old='self._transport.redact(info.error_message or "") or None',
        new="info.error_message",
        tests=("test_jobs.py::test_salesforces_words_about_a_failed_job_hold_no_secret",),
    ),
    Mutant(
        rule="Clean-up that fails does not fail the sync",
        file="extraction/jobs.py",
        old='            LOGGER.warning("%s", line, extra=facts)',
        new='            raise\n            LOGGER.warning("%s", line, extra=facts)',
        tests=("test_jobs.py::test_clean_up_that_fails_is_logged_and_raises_nothing",),
    ),
    Mutant(
        rule="An outage is no org with fewer objects",
        file="extraction/catalog.py",
        old="if result.failure.consequence is not Consequence.CONFIG:",
        new="if False:",
        tests=("test_catalog.py::test_an_outage_is_no_org_with_fewer_objects",),
    ),
    # 1.5: records
    Mutant(
        rule="Only an empty cell is null",
        file="pages/records.py",
        old="            if not cell:\n",
        new='            if not cell.strip() or cell in ("NA", "null", "NaN"):\n',
        tests=("test_streams.py::test_only_an_empty_cell_is_null", "test_records.py::test_a_word_for_null_is_text"),
    ),
    Mutant(
        rule="Numbers keep every digit Salesforce sent",
        file="pages/cells.py",
        old="return value if exact is not UNREADABLE and Decimal(repr(value)) == exact else exact",
        new="return value",
        tests=(
            "test_cells.py::test_any_number_keeps_every_digit",
            "test_streams.py::test_numbers_keep_every_digit_on_the_wire",
        ),
    ),
    Mutant(
        rule="An unreadable cell is noted in its record",
        file="airbyte/streams.py",
        old="message.meta = _unreadable(record)",
        new="message.meta = None",
        tests=(
            "test_streams.py::test_a_cell_that_cannot_be_its_type_is_null_with_a_note_counted_and_said_once_per_field",
        ),
    ),
    Mutant(
        rule="A bare CR in a cell is data, not the end of a row",
        file="pages/csv_page.py",
        old='if "\\r" in line and not self._ends_with_cr:',
        new="if False:",
        tests=("test_csv_page.py::test_an_unquoted_cell_survives_as_it_is_even_with_a_bare_cr",),
    ),
    # 1.4, 1.7, 3.11: the run
    Mutant(
        rule="The daily reserve itself may be left, less may not",
        file="extraction/quota.py",
        old="limit.remaining * 100 < limit.maximum * max(reserve_percent, 0)",
        new="limit.remaining * 100 <= limit.maximum * max(reserve_percent, 0)",
        tests=("test_quota.py::test_the_reserve_itself_may_be_left",),
    ),
    Mutant(
        rule="A failed stream makes the run fail",
        file="airbyte/read.py",
        old="if self._failures and not self.stopped():",
        new="if False:",
        tests=("test_read.py::test_a_run_with_a_failed_stream_ends_with_an_exception_that_names_it",),
    ),
    Mutant(
        rule="A waiting stream's last state is emitted again",
        file="airbyte/read.py",
        old="if progress.last_state is not None and now - progress.last_state_at >= STATE_AGAIN:",
        new="if False:",
        tests=("test_read.py::test_a_waiting_streams_last_state_is_emitted_again_and_a_line_is_logged",),
    ),
    Mutant(
        rule="A signal ends the run at its next turn",
        file="airbyte/read.py",
        old="""        if self.stopped():
            extraction.stop(Failure.of(Kind.INTERRUPTED))
""",
        new="",
        tests=("test_read.py::test_a_stopped_run_ends_at_its_next_turn_with_its_state_out_and_the_named_jobs_alive",),
    ),
    Mutant(
        rule="A mode that the stream lacks is refused",
        file="airbyte/read.py",
        old='if mode == "incremental" and readable.cursor is None:',
        new="if False:",
        tests=("test_read.py::test_a_mode_that_the_object_lacks_is_refused_with_what_to_choose",),
    ),
    Mutant(
        rule="A reader that is gone ends the run with 141",
        file="airbyte/entrypoint.py",
        old="        return BROKEN_PIPE\n",
        new="        return FAILURE\n",
        tests=("test_entrypoint.py::test_a_reader_that_is_gone_ends_the_run_with_141_and_nothing_more_is_written",),
    ),
    # 3.12, and few calls
    Mutant(
        rule="Only an answer without a row closes a window unread",
        file="extraction/salesforce_org.py",
        old='answer.get("records") == [] and answer.get("totalSize", 0) == 0 and answer.get("done") is True',
        new='not answer.get("records")',
        tests=("test_salesforce_org.py::test_any_other_answer_leaves_the_window_to_a_job",),
    ),
    Mutant(
        rule="A probe has the WHERE of the job that it spares",
        file="salesforce/soql.py",
        old='from_clause = build_soql(query, bounds).partition(" FROM ")[2]',
        new='from_clause = build_soql(query, bounds).partition(" FROM ")[2].partition(" AND ")[0]',
        tests=("test_soql.py::test_a_probe_has_the_same_where_one_field_and_one_row",),
    ),
    Mutant(
        rule="A probe that fails leaves the window to a job",
        file="extraction/scheduler.py",
        old="self.apply(read, window, Probed(empty=False))",
        new="self._probed(read, window, empty=True)",
        tests=("test_few_calls.py::test_a_probe_that_fails_leaves_the_window_to_a_job",),
    ),
    Mutant(
        rule="An empty window that is not in front is closed when it comes to the front",
        file="extraction/object_read.py",
        old="if self.front is not None and self.front.job.phase is Phase.DONE:",
        new="if False:",
        tests=("test_few_calls.py::test_an_empty_window_behind_one_that_is_being_read_is_closed_after_it",),
    ),
    Mutant(
        rule="A job that replaces one in abort waits for its slot",
        file="extraction/scheduler.py",
        old="        if self._ledger.aborting:\n",
        new="        if False:\n",
        tests=("test_few_calls.py::test_no_more_jobs_than_slots_are_unfinished_also_while_stuck_ones_are_replaced",),
    ),
    Mutant(
        rule="No more jobs are created than the reserve leaves",
        file="extraction/scheduler.py",
        old="if self._last_create is not None and self.creates >= self._last_create:",
        new="if False:",
        tests=("test_few_calls.py::test_creates_stop_where_the_allowance_ends_and_jobs_that_exist_are_read",),
    ),
    Mutant(
        rule="The first of an object's windows stays open below",
        file="extraction/planner.py",
        old="edges = [bounds.start, *sorted(cut for cut in cuts if begin < cut < end), bounds.end]",
        new="edges = [begin, *sorted(cut for cut in cuts if begin < cut < end), bounds.end]",
        tests=("test_planner.py::test_the_pieces_of_a_window_meet_without_gap_or_overlap_at_whole_seconds",),
    ),
    # 3.2, 3.8 to 3.11: a run that is stopped or continued
    Mutant(
        rule="A window of a state that ends in the future is read as if never begun",
        file="extraction/windows.py",
        old="point.bounds.end is not None and point.bounds.end > upper)",
        new="False)",
        tests=("test_windows.py::test_a_window_that_ends_behind_the_orgs_clock_is_read_as_if_never_begun",),
    ),
    Mutant(
        rule="A job that only a state names is asked about before it is ended",
        file="extraction/scheduler.py",
        old="case AbortJob(job_id) | DeleteJob(job_id) if window.unconfirmed:",
        new="case AbortJob(job_id) | DeleteJob(job_id) if False:",
        tests=("test_scheduler.py::test_a_job_that_was_never_confirmed_is_asked_about_once_more_before_it_is_ended",),
    ),
    Mutant(
        rule="The end of a run waits for creates on their way",
        file="extraction/job_ledger.py",
        old="if not (self._leaving or self._arriving) or left <= 0:",
        new="if not self._leaving or left <= 0:",
        tests=("test_job_ledger.py::test_a_create_that_is_answered_during_the_end_is_no_job_left_behind",),
    ),
    Mutant(
        rule="A run that is stopped before its first state keeps the jobs of the one it was given",
        file="airbyte/read.py",
        old="progress.last_state = self._incoming(name) or None",
        new="progress.last_state = None",
        tests=("test_read.py::test_a_run_that_is_stopped_early_keeps_the_job_of_the_state_it_was_given",),
    ),
    Mutant(
        rule="A reader that goes away may have any state since stdout was flushed",
        file="airbyte/read.py",
        old="keep |= progress.unflushed | jobs_named(progress.last_state)",
        new="keep |= jobs_named(progress.last_state)",
        tests=("test_read.py::test_wherever_a_reader_goes_away_the_jobs_that_its_state_may_name_stay",),
    ),
    Mutant(
        rule="Buffers are flushed before every wait",
        file="airbyte/read.py",
        old="""        self._flush()
        extraction.wait(IDLE)""",
        new="""        extraction.wait(IDLE)""",
        tests=("test_read.py::test_buffers_are_flushed_before_every_wait",),
    ),
    Mutant(
        rule="After a write that was torn off nothing more is written",
        file="signals.py",
        old="""            turn_away_stdout()
            raise Overdue""",
        new="""            raise Overdue""",
        tests=("test_signals.py::test_a_main_thread_that_is_held_is_torn_out_and_stdout_takes_nothing_more",),
    ),
    # Nothing lost, nothing twice: trouble within a run
    Mutant(
        rule="A page that begins with a row of an earlier page is not taken",
        file="pages/walk.py",
        old="if first_id in walk.first_ids:",
        new="if False:",
        tests=("test_walk.py::test_a_page_that_begins_with_the_row_of_an_earlier_one_is_not_taken",),
    ),
    Mutant(
        rule="A page that does not fit behind those before it is fetched again before it fails anything",
        file="extraction/reader.py",
        old="again = window.refetches <= MAX_REFETCHES",
        new="again = False",
        tests=("test_reader.py::test_a_row_that_a_page_lacked_once_comes_when_the_page_is_fetched_again",),
    ),
    Mutant(
        rule="No job is asked for again without a pause",
        file="extraction/query_job.py",
        old="return JOB_BACKOFF.delay(tried - 1, random01) if tried else 0.0",
        new="return 0.0",
        tests=("test_query_job.py::test_no_job_is_asked_for_again_without_a_pause_and_the_first_at_once",),
    ),
    Mutant(
        rule="A half has what is left of its parent's time",
        file="extraction/query_job.py",
        old="halvings=parent.halvings + 1, spent=parent.spent)",
        new="halvings=parent.halvings + 1)",
        tests=("test_query_job.py::test_a_half_has_what_is_left_of_its_parents_time",),
    ),
    Mutant(
        rule="A result that this user may not read is left for one who may",
        file="extraction/query_job.py",
        old="    if event.failure.action is Action.FAIL_STREAM:\n",
        new="    if False:\n",
        tests=("test_query_job.py::test_a_result_that_this_user_may_not_read_is_left_for_a_run_that_may",),
    ),
    Mutant(
        rule="A size that failed is not tried again",
        file="extraction/object_read.py",
        old="return too_long or 0 < window.job.halvings <= self._too_coarse",
        new="return False",
        tests=(
            "test_object_read.py::test_a_sibling_of_a_half_that_failed_is_known_to_be_too_large_and_its_quarters_are_not",
            "test_object_read.py::test_what_is_as_large_as_a_window_that_failed_is_known_to_be_too_large",
        ),
    ),
    Mutant(
        rule="Rows of one instant are not cut by date",
        file="extraction/windows.py",
        old="return _cut(bounds, middle) if first < middle <= last else None",
        new="return _cut(bounds, middle)",
        tests=("test_windows.py::test_rows_of_one_second_have_no_halves_by_date",),
    ),
    Mutant(
        rule="After some halvings by date, Ids are cut first",
        file="extraction/splitting.py",
        old="ways.insert(0 if halvings < DATE_HALVINGS else 1, _by_date)",
        new="ways.insert(0, _by_date)",
        tests=("test_splitting.py::test_after_some_halvings_by_date_ids_are_tried_first",),
    ),
    Mutant(
        rule="A short window is finished before the one whose look-back reaches behind it",
        file="extraction/windows.py",
        old='return bounds.end or _LATEST, bounds.start or _EARLIEST, bounds.id_from or ""',
        new='return bounds.start or _EARLIEST, bounds.end or _LATEST, bounds.id_from or ""',
        tests=("test_windows.py::test_a_short_window_is_finished_before_the_one_whose_look_back_reaches_behind_it",),
    ),
    Mutant(
        rule="A defect in a call fails the object it was made for",
        file="extraction/calls.py",
        old="    return Failure.of(Kind.UNEXPECTED, detail=type(error).__name__)",
        new="    raise error",
        tests=("test_calls.py::test_a_defect_in_a_call_is_a_failure_that_does_not_quote_it",),
    ),
    Mutant(
        rule="A disk that takes no page stops the run and is named",
        file="pages/fetch.py",
        old="        except OSError as error:\n            raise SalesforceError(page_not_kept(error)) from error\n",
        new="        except KeyError:\n            raise\n",
        tests=("test_fetch.py::test_a_page_that_cannot_be_written_says_so_and_stops_the_run",),
    ),
    Mutant(
        rule="Only a full disk is called one",
        file="salesforce/failure_kinds.py",
        old="if cause.errno in (errno.ENOSPC, errno.EDQUOT) else",
        new="if cause.errno else",
        tests=("test_failures.py::test_only_a_full_disk_is_called_one",),
    ),
    Mutant(
        rule="A selection of which nothing is left is no query",
        file="extraction/selection.py",
        old="    if not chosen:\n        raise SalesforceError(_nothing_left(wanted))\n",
        new="",
        tests=("test_selection.py::test_a_selection_whose_fields_have_all_vanished_is_no_query_and_says_what_to_do",),
    ),
    Mutant(
        rule="The configuration's own secrets are masked from the start",
        file="export/session.py",
        old="        self.mask.learn(*secrets_of(loaded.credentials))\n",
        new="",
        tests=("test_session.py::test_the_configurations_own_secrets_are_masked_in_the_logs_however_they_are_spelled",),
    ),
    Mutant(
        rule="Of a secret that holds another one, nothing is left",
        file="salesforce/secret_mask.py",
        old="key=len, reverse=True",
        new="key=len",
        tests=("test_secret_mask.py::test_of_a_secret_that_holds_another_nothing_is_left",),
    ),
    # Plan: what it says is what an export meets.
    Mutant(
        rule="Only a refusal of the object itself makes it unreadable",
        file="export/plan_command.py",
        old="            if failure.consequence is not Consequence.CONFIG or failure.action is Action.STOP_RUN:\n"
        "                raise\n",
        new="",
        tests=("test_plan_command.py::test_what_says_nothing_about_the_object_does_not_make_it_unreadable",),
    ),
    Mutant(
        rule="A number of calls is right at both ends of what the polls may be",
        file="export/forecast.py",
        old="if all(abs(middle - end) <= TOLERANCE * end for end in (low, high)) else None",
        new="",
        tests=("test_forecast.py::test_a_number_of_calls_is_right_whether_jobs_are_done_at_once_or_in_ten_minutes",),
    ),
    # Export: every row once in the files that manifests name.
    Mutant(
        "a range that starts over drops the files it had",
        "export/coverage.py",
        "return replace(self, open=self.open[: len(self.open) - self.front], front=0)",
        "return replace(self, front=0)",
        ("test_coverage.py::test_what_starts_over_loses_its_own_files_only",),
    ),
    Mutant(
        "under a state that names no job no file of an open window counts",
        "export/coverage.py",
        "return self if state.resume else replace(self, open=(), front=0)",
        "return self",
        ("test_coverage.py::test_under_a_state_without_jobs_no_open_file_counts",),
    ),
    Mutant(
        "pyarrow may not read what cells.py refuses: hexadecimal integers",
        "pages/arrow_pages.py",
        'return None if _any(pc.match_substring(cells, "x", ignore_case=True)) else _Typed(cells.cast(pa.int64()))',
        "return _Typed(cells.cast(pa.int64()))",
        ("test_arrow_pages.py::test_a_cell_is_its_type_or_null_and_counted",),
    ),
    Mutant(
        "a bare CR is data in Parquet, too",
        "pages/arrow_pages.py",
        "if self._hide_cr and _CR in chunk:",
        "if False:",
        ("test_arrow_pages.py::test_a_cr_that_ends_the_last_cell_of_a_row_is_data",),
    ),
    Mutant(
        "a lost lease commits nothing",
        "registries/local_state.py",
        """        self.renew()
        replace_file(""",
        """        replace_file(""",
        ("test_local_state.py::test_a_lost_lease_commits_nothing",),
    ),
)
