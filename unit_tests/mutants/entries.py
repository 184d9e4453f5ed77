"""The rules whose breach a test must notice: those of docs/contracts.md by number, then all others."""

from __future__ import annotations

from unit_tests.mutants import Mutant

MUTANTS: tuple[Mutant, ...] = (
    # Deletions
    Mutant(
        rule="A sketch that holds too much names no row",
        old="""        if any(self._counts) or any(self._keys) or any(self._checks):
            return None
""",
        new="",
        tests=("test_more_than_it_can_hold_is_told_and_not_guessed",),
    ),
    Mutant(
        rule="A row that is delivered again is remembered once",
        old="elif row.created >= self.since or self.sketch is None:",
        new="elif True:",
        tests=("test_rows_that_are_delivered_again_and_again_are_remembered_once",),
    ),
    Mutant(
        rule="More than a share of all rows is not taken for deletions",
        old="return vanished > FEW and vanished * 100 > known * percent",
        new="return False",
        tests=("test_a_few_rows_or_a_small_share_may_vanish",),
    ),
    Mutant(
        rule="A tombstone has the time of the audit in the cursor field",
        old="cursor: moment, DELETED_AT: moment}",
        new='cursor: "", DELETED_AT: moment}',
        tests=("test_a_tombstone_wins_by_its_cursor",),
    ),
    Mutant(
        rule="Only rows that no query returns any more have vanished",
        old="vanished = logged - existing",
        new="vanished = logged",
        tests=("test_rows_that_the_log_names_and_no_query_returns_have_vanished",),
    ),
    Mutant(
        rule="The log of deletions is known no further than it says",
        old="return max(known.covered, min(span.end, answer.covered))",
        new="return span.end",
        tests=("test_deletions_are_known_up_to_what_was_asked_and_answered",),
    ),
    Mutant(
        rule="An audit does not report what was reported before it",
        old="gone |= difference.added - self._reported",
        new="gone |= difference.added",
        tests=("test_a_row_reported_between_two_audits_is_not_reported_again",),
    ),
    # Formulas
    Mutant(
        rule="A range whose values differ is read again",
        old="moved = old.pending or sum(piece.digest for piece in cut) % _MODULUS != old.digest",
        new="moved = old.pending",
        tests=("test_the_range_of_a_value_that_moved_is_pending_and_no_other",),
    ),
    Mutant(
        rule="A pending range stays pending until its rows were delivered",
        old="moved = old.pending or sum(",
        new="moved = sum(",
        tests=("test_a_pending_range_stays_pending_until_its_rows_were_delivered",),
    ),
    Mutant(
        rule="A range has at most so many rows",
        old="        if piece.rows == most:\n",
        new="        if False:\n",
        tests=("test_whatever_comes_goes_and_moves_is_in_a_pending_range",),
    ),
    Mutant(
        rule="The first values are read before the first row",
        old="            if watch.comes_first(beginning):\n",
        new="            if False:\n",
        tests=("test_the_first_values_are_read_before_the_first_row",),
    ),
    Mutant(
        rule="Rows that a killed run delivered before its comparison are read again",
        old="if self._interrupted and since is not None and whole not in windows:",
        new="if False:",
        tests=("test_rows_of_a_run_that_ended_before_its_comparison_are_read_again_by_their_dates",),
    ),
    Mutant(
        rule="An extra window moves no cursor",
        old="moves_cursor = self.plan.mode is Mode.INCREMENTAL and window.extra is None",
        new="moves_cursor = self.plan.mode is Mode.INCREMENTAL",
        tests=("test_an_extra_window_moves_no_cursor",),
    ),
    Mutant(
        rule="An extra window in the state is continued, and the gaps beside it are not filled",
        old="resume=tuple(point for point in state.resume if point.extra is None)",
        new="resume=state.resume",
        tests=("test_an_extra_window_is_continued_before_the_others_and_no_gap_is_filled",),
    ),
    Mutant(
        rule="Of formulas that call the clock, those that name them follow it, too",
        old="clock = _spread({name for name, text in texts.items() if _CLOCK.search(text)}, named)",
        new="clock = {name for name, text in texts.items() if _CLOCK.search(text)}",
        tests=("test_a_formula_follows_the_clock_through_others_whatever_their_case",),
    ),
    Mutant(
        rule="A condition on null does not find every value of a boolean",
        old="and column.kind is not CellKind.BOOLEAN",
        new="",
        tests=("test_the_policy_has_the_delivered_fields_and_those_that_a_condition_can_find",),
    ),
    Mutant(
        rule="A part of a window is not the rows with a value in a new field",
        old="if bounds.start == self._start and bounds.id_from is None and bounds.id_to is None:",
        new="if True:",
        tests=("test_new_fields_are_remembered_when_their_whole_window_was_delivered",),
    ),
    # 3.1, 3.2: windows
    Mutant(
        rule="A window is closed below: cursor >= from",
        old='f"{field} >= {format_instant(start)}"',
        new='f"{field} > {format_instant(start)}"',
        tests=("test_a_window_is_closed_below_and_open_above",),
    ),
    Mutant(
        rule="A window is open above: cursor < to",
        old='f"{field} < {format_instant(end)}"',
        new='f"{field} <= {format_instant(end)}"',
        tests=("test_a_window_is_closed_below_and_open_above",),
    ),
    Mutant(
        rule="An Id range is open above: the next one begins with its end",
        old="f\"Id < '{bounds.id_to}'\"",
        new="f\"Id <= '{bounds.id_to}'\"",
        tests=("test_an_id_range_is_closed_below_and_open_above",),
    ),
    Mutant(
        rule="A window that follows an earlier run's begins a look-back before its end",
        old="lower = reached - min(lookback, reached - _EARLIEST)",
        new="lower = reached",
        tests=("test_the_second_run_begins_before_the_end_of_the_first",),
    ),
    Mutant(
        rule="A full refresh has no bound on its cursor",
        old="return (PlannedWindow(replace(WHOLE, start=start)),)",
        new="return (PlannedWindow(replace(WHOLE, start=start, end=datetime(2026, 11, 23, tzinfo=UTC))),)",
        tests=(
            "test_a_full_refresh_has_no_upper_bound",
            "test_a_full_refresh_has_no_bound_on_its_cursor",
        ),
    ),
    Mutant(
        rule="A window ends at the org's clock, never at this machine's",
        old="known = self._transport.org_clock.upper_bound(moment, login)",
        new="known = moment.wall",
        tests=(
            "test_the_upper_bound_is_the_orgs_own_clock_cut_to_the_second",
            "test_the_window_ends_at_the_orgs_clock_whatever_this_machines_says",
        ),
    ),
    Mutant(
        rule="The upper bound is cut to the second",
        old="return min(dates).replace(microsecond=0) if dates else None",
        new="return min(dates) if dates else None",
        tests=("test_before_any_answer_the_upper_bound_is_when_the_token_was_issued",),
    ),
    Mutant(
        rule="One fast answer does not move the upper bound",
        old="return min(dates).replace(microsecond=0) if dates else None",
        new="return max(dates).replace(microsecond=0) if dates else None",
        tests=(
            "test_one_fast_answer_does_not_move_the_upper_bound",
            "test_one_answer_an_hour_ahead_does_not_move_the_upper_bound",
        ),
    ),
    Mutant(
        rule="A cursor ahead of the org's clock is never written",
        old="min(window.bounds.end, org_now or window.bounds.end)",
        new="window.bounds.end",
        tests=("test_the_cursor_never_passes_the_orgs_clock_whatever_the_window_was_planned_by",),
    ),
    Mutant(
        rule="A cursor in the future reads nothing",
        old="if not future and (lower is None or lower < upper):",
        new="if lower is None or lower != upper:",
        tests=("test_a_cursor_in_the_future_reads_nothing",),
    ),
    # 3.3: null cursors, and what is selected
    Mutant(
        rule="A nullable cursor hides no rows",
        old='return [f"({below} OR {field} = null)"] if query.cursor_nillable else [below]',
        new="return [below]",
        tests=("test_a_nullable_cursor_hides_no_rows_in_the_window_that_is_open_below",),
    ),
    Mutant(
        rule="The user's filter stands in parentheses",
        old='conditions.append(f"({query.where})")',
        new="conditions.append(query.where)",
        tests=("test_the_users_filter_stands_in_parentheses_behind_everything_else",),
    ),
    Mutant(
        rule="A deleted row never arrives looking alive",
        old="exclude_deleted=include_deleted and flag is not None and not flag.added and flag.name.lower() not in read",
        new="exclude_deleted=False",
        tests=("test_a_deleted_row_never_arrives_looking_alive",),
    ),
    Mutant(
        rule="Key and cursor are read whether they were selected or not",
        old="always = {*readable.primary_key, *([cursor.field] if cursor else [])}",
        new="always: set[str] = set()",
        tests=("test_key_and_cursor_are_read_whether_they_were_selected_or_not",),
    ),
    # 3.4: pages
    Mutant(
        rule="A page holds as many rows as its header says",
        old="if expected is not None and rows != expected:",
        new="if False:",
        tests=("test_a_damaged_page_is_fetched_again_with_the_same_locator",),
    ),
    Mutant(
        rule="A page that does not prove its end must come twice alike",
        old="return self.encoded.ended and self.headers.rows is not None",
        new="return True",
        tests=("test_two_unproven_pages_that_differ_prove_nothing",),
    ),
    Mutant(
        rule="A page's header line names exactly the selected fields",
        old="if len(header) != len(columns) or set(positions) != set(wanted):",
        new="if len(header) != len(columns):",
        tests=("test_a_damaged_page_is_fetched_again_with_the_same_locator",),
    ),
    Mutant(
        rule="Every row has as many cells as the header",
        old='raise PageRejected(f"a row has {len(row)} cells where the header has {width}")',
        new="return [*row, *[''] * width][:width]",
        tests=("test_a_page_that_salesforce_cannot_have_meant_is_rejected",),
    ),
    Mutant(
        rule="Lines on disk come behind those in memory, in the order of their rows",
        old="if self._file is None and self._workspace.memory.take(size):",
        new="if self._workspace.memory.take(size):",
        tests=("test_a_block_that_fits_again_stays_behind_those_on_disk",),
    ),
    Mutant(
        rule="A page that was not finished leaves nothing behind",
        old="if not self._finished:\n            self._sink.close()",
        new="pass",
        tests=("test_nothing_is_left_of_a_page_that_was_rejected",),
    ),
    Mutant(
        rule="A page is encoded with the digests of hashed cells only",
        old="return encoder if hashing is None else HashingEncoder(encoder, hashing)",
        new="return encoder",
        tests=("test_hashed_cells_are_digests_and_the_page_is_described_as_it_came",),
    ),
    Mutant(
        rule="A page that is not UTF-8 is rejected, not repaired",
        old='errors="strict"',
        new='errors="replace"',
        tests=("test_a_damaged_page_is_fetched_again_with_the_same_locator",),
    ),
    Mutant(
        rule="A page whose connection broke is not a shorter page",
        old="if expected is not None and self.received < expected:",
        new="if False:",
        tests=("test_a_damaged_page_is_fetched_again_with_the_same_locator",),
    ),
    # 3.5, 3.6: totals and locators
    Mutant(
        rule="More rows than numberRecordsProcessed are a wrong total",
        old="if walk.total is not None and seen > walk.total:",
        new="if False:",
        tests=("test_more_rows_than_the_total_are_a_wrong_total_whatever_follows",),
    ),
    Mutant(
        rule="Fewer rows than numberRecordsProcessed are a wrong total",
        old="if walk.total == seen or (headers.last and walk.total is None):",
        new="if headers.last or walk.total == seen:",
        tests=(
            "test_an_end_before_the_total_is_a_wrong_total",
            "test_a_row_that_a_page_lacks_although_its_header_agrees_is_noticed",
        ),
    ),
    Mutant(
        rule="A missing locator header is the end only when the rows equal the total",
        old="if walk.total == seen or (headers.last and walk.total is None):",
        new="if walk.total == seen or not headers.last or walk.total is None:",
        tests=(
            "test_a_missing_locator_header_is_the_end_only_when_the_rows_so_far_equal_the_total",
            "test_an_accepted_page_that_does_not_lead_on_is_fetched_again",
        ),
    ),
    Mutant(
        rule="A locator that was used before does not lead on",
        old="if headers.locator == walk.locator or headers.locator in walk.used:",
        new="if False:",
        tests=("test_a_page_that_names_itself_as_the_next_leads_nowhere",),
    ),
    Mutant(
        rule="After a wrong total no state names the job",
        old="forget_jobs=True",
        new="forget_jobs=False",
        tests=("test_a_wrong_total_fails_the_object_typed_and_its_state_forgets_the_job",),
    ),
    Mutant(
        rule="How many rows repeat is known and said",
        old="self.repeated_rows += repeated",
        new="pass",
        tests=(
            "test_every_row_comes_once_or_the_object_fails_typed_and_no_job_is_left",
            "test_a_job_that_disappears_between_two_pages_is_asked_for_again_and_its_rows_repeat_with_a_warning",
        ),
    ),
    # 1.6, 3.7: states
    Mutant(
        rule="A state follows the rows it covers",
        old="""                    yield from self._records(ready.page, window)
                    reconciliation.noted()
                    reading.extraction.handed_on(read, ready)
""",
        new="""                    rows = list(self._records(ready.page, window))
                    reconciliation.noted()
                    reading.extraction.handed_on(read, ready)
                    yield from self._changed_state(read)
                    yield from rows
""",
        tests=(
            "test_rows_come_page_by_page_each_followed_by_its_state_and_a_turn",
            "test_every_state_stands_behind_the_rows_it_covers",
        ),
    ),
    Mutant(
        rule="A continued job goes on behind the last page of its state",
        old="locator=point.locator, page=point.page, rows=point.rows",
        new="locator=None, page=point.page, rows=point.rows",
        tests=("test_an_earlier_runs_job_goes_on_behind_the_last_page_of_its_state",),
    ),
    Mutant(
        rule="A continued job keeps its own version and page size",
        old="self.api_version, self.page_size = point.api_version, point.page_size",
        new="pass",
        tests=("test_an_earlier_runs_job_is_continued_with_its_own_version_and_page_size",),
    ),
    Mutant(
        rule="A job that was asked another query is not continued",
        old="return window.resume is not None and window.resume.query == plan.query_hash(window.bounds)",
        new="return window.resume is not None",
        tests=("test_a_job_of_another_query_is_ended_and_its_window_read_again",),
    ),
    Mutant(
        rule="The cursor never decreases",
        old="return other if one is None or other > one else one",
        new="return other",
        tests=("test_the_cursor_never_decreases",),
    ),
    Mutant(
        rule="The cursor waits for the last Id range of its window",
        old="window.bounds.end is not None and not sibling",
        new="window.bounds.end is not None",
        tests=("test_the_cursor_waits_for_the_last_id_range_of_a_window",),
    ),
    Mutant(
        rule="A range in front without a job leaves the older state standing",
        old="front.job.job_id is None and in_order and front.extra is None",
        new="False",
        tests=("test_a_range_in_front_without_a_job_leaves_the_older_state_standing",),
    ),
    Mutant(
        rule="State of another scope starts over",
        old="""    if blob.get(_SCOPE, scope) != scope:
        return ReadState(fresh, _OTHER_SCOPE, points)
    cursor""",
        new="""    cursor""",
        tests=(
            "test_a_state_of_another_scope_starts_over_with_a_warning",
            "test_a_state_of_another_scope_starts_over_says_why_and_leaves_its_jobs",
        ),
    ),
    Mutant(
        rule="Which rows a cursor stands for includes the organization",
        old="parts = [organization_id, operation,",
        new="parts = [operation,",
        tests=("test_a_state_of_another_scope_starts_over_with_a_warning",),
    ),
    # 3.8, 3.9: jobs
    Mutant(
        rule="Another user's job is not ours",
        old="return self._creator is not None and _same_id(user_id, self._creator)",
        new="return True",
        tests=(
            "test_what_the_org_writes_on_a_job_of_ours_decides_where_it_is_not_the_logins_user",
            "test_abandoned_jobs_are_ended_where_they_are_ours",
        ),
    ),
    Mutant(
        rule="A job that a state names is judged before it is touched",
        old="if window.unconfirmed:\n            confirm",
        new="if False:\n            confirm",
        tests=("test_a_job_that_turns_out_not_to_be_ours_is_asked_about_once_and_left_alone",),
    ),
    Mutant(
        rule="A create whose answer was lost is sent once more, not again and again",
        old="if event.failure.action is Action.SEND_ONCE_MORE and job.lost_answers == 0:",
        new="if event.failure.action is Action.SEND_ONCE_MORE:",
        tests=(
            "test_a_create_that_was_lost_twice_fails",
            "test_a_create_that_was_lost_twice_fails_the_object_and_no_third_is_sent",
        ),
    ),
    Mutant(
        rule="No more jobs run in the org than max_concurrent_jobs",
        old="return self._unfinished(reads) < self._run.max_concurrent_jobs",
        new="return True",
        tests=("test_no_more_jobs_run_in_the_org_than_allowed",),
    ),
    Mutant(
        rule="The jobs that an emitted state names outlive the run",
        old="if job_id not in keep",
        new="if job_id",
        tests=(
            "test_at_the_end_every_job_but_those_that_the_state_names_is_discarded",
            "test_a_run_that_is_stopped_keeps_the_jobs_of_its_states_and_ends_the_others",
        ),
    ),
    Mutant(
        rule="A job that may still run is aborted before it is deleted",
        old="abort = partial(self._org.abort,",
        new="abort = partial(self._org.delete,",
        tests=("test_a_job_that_may_still_run_is_aborted_with_its_own_version",),
    ),
    Mutant(
        rule="A job whose time is over is given up",
        old="""    if at.now < deadline(job, at.policy):
        return job, ()
    return _timed_out(job, at)
""",
        new="""    return job, ()
""",
        tests=("test_a_job_whose_time_is_over_is_aborted_and_asked_for_again",),
    ),
    Mutant(
        rule="An earlier run's job that may not be seen costs its window, not the stream",
        old="if window.unconfirmed and is_refusal(failure):",
        new="if False:",
        tests=("test_an_earlier_runs_job_that_may_not_be_seen_costs_its_window",),
    ),
    Mutant(
        rule="A cursor that the user has chosen is not quietly given up",
        old="if cursor is None or chosen or self.config.start_date is not None:",
        new="if cursor is None:",
        tests=("test_a_cursor_that_the_user_needs_and_salesforce_refuses_is_a_config_error_that_names_it",),
    ),
    Mutant(
        rule="An empty range of Ids is handed on, so that an export sees the end of its window",
        old="if window.walk.counted and window.walk.page == 0 and not window.ranged:",
        new="if window.walk.counted and window.walk.page == 0:",
        tests=("test_an_empty_range_of_ids_is_handed_on_like_any_other_so_that_its_end_is_seen",),
    ),
    # Sessions, secrets, failures
    Mutant(
        rule="One login serves every thread that found the same session ended",
        old="if self._session is not None and self._session.access_token != stale:",
        new="if self._session is not None and stale is None:",
        tests=("test_who_comes_late_gets_the_session_that_is_there",),
    ),
    Mutant(
        rule="A session refused right after its login is not renewed again",
        old="if logins == MAX_LOGINS or (logins and not was_good):",
        new="if False:",
        tests=("test_a_session_refused_right_after_its_login_fails_for_good",),
    ),
    Mutant(
        rule="The token goes to the org's host and to no other",
        old='if not request.path.startswith("/"):',
        new="if False:",
        tests=("test_the_token_goes_to_no_other_host",),
    ),
    Mutant(
        rule="A rotated refresh token is handed on before anything else",
        old="        self._keep_rotated(rotated_refresh_token(response))\n",
        new="",
        tests=(
            "test_a_rotated_refresh_token_is_handed_on_first_and_used_from_then_on",
            "test_a_rotated_refresh_token_is_handed_to_the_platform_before_anything_else",
        ),
    ),
    Mutant(
        rule="Salesforce's words about a job hold no secret",
        old='self._transport.redact(info.error_message or "") or None',
        new="info.error_message",
        tests=("test_salesforces_words_about_a_failed_job_hold_no_secret",),
    ),
    Mutant(
        rule="Clean-up that fails does not fail the sync",
        old="log_job(LOGGER, JobFacts(self._run_id, request.object_name, job_id), what, level=logging.WARNING)",
        new="raise",
        tests=("test_clean_up_that_fails_is_logged_and_raises_nothing",),
    ),
    Mutant(
        rule="An outage is no org with fewer objects",
        old="if witness is None or _unanswered(again[witness]):",
        new="if False:",
        tests=(
            "test_an_outage_of_all_describes_is_a_failure",
            "test_an_outage_that_begins_between_two_describes_is_a_failure",
        ),
    ),
    # 1.5: records
    Mutant(
        rule="A pattern takes time in proportion to its text",
        old=r"(?:\d+(?:\.\d*)?|\.\d+)",
        new=r"(?:\d+\.?\d*|\.\d+)",
        tests=("test_a_pattern_takes_twice_the_steps_for_twice_the_text",),
    ),
    Mutant(
        rule="A lock that leads elsewhere is not written to",
        old="_ONLY_THE_FILE_ITSELF = os.O_NOFOLLOW | os.O_NONBLOCK",
        new="_ONLY_THE_FILE_ITSELF = os.O_NONBLOCK",
        tests=("test_a_lock_that_leads_elsewhere_is_refused_and_its_target_left_alone",),
    ),
    Mutant(
        rule="What a registry holds is checked before it names a file",
        old="*_later_facts(later))\n                return checked_progress(kept)",
        new="*_later_facts(later))\n                return kept",
        tests=("test_anything_else_is_refused",),
    ),
    Mutant(
        rule="An unknown key is refused or warned of",
        old='elif value is not None and not name.startswith("_"):',
        new="elif False:",
        tests=(
            "test_an_unknown_key_is_a_warning_or_is_refused",
            "test_check_refuses_an_unknown_key_before_it_asks_the_org",
        ),
    ),
    Mutant(
        rule="An override offers its object",
        old="named = is_named(listing.name, [*include, *overridden])",
        new="named = is_named(listing.name, include)",
        tests=("test_an_override_of_an_object_offers_it",),
    ),
    Mutant(
        rule="The verifier of the Authenticate button is in no address",
        old='_CODE_VERIFIER = f"{{{{ state_value | {_S256} }}}}"',
        new='_CODE_VERIFIER = "{{ state_value }}"',
        tests=("test_the_verifier_answers_the_challenge_and_is_in_no_address",),
    ),
    Mutant(
        rule="Only an empty cell is null",
        old="            if not cell:\n",
        new='            if not cell.strip() or cell in ("NA", "null", "NaN"):\n',
        tests=("test_only_an_empty_cell_is_null", "test_a_word_for_null_is_text"),
    ),
    Mutant(
        rule="Numbers keep every digit Salesforce sent",
        old="return value if exact is not UNREADABLE and Decimal(repr(value)) == exact else exact",
        new="return value",
        tests=(
            "test_any_number_keeps_every_digit",
            "test_numbers_keep_every_digit_on_the_wire",
        ),
    ),
    Mutant(
        rule="An unreadable cell is noted in its record",
        old='message["meta"] = {"changes": [_change(name) for name in record.unreadable]}',
        new="pass",
        tests=("test_a_record_line_is_what_a_stock_entrypoint_of_the_cdk_prints",),
    ),
    Mutant(
        rule="A bare CR in a cell is data, not the end of a row",
        old='if "\\r" in line and not self._ends_with_cr:',
        new="if False:",
        tests=("test_an_unquoted_cell_survives_as_it_is_even_with_a_bare_cr",),
    ),
    # 1.4, 1.7, 3.11: the run
    Mutant(
        rule="The daily reserve itself may be left, less may not",
        old="limit.remaining * 100 < limit.maximum * max(reserve_percent, 0)",
        new="limit.remaining * 100 <= limit.maximum * max(reserve_percent, 0)",
        tests=("test_the_reserve_itself_may_be_left",),
    ),
    Mutant(
        rule="A failed stream makes the run fail",
        old="if self._failures and not self.stopped():",
        new="if False:",
        tests=("test_a_run_with_a_failed_stream_ends_with_an_exception_that_names_it",),
    ),
    Mutant(
        rule="A waiting stream's last state is emitted again",
        old="if progress.last_state is not None and now - progress.last_state_at >= STATE_AGAIN:",
        new="if False:",
        tests=("test_a_waiting_streams_last_state_is_emitted_again_and_a_line_is_logged",),
    ),
    Mutant(
        rule="A signal ends the run at its next turn",
        old="""            if self._stopped():
                extraction.stop(Failure.of(Kind.INTERRUPTED))
""",
        new="",
        tests=("test_a_stopped_run_ends_at_its_next_turn_with_its_state_out_and_the_named_jobs_alive",),
    ),
    Mutant(
        rule="A stream without a cursor that is asked for incrementally is read in full, every time",
        old="again = value == COMPLETE_MARKER and self._reading is not None and not self._reading.ends_for_good",
        new="again = False",
        tests=("test_a_stream_without_a_cursor_is_read_in_full_every_time",),
    ),
    Mutant(
        rule="A reader that is gone ends the run with 141",
        old="BROKEN_PIPE if isinstance(error, BrokenPipeError) else OUTPUT_LOST",
        new="OUTPUT_LOST",
        tests=("test_a_reader_that_is_gone_ends_the_run_with_141_and_nothing_more_is_written",),
    ),
    # 3.12, and few calls
    Mutant(
        rule="Only an answer that holds all rows closes a window without a job",
        old="        elif not page.headers.last:\n            page.discard()\n            self._leave_to_job",
        new="        elif False:\n            page.discard()\n            self._leave_to_job",
        tests=("test_a_window_with_more_rows_than_a_page_is_read_by_a_job",),
    ),
    Mutant(
        rule="A probe has the WHERE of the job that it spares",
        old="conditions = conditions_of(self.query, self.bounds)",
        new="conditions = conditions_of(self.query, self.bounds)[1:]",
        tests=("test_the_first_page_has_the_jobs_own_conditions_in_the_order_of_ids",),
    ),
    Mutant(
        rule="A page of the REST lane has as many rows as its answer promises",
        old="        if rows != total:\n",
        new="        if False:\n",
        tests=("test_a_page_that_does_not_prove_itself_is_rejected",),
    ),
    Mutant(
        rule="No row of the REST lane comes twice",
        old="if self.after is not None and id_15(found) <= id_15(self.after):",
        new="if False:",
        tests=("test_a_page_begins_behind_the_one_before_it",),
    ),
    Mutant(
        rule="An address without any value is null",
        old="if any(value is not None for value in compound.values()):",
        new="if compound:",
        tests=("test_a_compound_field_has_every_key_and_is_null_without_a_value",),
    ),
    Mutant(
        rule="An excluded address takes its parts with it",
        old="asked = replace(asked, never=_and_parts(choice.never, parts))",
        new="asked = replace(asked, never=choice.never)",
        tests=("test_an_excluded_object_takes_its_parts_with_it_where_they_are_not_seen",),
    ),
    Mutant(
        rule="A window that was begun in one lane is not gone on with in the other",
        old='lane = "rest " if self.lane.rest else ""',
        new='lane = ""',
        tests=("test_a_window_that_was_begun_in_one_lane_is_read_whole_in_the_other",),
    ),
    Mutant(
        rule="A probe that fails leaves the window to a job",
        old="        self._apply(read, window, Probed(None))",
        new="        self._apply(read, window, Probed(0))",
        tests=("test_a_probe_that_fails_leaves_the_window_to_a_job",),
    ),
    Mutant(
        rule="An empty window that is not in front is closed when it comes to the front",
        old="if self.front is not None and self.front.job.phase is Phase.DONE:",
        new="if False:",
        tests=("test_an_empty_window_behind_one_that_is_being_read_is_closed_after_it",),
    ),
    Mutant(
        rule="A job that replaces one in abort waits for its slot",
        old="        if self._ledger.aborting:\n",
        new="        if False:\n",
        tests=("test_no_more_jobs_than_slots_are_unfinished_also_while_stuck_ones_are_replaced",),
    ),
    Mutant(
        rule="No more jobs are created than the reserve leaves",
        old="if self._last_create is not None and self.creates >= self._last_create:",
        new="if False:",
        tests=("test_creates_stop_where_the_allowance_ends_and_jobs_that_exist_are_read",),
    ),
    Mutant(
        rule="The first of an object's windows stays open below",
        old="edges = [bounds.start, *sorted(cut for cut in cuts if begin < cut < end), bounds.end]",
        new="edges = [begin, *sorted(cut for cut in cuts if begin < cut < end), bounds.end]",
        tests=("test_the_pieces_of_a_window_meet_without_gap_or_overlap_at_whole_seconds",),
    ),
    # 3.2, 3.8 to 3.11: a run that is stopped or continued
    Mutant(
        rule="A window of a state that ends in the future is read as if never begun",
        old="point.bounds.end is not None and point.bounds.end > upper)",
        new="False)",
        tests=("test_a_window_that_ends_behind_the_orgs_clock_is_read_as_if_never_begun",),
    ),
    Mutant(
        rule="A job that only a state names is asked about before it is ended",
        old="case AbortJob(job_id) | DeleteJob(job_id) if window.unconfirmed:",
        new="case AbortJob(job_id) | DeleteJob(job_id) if False:",
        tests=("test_a_job_that_was_never_confirmed_is_asked_about_once_more_before_it_is_ended",),
    ),
    Mutant(
        rule="The end of a run waits for creates on their way",
        old="if not (self._leaving or self._arriving) or left <= 0:",
        new="if not self._leaving or left <= 0:",
        tests=("test_a_create_that_is_answered_during_the_end_is_no_job_left_behind",),
    ),
    Mutant(
        rule="A run that is stopped before its first state keeps the jobs of the one it was given",
        old="progress.last_state = self._incoming(name) or None",
        new="progress.last_state = None",
        tests=("test_a_run_that_is_stopped_early_keeps_the_job_of_the_state_it_was_given",),
    ),
    Mutant(
        rule="A reader that goes away may have any state since stdout was flushed",
        old="keep |= progress.unflushed | jobs_named(progress.last_state)",
        new="keep |= jobs_named(progress.last_state)",
        tests=("test_wherever_a_reader_goes_away_the_jobs_that_its_state_may_name_stay",),
    ),
    Mutant(
        rule="Buffers are flushed before every wait",
        old="""            before_waiting()
""",
        new="",
        tests=("test_buffers_are_flushed_before_every_wait",),
    ),
    Mutant(
        rule="After a write that was torn off nothing more is written",
        old="""            silence_stdout()
            raise Overdue""",
        new="""            raise Overdue""",
        tests=("test_a_main_thread_that_is_held_is_torn_out_and_stdout_takes_nothing_more",),
    ),
    # Nothing lost, nothing twice: trouble within a run
    Mutant(
        rule="A page that begins with a row of an earlier page is not taken",
        old="if first_id in walk.first_ids:",
        new="if False:",
        tests=("test_a_page_that_begins_with_the_row_of_an_earlier_one_is_not_taken",),
    ),
    Mutant(
        rule="A page that does not fit behind those before it is fetched again before it fails anything",
        old="again = self.refetches < most",
        new="again = False",
        tests=("test_a_row_that_a_page_lacked_once_comes_when_the_page_is_fetched_again",),
    ),
    Mutant(
        rule="No job is asked for again without a pause",
        old="return JOB_BACKOFF.delay(tried - 1, random01) if tried else 0.0",
        new="return 0.0",
        tests=("test_no_job_is_asked_for_again_without_a_pause_and_the_first_at_once",),
    ),
    Mutant(
        rule="A half has what is left of its parent's time",
        old="halvings=parent.halvings + 1, spent=parent.spent)",
        new="halvings=parent.halvings + 1)",
        tests=("test_a_half_has_what_is_left_of_its_parents_time",),
    ),
    Mutant(
        rule="A result that this user may not read is left for one who may",
        old="    if event.failure.action is Action.FAIL_STREAM:\n",
        new="    if False:\n",
        tests=("test_a_result_that_this_user_may_not_read_is_left_for_a_run_that_may",),
    ),
    Mutant(
        rule="A size that failed is not tried again",
        old="return too_long or 0 < window.job.halvings <= self._too_coarse",
        new="return False",
        tests=(
            "test_a_sibling_of_a_half_that_failed_is_known_to_be_too_large_and_its_quarters_are_not",
            "test_what_is_as_large_as_a_window_that_failed_is_known_to_be_too_large",
        ),
    ),
    Mutant(
        rule="Rows of one instant are not cut by date",
        old="return _cut(bounds, middle) if first < middle <= last else None",
        new="return _cut(bounds, middle)",
        tests=("test_rows_of_one_second_have_no_halves_by_date",),
    ),
    Mutant(
        rule="After some halvings by date, Ids are cut first",
        old="ways.insert(0 if halvings < DATE_HALVINGS else 1, _halves_by_date)",
        new="ways.insert(0, _halves_by_date)",
        tests=("test_after_some_halvings_by_date_ids_are_tried_first",),
    ),
    Mutant(
        rule="A window is cut where its Ids lie",
        old="counted=isinstance(rows, int))]",
        new="counted=False)]",
        tests=("test_no_piece_of_sixteen_holds_more_than_a_quarter_of_ids_as_they_were_recorded",),
    ),
    Mutant(
        rule="Rows that lie thin at one end of a range are passed in one jump",
        old="light = min(low.weight, high.weight) < _LOPSIDED * part.weight",
        new="light = False",
        tests=("test_outliers_at_both_ends_do_not_spoil_the_halves_of_a_dense_clump",),
    ),
    Mutant(
        rule="A short window is finished before the one whose look-back reaches behind it",
        old='return bounds.end or _LATEST, bounds.start or _EARLIEST, bounds.id_from or ""',
        new='return bounds.start or _EARLIEST, bounds.end or _LATEST, bounds.id_from or ""',
        tests=("test_a_short_window_is_finished_before_the_one_whose_look_back_reaches_behind_it",),
    ),
    Mutant(
        rule="A defect in a call fails the object it was made for",
        old="    return Failure.of(Kind.UNEXPECTED, detail=type(error).__name__)",
        new="    raise error",
        tests=("test_a_defect_in_a_call_is_a_failure_that_does_not_quote_it",),
    ),
    Mutant(
        rule="A disk that takes no page stops the run and is named",
        old="        except OSError as error:\n            raise SalesforceError(page_not_kept(error)) from error\n",
        new="        except KeyError:\n            raise\n",
        tests=("test_a_page_that_cannot_be_written_says_so_and_stops_the_run",),
    ),
    Mutant(
        rule="A source that could not take a new refresh token is refused before any login",
        old="            self._source.check_writable()\n",
        new="",
        tests=("test_a_source_that_could_not_take_a_new_refresh_token_is_refused_before_any_login",),
    ),
    Mutant(
        rule="A refresh token that stdout does not take is kept",
        old="            self._keep(refresh_token)\n",
        new="",
        tests=("test_a_token_that_stdout_does_not_take_is_kept_and_stderr_says_where",),
    ),
    Mutant(
        rule="No copy of the configuration is made",
        old="        return config\n\n    @classmethod",
        new="        return super().configure(config, temp_dir)\n\n    @classmethod",
        tests=("test_no_copy_of_the_configuration_is_made",),
    ),
    Mutant(
        rule="A session that was good and is redirected is replaced by one login",
        old="            return was_good and logins == 0\n",
        new="            return False\n",
        tests=("test_a_redirect_after_good_answers_is_followed_by_one_login_to_where_the_org_is_now",),
    ),
    Mutant(
        rule="A refused audience is replaced by the other that may be meant",
        old="if not self._is_of_audience(error.failure) or len(self._audiences) == 1:",
        new="if True:",
        tests=("test_a_refused_audience_is_replaced_by_each_other_that_may_be_meant_once",),
    ),
    Mutant(
        rule="An answer is decoded no further than its operation has reason for",
        old="        if len(text) > limit:\n",
        new="        if False:\n",
        tests=("test_an_answer_longer_than_its_operation_has_reason_for_is_refused_in_little_memory",),
    ),
    Mutant(
        rule="What is shown of a job cannot reach a terminal",
        old="None if fact is None else printable(fact)",
        new="fact",
        tests=("test_no_fact_breaks_a_line_or_reaches_a_terminal",),
    ),
    Mutant(
        rule="An export that stdout takes nothing of goes on",
        old="            self._give_up(error)\n            return len(text)\n",
        new="            raise\n",
        tests=("test_a_guarded_stdout_never_fails_and_knows_what_was_lost",),
    ),
    Mutant(
        rule="A late answer does not lower the count of used API calls",
        old="return ordered[1 if len(ordered) > 2 else 0] if ordered else None",
        new="return self.answers[-1] if ordered else None",
        tests=("test_a_late_answer_does_not_lower_the_count_and_a_wild_one_does_not_raise_it",),
    ),
    Mutant(
        rule="A head that drips is given up",
        old="            if left <= 0:\n",
        new="            if left <= -1e9:\n",
        tests=("test_a_head_that_drips_is_given_up_after_the_read_timeout_in_all",),
    ),
    Mutant(
        rule="A request to this machine uses no proxy",
        old="proxy = None if is_loopback(host) else select_proxy(url, proxies)",
        new="proxy = select_proxy(url, proxies)",
        tests=("test_a_request_to_this_machine_uses_no_proxy",),
    ),
    Mutant(
        rule="A login over TLS opens no session without it",
        old='if base.startswith("http:") and not login_url.startswith("http:"):',
        new="if False:",
        tests=("test_a_login_over_tls_opens_no_session_without_it",),
    ),
    Mutant(
        rule="Only a full disk is called one",
        old="if cause.errno in (errno.ENOSPC, errno.EDQUOT) else",
        new="if cause.errno else",
        tests=("test_a_full_disk_and_too_many_open_files_are_called_by_their_names",),
    ),
    Mutant(
        rule="A selection of which nothing is left is no query",
        old="    if not chosen:\n        raise SalesforceError(_nothing_left(wanted))\n",
        new="",
        tests=("test_a_selection_whose_fields_have_all_vanished_is_no_query_and_says_what_to_do",),
    ),
    Mutant(
        rule="Another destination than the state's is refused",
        old="    if progress.destination != target.url:\n        awaited",
        new="    if False:\n        awaited",
        tests=("test_another_destination_is_refused_with_both_ways",),
    ),
    Mutant(
        rule="A destination that has lost an object's files is refused",
        old="if progress.rows and not holds_files",
        new="if False and not holds_files",
        tests=("test_a_destination_that_was_emptied_is_refused_where_rows_were_written",),
    ),
    Mutant(
        rule="An attempt never takes the window numbers of files that a manifest names",
        old='if entry.get("object") == object_name for file',
        new='if entry.get("object") == "" for file',
        tests=("test_files_that_a_manifest_names_keep_their_window_numbers",),
    ),
    Mutant(
        rule="A retry of a run that started an object over goes on",
        old="if self.options.starts_over(name) and progress.begun_by != self.run_id:",
        new="if self.options.starts_over(name):",
        tests=("test_starting_over_gives_the_old_state_up_and_happens_once_in_a_run",),
    ),
    Mutant(
        rule="Since never moves a cursor ahead",
        old="format_instant(min(since, reached))",
        new="format_instant(since)",
        tests=("test_since_sets_a_state_back_and_never_ahead",),
    ),
    Mutant(
        rule="A hashed value is nowhere in clear",
        old="cells[place] = hashing.digest(cells[place])",
        new="pass",
        tests=("test_a_value_becomes_its_hmac_and_a_null_stays_one",),
    ),
    Mutant(
        rule="The configuration's own secrets are masked from the start",
        old="        self.mask.learn(*list_secrets(loaded.credentials))\n",
        new="",
        tests=("test_the_configurations_own_secrets_are_masked_in_the_logs_however_they_are_spelled",),
    ),
    Mutant(
        rule="Of a secret that holds another one, nothing is left",
        old="key=len, reverse=True",
        new="key=len",
        tests=("test_of_a_secret_that_holds_another_nothing_is_left",),
    ),
    # Plan: what it says is what an export meets.
    Mutant(
        rule="Only a refusal of the object itself makes it unreadable",
        old="            if failure.consequence is not Consequence.CONFIG or failure.action is Action.STOP_RUN:\n"
        "                raise\n",
        new="",
        tests=("test_what_says_nothing_about_the_object_does_not_make_it_unreadable",),
    ),
    Mutant(
        rule="A number of calls is right at both ends of what the polls may be",
        old="if all(abs(middle - end) <= TOLERANCE * end for end in (low, high)) else None",
        new="",
        tests=("test_a_number_of_calls_is_right_whether_jobs_are_done_at_once_or_in_ten_minutes",),
    ),
    # Export: every row once in the files that manifests name.
    Mutant(
        "a range that starts over drops the files it had",
        "return replace(self, open=self.open[: len(self.open) - self.front], front=0)",
        "return replace(self, front=0)",
        ("test_what_starts_over_loses_its_own_files_only",),
    ),
    Mutant(
        "under a state that names no job no file of an open window counts",
        "return self if state.resume else replace(self, open=(), front=0)",
        "return self",
        ("test_under_a_state_without_jobs_no_open_file_counts",),
    ),
    Mutant(
        "An integer beyond 64 bits has no place in Arrow",
        "value if isinstance(value, int) and -_SIXTY_FOUR_BITS <= value < _SIXTY_FOUR_BITS else None",
        "value",
        ("test_a_cell_of_doubt_is_the_same_on_both_ways",),
    ),
    Mutant(
        "A Parquet row group is bounded in bytes",
        "if self._waiting and self._size + batch.nbytes > self._row_group:",
        "if False:",
        ("test_a_parquet_file_has_row_groups_of_bounded_bytes_and_the_schema_it_was_given",),
    ),
    Mutant(
        "a lost lease commits nothing",
        """        self.renew()
        replace_file(""",
        """        replace_file(""",
        ("test_a_lost_lease_commits_nothing",),
    ),
    # Tables
    Mutant(
        "of a key's versions the newest cursor wins, whenever it was read",
        'sort_keys=[(CURSOR, "ascending"), (READ_AT, "ascending"), (FILE',
        'sort_keys=[(READ_AT, "ascending"), (CURSOR, "ascending"), (FILE',
        ("test_the_newest_cursor_wins_whenever_it_was_read",),
    ),
    Mutant(
        "a tombstone beats the rows that were read together with it",
        "pc.less(joined[BURIED], joined[READ_AT])",
        "pc.less_equal(joined[BURIED], joined[READ_AT])",
        ("test_a_tombstone_beats_what_was_read_until_then_and_not_what_was_read_later",),
    ),
    Mutant(
        "a purged row that a table keeps is marked",
        "filter(pc.field(BURIED).is_valid())",
        "filter(pc.field(BURIED).is_null())",
        ("test_a_buried_row_that_is_kept_says_when_it_was_found_to_be_gone",),
    ),
    Mutant(
        "a version of a row ends where the next one begins",
        "next_begins = pc.if_else(follows, _shifted(rows[BEGINS], -1), pa.scalar(None, INSTANT))",
        "next_begins = pc.if_else(follows, rows[BEGINS], pa.scalar(None, INSTANT))",
        ("test_each_version_ends_where_the_next_one_begins_and_the_last_is_open",),
    ),
    Mutant(
        "a tombstone ends no version that was read after it",
        "rows = rows.filter(pc.invert(_survived(rows)))",
        "rows = rows.filter(pc.is_valid(_survived(rows)))",
        ("test_a_tombstone_ends_no_version_that_was_read_after_it",),
    ),
    Mutant(
        "each attempt at a page has a file of its own in the table's data",
        'name = f"{uuid.uuid4()}.parquet"',
        'name = "page.parquet"',
        ("test_a_file_is_copied_whole_under_a_name_of_its_own_each_time",),
    ),
    Mutant(
        "a commit names the snapshots that it builds on",
        "self._requirements = (*others, *self._fence)",
        "self._requirements = (*others,)",
        ("test_a_commit_on_older_snapshots_is_refused",),
    ),
    Mutant(
        "a window without a cursor before it replaces the log's rows",
        "return not has_cursor(before) or (",
        "return False and (",
        ("test_a_window_without_a_cursor_before_it_holds_all_rows",),
    ),
    Mutant(
        "a refresh that has failed replaces nothing",
        "replaces=publishes and replaces,",
        "replaces=replaces,",
        ("test_a_refresh_that_has_failed_replaces_nothing",),
    ),
    Mutant(
        "a fold that has nothing to add makes no commit",
        "    if again and not new:",
        "    if False:",
        ("test_a_fold_that_has_nothing_to_add_makes_no_commit",),
    ),
    Mutant(
        "a local file of a table is synced before metadata names it",
        "                os.fsync(self.fileno())\n",
        "",
        ("test_a_file_and_every_new_name_above_it_are_durable_once_it_is_closed",),
    ),
    Mutant(
        "a field of another type gets another column",
        "if column is None or column.field_type == type_of(field):",
        "if True:",
        ("test_a_field_of_another_type_is_a_column_of_another_name",),
    ),
    Mutant(
        "cleaning leaves young files, which a run may be about to name",
        "file.path not in named and file.mtime < before:",
        "file.path not in named:",
        ("test_young_files_stay",),
    ),
    Mutant(
        "a catalog that cannot be reached is a temporary failure",
        "passing = kind.__name__ not in _HTTP_CONFIG",
        "passing = False",
        ("test_a_catalog_that_cannot_be_reached_is_no_matter_of_the_disk",),
    ),
    Mutant(
        "a table of another format version is refused",
        "if table.metadata.format_version != 2:",
        "if False:",
        ("test_a_table_that_was_upgraded_is_refused",),
    ),
    Mutant(
        "a pushed number is moved outwards, because Spark compares the nearest doubles",
        '    outwards = math.nextafter(float(value), math.inf if sign == "<=" else -math.inf)\n',
        "    outwards = float(value)\n",
        ("test_a_filter_is_pushed_as_soql_has_it",),
    ),
    Mutant(
        "a task compares the rows of its page with those that the plan was told",
        "if outcome.rows != planned.rows:",
        "if False:",
        ("test_a_page_with_another_number_of_rows_than_announced_is_refused",),
    ),
    Mutant(
        "a plan keeps the jobs whose pages are its tasks",
        "            keep.update(planned.jobs)\n",
        "",
        ("test_a_page_is_a_task_and_a_task_that_runs_again_only_downloads",),
    ),
    Mutant(
        "a failed plan keeps the jobs that its state names",
        "            keep.update(reading.named)\n",
        "            pass\n",
        ("test_a_plan_that_failed_half_way_goes_on_with_the_same_job",),
    ),
    Mutant(
        "a read that is not finished leaves the jobs of its state to the next one",
        "if note.state is not None and not stored else frozenset()",
        "if False else frozenset()",
        ("test_a_read_that_was_not_finished_comes_again_from_the_same_job",),
    ),
    Mutant(
        "a read moves only the state on with which it began",
        "        if _text(lease.progress.state) != _text(note.begun):",
        "        if False:",
        ("test_a_state_that_another_run_moved_on_is_left_alone",),
    ),
    Mutant(
        "a file with another checksum is not stored",
        "digest.hexdigest() != blob.checksum:",
        "False:",
        ("test_content_of_another_size_or_checksum_is_fetched_again",),
    ),
    Mutant(
        "a file of another size is not stored",
        "        if size != blob.size:",
        "        if False:",
        ("test_without_a_checksum_the_size_decides",),
    ),
    Mutant(
        "only an extension of letters and digits comes into a file's name",
        "extension if _EXTENSION.fullmatch(extension) else None,",
        "extension or None,",
        ("test_no_text_of_the_org_leads_out_of_the_folder",),
    ),
    Mutant(
        "a pass of files looks back before the end of the last one",
        "self.reached and self.reached - lookback",
        "self.reached",
        ("test_the_next_pass_begins_before_the_end_of_the_last",),
    ),
    Mutant(
        "files that were not valid are tried again by the next pass",
        "return BlobProgress(self.until, number=self.number, again=self.missed)",
        "return BlobProgress(self.until, number=self.number)",
        ("test_rows_without_a_valid_file_are_tried_first_in_the_next_pass",),
    ),
)
