//! A growing text to which short pieces are written fast.
//!
//! Most pieces are shorter than [`STRIDE`] bytes. Copying always that many takes a few instructions, while a copy of
//! any other length is a function call. The next piece overwrites the excess, or it is cut off at the end.

use crate::masks;

/// The number of bytes copied at once.
pub const STRIDE: usize = 32;

/// The text so far.
#[derive(Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
}

impl Out {
    /// An empty text with room for `size` bytes.
    pub fn with_room(size: usize) -> Self {
        Self { bytes: Vec::with_capacity(size + STRIDE) }
    }

    /// The number of bytes written.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Reserves `size` more bytes, so that they can be written without a check.
    #[inline(always)]
    pub fn room_for(&mut self, size: usize) {
        self.bytes.reserve(size + STRIDE);
    }

    /// Writes `size` bytes of `source` from `at` on.
    #[inline(always)]
    pub fn put(&mut self, source: &[u8], at: usize, size: usize) {
        if size <= STRIDE
            && let Some(piece) = source[at..].first_chunk::<STRIDE>()
        {
            let end = self.bytes.len() + size;
            self.bytes.extend_from_slice(piece);
            self.bytes.truncate(end);
        } else {
            self.bytes.extend_from_slice(&source[at..at + size]);
        }
    }

    /// Writes all of `piece`.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// Removes everything after the first `size` bytes.
    pub fn rewind(&mut self, size: usize) {
        self.bytes.truncate(size);
    }

    /// Writes a text with JSON's escapes. `doubled`: each pair of quotes in it is one quote.
    pub fn push_escaped(&mut self, text: &[u8], doubled: bool) {
        let mut rest = text;
        while !rest.is_empty() {
            let clean = match rest.first_chunk::<16>() {
                Some(part) => masks::clean_bytes(part),
                None => rest.iter().take_while(|&&byte| !is_escaped(byte)).count(),
            };
            self.put(rest, 0, clean);
            rest = &rest[clean..];
            if clean < 16
                && let Some((&byte, behind)) = rest.split_first()
            {
                self.push_escape(byte);
                rest = if doubled && byte == b'"' { behind.get(1..).unwrap_or_default() } else { behind };
            }
        }
    }

    fn push_escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                self.push(&[b'\\', b'u', b'0', b'0', high, low]);
                return;
            }
        };
        self.push(&[b'\\', short]);
    }

    /// The text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// A text as a JSON string.
pub fn json_string(text: &str) -> Vec<u8> {
    let mut out = Out::default();
    out.push(b"\"");
    out.push_escaped(text.as_bytes(), false);
    out.push(b"\"");
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, doubled: bool) -> String {
        let mut out = Out::default();
        out.push_escaped(text.as_bytes(), doubled);
        String::from_utf8(out.into_bytes()).unwrap()
    }

    #[test]
    fn short_and_long_pieces_follow_each_other() {
        let mut out = Out::with_room(3);
        let mut expected = Vec::new();
        for size in 0..100 {
            let piece = vec![size as u8; size];
            out.push(&piece);
            expected.extend(piece);
            assert_eq!(out.size(), expected.len());
        }
        assert_eq!(out.into_bytes(), expected);
    }

    #[test]
    fn json_escapes_are_the_shortest_ones() {
        assert_eq!(escaped("\"\\\u{8}\t\n\u{c}\r", false), r#"\"\\\b\t\n\f\r"#);
        assert_eq!(escaped("\0\u{1f}\u{7f}é\u{2028}", false), "\\u0000\\u001f\u{7f}é\u{2028}");
        assert_eq!(json_string("a\"b"), b"\"a\\\"b\"");
    }

    #[test]
    fn escapes_are_found_wherever_they_stand() {
        for at in 0..50 {
            let text = format!("{}\n{}", "x".repeat(at), "y".repeat(40 - at.min(40)));
            assert_eq!(escaped(&text, false), text.replace('\n', "\\n"));
            let text = format!("{}\"\"{}", "x".repeat(at), "y".repeat(at));
            assert_eq!(escaped(&text, true), text.replace("\"\"", "\\\""));
            assert_eq!(escaped(&text, false), text.replace('"', "\\\""));
        }
    }
}
