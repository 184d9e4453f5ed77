//! One page from its first byte to its last block of lines or Arrow.
//!
//! ```text
//!            feed          finish            lines, batch
//! Reading ────────> Reading ──────> Proven ──────────────> Proven, until nothing is left
//!    │
//!    └── early: lines and batch may be taken before finish, by a caller that holds them back until then
//! ```
//!
//! Otherwise nothing is returned before the whole page is verified. Any failure ends the decoder.

use arrow_schema::ArrowError;

use crate::arrays::{ArrayFormat, Batch, LARGEST_BATCH};
use crate::columns::ExactPath;
use crate::gzip::{Inflater, copy};
use crate::lines::{LineFormat, Lines};
use crate::page::{PIECE, PageText, Proof, Wanted};
use crate::rejection::Rejection;
use crate::rows::{BadRow, Rows};

/// The failure of a call, after which the page cannot be decoded.
#[derive(Debug)]
pub enum Failure<E> {
    /// The page is damaged.
    Rejected(Rejection),
    /// The caller made a call out of order. The sentence says which.
    Misused(&'static str),
    /// The exact path failed.
    Exact(E),
    /// Values do not make an Arrow array: a defect of this crate.
    Arrow(ArrowError),
}

impl<E> From<Rejection> for Failure<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl<E> From<BadRow> for Failure<E> {
    fn from(bad: BadRow) -> Self {
        Self::Rejected(bad.into())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Proven,
    /// A call failed, or is running.
    Done,
}

/// Decodes one page.
pub struct Decoder {
    state: State,
    inflater: Option<Inflater>,
    text: PageText,
    early: bool,
    columns: usize,
    rows: Option<Rows>,
    order: Vec<usize>,
}

impl Decoder {
    /// With `early`, rows may be taken before the page is proven.
    pub fn new(wanted: Wanted, gzipped: bool, early: bool) -> Self {
        Self {
            state: State::Reading,
            inflater: gzipped.then(Inflater::default),
            columns: wanted.columns.len(),
            text: PageText::new(wanted),
            early,
            rows: None,
            order: Vec::new(),
        }
    }

    /// The page's text on its way.
    pub fn text(&self) -> &PageText {
        &self.text
    }

    /// Takes the next bytes of the page as they arrived.
    pub fn feed<E>(&mut self, data: &[u8]) -> Result<(), Failure<E>> {
        self.begin(State::Reading, "feed is only possible before finish")?;
        match &mut self.inflater {
            Some(inflater) => inflater.feed(data, &mut self.text)?,
            None => copy(data, &mut self.text)?,
        }
        self.state = State::Reading;
        Ok(())
    }

    /// Verifies the complete page. `expected` is the number of rows it should have.
    pub fn finish<E>(&mut self, expected: Option<u64>) -> Result<Proof, Failure<E>> {
        self.begin(State::Reading, "finish is only possible once")?;
        if let Some(inflater) = self.inflater.take() {
            inflater.finish()?;
        }
        let proof = self.text.finish()?;
        if let Some(expected) = expected
            && expected != proof.rows
        {
            return Err(Rejection::Count { found: proof.rows, expected }.into());
        }
        self.state = State::Proven;
        Ok(proof)
    }

    /// The next lines, about `size` bytes of them; None if no row is left, or none has arrived yet.
    pub fn lines<E: ExactPath>(
        &mut self,
        format: &LineFormat,
        emitted_at: i64,
        size: usize,
        exact: &mut E,
    ) -> Result<Option<Lines>, Failure<E::Error>> {
        let state = self.begin_taking(format.columns())?;
        let mut next = self.text.take();
        if next.is_none() {
            self.state = state;
            return Ok(None);
        }
        let rows = rows_of(&mut self.rows, &mut self.order, &self.text);
        // A block ends with a piece, and lines are longer than their CSV; a small page takes less.
        let text_left = self.text.kept_size() + next.as_ref().map_or(0, Vec::len);
        let mut writer = format.writer(&self.order, emitted_at, (size + 2 * PIECE).min(2 * text_left));
        while let Some(piece) = next {
            rows.scan(&piece, true, |text, cells| writer.row(text, cells, exact).map_err(Failure::Exact))?;
            next = if writer.size() < size { self.text.take() } else { None };
        }
        self.state = state;
        Ok(Some(writer.finish()))
    }

