"""The mutants of the native page core: the rules are in ``core/src``, the tests are the crate's own."""

from __future__ import annotations

from unit_tests.mutants import Mutant

CORE_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "A quote may open a cell only where the cell begins.",
        "opening & !(behind_end | behind_closing) | behind_closing",
        "behind_closing",
        ("rows::tests::any_text_of_marks_is_cut_as_the_machine_cuts_it",),
    ),
    Mutant(
        "Nothing but a separator or a quote follows a quote that closes.",
        " | behind_closing & !(found.quotes | separators)",
        "",
        ("rows::tests::a_stray_quote_is_refused_and_an_open_one_at_the_end",),
    ),
    Mutant(
        "A quote stays open beyond the 64 bytes that are looked at together.",
        "self.inside = (inside as i64 >> 63) as u64;",
        "self.inside = 0;",
        ("rows::tests::quotes_are_seen_across_blocks",),
    ),
    Mutant(
        "A row has as many cells as the header.",
        "if count != self.width {",
        "if count < self.width {",
        ("rows::tests::a_row_of_another_width_is_refused",),
    ),
    Mutant(
        "Two quotes in a quoted cell are one.",
        "let doubled = opening & behind_closing;",
        "let doubled = 0;",
        ("rows::tests::quotes_are_seen_across_blocks",),
    ),
    Mutant(
        "A quoted cell has to be closed before the page ends.",
        "State::Quoted => Err(NotCsv::OpenQuote),",
        "State::Quoted => Ok(Some(text.len())),",
        ("machine::tests::text_that_is_not_csv_is_refused",),
    ),
    Mutant(
        "A cell is bounded.",
        "if self.characters > LONGEST_CELL {",
        "if self.characters > 2 * LONGEST_CELL {",
        ("machine::tests::a_cell_is_measured_in_characters",),
    ),
    Mutant(
        "The header names exactly the selected fields.",
        "distinct.len() == names.len() && order.len() == names.len()",
        "distinct.len() == order.len()",
        ("header::tests::a_header_of_other_columns_is_refused",),
    ),
    Mutant(
        "The header line among the rows is damage.",
        "&& is_header(text, cells, &header.names) {",
        "&& cells.is_empty() {",
        ("page::tests::damage_is_named",),
    ),
    Mutant(
        "A page is UTF-8.",
        "simdutf8::basic::from_utf8(text).map_err(|_invalid| Rejection::NotUtf8)?;",
        "let _ = simdutf8::basic::from_utf8(text);",
        ("page::tests::damage_is_named",),
    ),
    Mutant(
        "A row across two pieces of text is not lost.",
        "self.buffer.copy_within(from..self.used, 0);",
        "self.buffer.copy_within(from..from, 0);",
        ("page::tests::rows_across_pieces_come_whole_and_in_order",),
    ),
    Mutant(
        "A page's text is bounded.",
        "if self.size > self.wanted.most {",
        "if self.size > u64::MAX - self.wanted.most {",
        ("page::tests::a_row_and_a_text_have_a_largest_size",),
    ),
    Mutant(
        "A gzip member's checksum is compared.",
        "u32::from_le_bytes([a, b, c, d]) == checksum",
        "(checksum, [a, b, c, d]) != (0, [0; 4])",
        ("gzip::tests::a_wrong_checksum_or_length_is_damage_and_so_is_other_text_behind",),
    ),
    Mutant(
        "A gzip stream that is cut is damaged.",
        "_ => Err(Rejection::Gzip),\n        }\n    }\n\n    fn skip_padding",
        "_ => Ok(()),\n        }\n    }\n\n    fn skip_padding",
        ("gzip::tests::a_stream_that_is_cut_anywhere_is_damaged",),
    ),
    Mutant(
        "A number keeps every digit or goes to the exact path.",
        "if double.inexact || text.contains(&b'e') {",
        "if text.contains(&b'e') {",
        ("lines::tests::a_number_with_too_many_digits_is_asked_for",),
    ),
    Mutant(
        "A double says whether it has every digit of its cell.",
        "self.digits[..self.count] == other.digits[..other.count]",
        "self.count <= MOST_DIGITS && self.digits[0] == other.digits[0]",
        ("numbers::tests::a_double_says_whether_it_has_every_digit",),
    ),
    Mutant(
        "A cell that cannot be its type is counted.",
        "self.unreadable[column] += 1;\n            if self.format.is_record {",
        "self.unreadable[column] += 0;\n            if self.format.is_record {",
        ("lines::tests::an_unreadable_cell_is_null_and_counted",),
    ),
    Mutant(
        "Only days of the calendar are dates.",
        "(day > 28 && day > days_in(year, month))",
        "day > 31",
        ("instants::tests::a_day_that_does_not_exist_is_no_date",),
    ),
    Mutant(
        "An hour of 24 is left to the exact path.",
        "if hour > 23 || minute > 59",
        "if hour > 24 || minute > 59",
        ("instants::tests::what_versions_of_python_may_disagree_about_is_left_to_them",),
    ),
    Mutant(
        "No row is given out before its page is proven.",
        "if state == State::Reading && !self.early {",
        "if state == State::Done {",
        ("decoder::tests::no_row_is_given_out_before_the_page_is_proven",),
    ),
    Mutant(
        "A page that was rejected gives no row out.",
        "let state = self.state;\n        if state == State::Done {",
        "let state = self.state;\n        if self.columns == 0 {",
        ("decoder::tests::a_page_that_failed_stays_so",),
    ),
    Mutant(
        "The number of rows is the one that the response header says.",
        "&& expected != proof.rows",
        "&& expected < proof.rows",
        ("decoder::tests::the_number_of_rows_has_to_be_the_expected_one",),
    ),
)
