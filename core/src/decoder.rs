//! One page from its first byte to its last block of lines or Arrow.
//!
//! ```text
//!            feed          finish            lines, batch
//! Reading ────────> Reading ──────> Proven ──────────────> Proven, until nothing is left
//!    │
//!    └── with the proof of an earlier reading: lines and batch may be taken at once, and finish compares
//! ```
//!
//! Without a proof nothing is given out before the whole page is proven. Whatever fails ends the decoder.

use arrow_schema::ArrowError;

use crate::arrays::{ArrayFormat, Batch, LARGEST_BATCH};
use crate::columns::ExactPath;
use crate::gzip::{Inflater, copy};
use crate::lines::{LineFormat, Lines};
use crate::page::{PIECE, PageText, Proof, Wanted};
use crate::rejection::Rejection;
use crate::rows::{BadRow, Rows};

/// Why a call failed; the page is done for.
#[derive(Debug)]
pub enum Failure<E> {
    /// The page is damaged.
    Rejected(Rejection),
    /// A page that was read again is not the one that was proven.
    Changed,
    /// The caller asked for something out of turn. The sentence says what.
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
    earlier: Option<Proof>,
    columns: usize,
    rows: Option<Rows>,
    order: Vec<usize>,
}

impl Decoder {
    /// `earlier` is the proof of a page that is read once more.
    pub fn new(wanted: Wanted, gzipped: bool, earlier: Option<Proof>) -> Self {
        Self {
            state: State::Reading,
            inflater: gzipped.then(Inflater::default),
            columns: wanted.columns.len(),
            text: PageText::new(wanted),
            earlier,
            rows: None,
            order: Vec::new(),
        }
    }

    /// The page's text on its way.
    pub fn text(&self) -> &PageText {
        &self.text
    }

    /// Drops what is kept, and keeps nothing from now on.
    pub fn forget(&mut self) {
        self.text.forget();
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

    /// The page has come to its end: the proof, or why there is none. `expected` is the number of rows it should have.
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
        if self.earlier.as_ref().is_some_and(|earlier| !earlier.is_of_same_text(&proof)) {
            return Err(Failure::Changed);
        }
        self.state = State::Proven;
        Ok(proof)
    }

    /// The next lines, about `size` bytes of them; None where no row is left, or none has come yet.
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

    /// The next rows as a batch of about `size` bytes of text; None where no row is left, or none has come yet.
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
        if state == State::Reading && self.earlier.is_none() {
            return Err(Failure::Misused("no row is given out before finish"));
        }
        if !self.text.is_kept() {
            return Err(Failure::Misused("the text was not kept; read the page again with its proof"));
        }
        self.begin(state, "")?;
        Ok(state)
    }
}

/// Where a page's cells stand is known once its header has come, which is before the first row.
fn rows_of<'a>(rows: &'a mut Option<Rows>, order: &mut Vec<usize>, text: &PageText) -> &'a mut Rows {
    rows.get_or_insert_with(|| {
        let header = text.header();
        *order = header.map(|header| header.order.clone()).unwrap_or_default();
        Rows::new(order.len(), header.is_some_and(|header| header.crlf))
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

    fn decoder(page: &[u8], keep: usize, earlier: Option<Proof>) -> Decoder {
        let wanted = Wanted { columns: vec!["Id".into()], key: Some(0), most: 1 << 20, keep };
        let mut decoder = Decoder::new(wanted, false, earlier);
        decoder.feed::<Rejection>(page).unwrap();
        decoder
    }

    fn lines(decoder: &mut Decoder) -> Result<Option<Lines>, Failure<Rejection>> {
        let format = LineFormat::new(&[Column { name: "Id".into(), kind: Kind::Text }], None);
        decoder.lines(&format, 0, 1, &mut Nulls)
    }

    #[test]
    fn no_row_is_given_out_before_the_page_is_proven() {
        let mut decoder = decoder(PAGE, 100, None);
        assert!(matches!(lines(&mut decoder), Err(Failure::Misused(_))));
        assert_eq!(decoder.finish::<Rejection>(None).unwrap().rows, 2);
        assert_eq!(lines(&mut decoder).unwrap().unwrap().text, b"{\"Id\":\"1\"}\n{\"Id\":\"2\"}\n");
        assert_eq!(lines(&mut decoder).unwrap(), None);
    }

    #[test]
    fn a_page_that_is_read_again_has_to_be_the_same() {
        let proof = decoder(PAGE, 0, None).finish::<Rejection>(None).unwrap();
        let mut again = decoder(PAGE, 100, Some(proof.clone()));
        assert_eq!(again.finish::<Rejection>(None).unwrap(), proof);
        let unkeyed = Wanted { columns: vec!["Id".into()], key: None, most: 1 << 20, keep: 0 };
        let mut without_key = Decoder::new(unkeyed, false, Some(proof.clone()));
        without_key.feed::<Rejection>(PAGE).unwrap();
        assert!(without_key.finish::<Rejection>(None).is_ok());
        let mut other = decoder(b"Id\n1\n3\n", 100, Some(proof));
        assert!(matches!(other.finish::<Rejection>(None), Err(Failure::Changed)));
    }

    #[test]
    fn the_number_of_rows_has_to_be_the_expected_one() {
        for (expected, accepted) in [(1, false), (2, true), (3, false)] {
            assert_eq!(decoder(PAGE, 0, None).finish::<Rejection>(Some(expected)).is_ok(), accepted);
        }
    }

    #[test]
    fn a_page_that_failed_stays_so() {
        let mut decoder = decoder(b"Id\n1,2\n", 100, None);
        assert!(matches!(decoder.finish::<Rejection>(None), Err(Failure::Rejected(_))));
        assert!(matches!(decoder.finish::<Rejection>(None), Err(Failure::Misused(_))));
        assert!(matches!(lines(&mut decoder), Err(Failure::Misused(_))));
    }
}