    /// The next rows as a batch of about `size` bytes of text; None if no row is left, or none has arrived yet.
    pub fn batch<E: ExactPath>(
        &mut self,
        format: &ArrayFormat,
        size: usize,
        exact: &mut E,
    ) -> Result<Option<Batch>, Failure<E::Error>> {
        let state = self.begin_taking(format.columns())?;
        let mut next = self.text.take();
        if next.is_none() {
            self.state = state;
            return Ok(None);
        }
        let rows = rows_of(&mut self.rows, &mut self.order, &self.text);
        let mut writer = format.writer(&self.order);
        let mut taken = 0;
        while let Some(piece) = next {
            rows.scan(&piece, true, |text, cells| writer.row(text, cells, exact).map_err(Failure::Exact))?;
            if taken == 0 && size > piece.len() {
                writer.reserve(size.min(LARGEST_BATCH).min(self.text.kept_size()) / piece.len() + 1);
            }
            taken += piece.len();
            next = if taken < size.min(LARGEST_BATCH) { self.text.take() } else { None };
        }
        self.state = state;
        writer.finish().map(Some).map_err(Failure::Arrow)
    }

    fn begin<E>(&mut self, state: State, refusal: &'static str) -> Result<(), Failure<E>> {
        if self.state != state {
            return Err(Failure::Misused(if self.state == State::Done { "the page has failed" } else { refusal }));
        }
        self.state = State::Done;
        Ok(())
    }

    /// The state to return to; rows may be taken now.
    fn begin_taking<E>(&mut self, columns: usize) -> Result<State, Failure<E>> {
        let state = self.state;
        if state == State::Done {
            return Err(Failure::Misused("the page has failed"));
        }
        if columns != self.columns {
            return Err(Failure::Misused("the format is of another number of columns"));
        }
        if state == State::Reading && !self.early {
            return Err(Failure::Misused("no row is given out before finish"));
        }
        self.begin(state, "")?;
        Ok(state)
    }
}

/// The positions of a page's cells, which are known once its header has arrived, before the first row.
fn rows_of<'a>(rows: &'a mut Option<Rows>, order: &mut Vec<usize>, text: &PageText) -> &'a mut Rows {
    rows.get_or_insert_with(|| {
        let header = text.header();
        *order = header.map(|header| header.order.clone()).unwrap_or_default();
        Rows::new(order.len(), header.is_some_and(|header| header.crlf), usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{Column, Kind, Scalar};

    struct Nulls;

    impl ExactPath for Nulls {
        type Error = Rejection;

        fn json(&mut self, _column: usize, _cell: &str) -> Result<Option<Vec<u8>>, Rejection> {
            Ok(None)
        }

        fn scalar(&mut self, _column: usize, _cell: &str) -> Result<(Scalar, bool), Rejection> {
            Ok((Scalar::Unreadable, false))
        }
    }

    const PAGE: &[u8] = b"Id\n1\n2\n";

    fn decoder(page: &[u8], early: bool) -> Decoder {
        let wanted = Wanted { columns: vec!["Id".into()], key: Some(0), most: 1 << 20, longest_row: 1 << 20 };
        let mut decoder = Decoder::new(wanted, false, early);
        decoder.feed::<Rejection>(page).unwrap();
        decoder
    }

    fn lines(decoder: &mut Decoder) -> Result<Option<Lines>, Failure<Rejection>> {
        let format = LineFormat::new(&[Column { name: "Id".into(), kind: Kind::Text }], None);
        decoder.lines(&format, 0, 1, &mut Nulls)
    }

    #[test]
    fn no_row_is_given_out_before_the_page_is_proven() {
        let mut decoder = decoder(PAGE, false);
        assert!(matches!(lines(&mut decoder), Err(Failure::Misused(_))));
        assert_eq!(decoder.finish::<Rejection>(None).unwrap().rows, 2);
        assert_eq!(lines(&mut decoder).unwrap().unwrap().text, b"{\"Id\":\"1\"}\n{\"Id\":\"2\"}\n");
        assert_eq!(lines(&mut decoder).unwrap(), None);
    }

    #[test]
    fn rows_are_given_out_early_where_that_was_asked_for() {
        let mut decoder = decoder(PAGE, true);
        assert_eq!(lines(&mut decoder).unwrap(), None);
        decoder
            .feed::<Rejection>(
                &b"3
"
                .repeat(PIECE),
            )
            .unwrap();
        assert!(lines(&mut decoder).unwrap().is_some());
        let rows = decoder.finish::<Rejection>(None).unwrap().rows;
        assert_eq!(rows, 2 + PIECE as u64);
    }

    #[test]
    fn the_number_of_rows_has_to_be_the_expected_one() {
        for (expected, accepted) in [(1, false), (2, true), (3, false)] {
            assert_eq!(decoder(PAGE, false).finish::<Rejection>(Some(expected)).is_ok(), accepted);
        }
    }

    #[test]
    fn a_page_that_failed_stays_so() {
        let mut decoder = decoder(b"Id\n1,2\n", false);
        assert!(matches!(decoder.finish::<Rejection>(None), Err(Failure::Rejected(_))));
        assert!(matches!(decoder.finish::<Rejection>(None), Err(Failure::Misused(_))));
        assert!(matches!(lines(&mut decoder), Err(Failure::Misused(_))));
    }
}
