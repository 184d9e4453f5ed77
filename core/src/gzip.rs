//! Inflates a gzip stream as it arrives, and accepts the same streams as Python's `gzip` module.
//!
//! A stream is any number of members, each of which may be followed by zeros. A member's header is skipped; its length
//! and checksum are compared. A stream without any member is an empty text.

use flate2::{Decompress, FlushDecompress, Status};

use crate::rejection::Rejection;

/// Receives a text in pieces.
pub trait Sink {
    /// The buffer for the next piece; never empty.
    fn space(&mut self) -> &mut [u8];
    /// Takes the first `size` bytes of [`Sink::space`].
    fn filled(&mut self, size: usize) -> Result<(), Rejection>;
}

/// Copies a text that is not compressed.
pub fn copy(mut data: &[u8], sink: &mut impl Sink) -> Result<(), Rejection> {
    while !data.is_empty() {
        let space = sink.space();
        let size = data.len().min(space.len());
        space[..size].copy_from_slice(&data[..size]);
        data = &data[size..];
        sink.filled(size)?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first ten bytes of a member.
    Fixed,
    ExtraLength,
    Extra(usize),
    Name,
    Comment,
    HeaderChecksum,
    Body,
    Trailer,
    /// Behind a member: zeros, or the next one.
    Padding,
}

const HAS_CHECKSUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;

/// Inflates one stream.
pub struct Inflater {
    part: Part,
    flags: u8,
    /// The bytes of a part that arrived in pieces.
    pending: Vec<u8>,
    body: Decompress,
    checksum: crc32fast::Hasher,
    size: u32,
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            part: Part::Fixed,
            flags: 0,
            pending: Vec::new(),
            body: Decompress::new(false),
            checksum: crc32fast::Hasher::new(),
            size: 0,
        }
    }
}

impl Inflater {
    /// Inflates the next bytes of the stream into `sink`.
    pub fn feed(&mut self, mut data: &[u8], sink: &mut impl Sink) -> Result<(), Rejection> {
        while !data.is_empty() {
            data = match self.part {
                Part::Body => self.inflate(data, sink)?,
                Part::Padding => self.skip_padding(data),
                _ => self.read_around(data)?,
            };
        }
        Ok(())
    }

    /// Checks that the stream may end here.
    pub fn finish(&self) -> Result<(), Rejection> {
        match self.part {
            Part::Padding => Ok(()),
            Part::Fixed if self.pending.is_empty() => Ok(()),
            _ => Err(Rejection::Gzip),
        }
    }

    fn skip_padding<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let zeros = data.iter().take_while(|&&byte| byte == 0).count();
        if zeros < data.len() {
            self.part = Part::Fixed;
        }
        &data[zeros..]
    }

    /// Reads some of what stands before and behind a body; returns the rest.
    fn read_around<'a>(&mut self, data: &'a [u8]) -> Result<&'a [u8], Rejection> {
        if matches!(self.part, Part::Name | Part::Comment) {
            let Some(end) = memchr::memchr(0, data) else {
                return Ok(&[]);
            };
            self.part = if self.part == Part::Name { self.behind_name() } else { self.behind_comment() };
            return Ok(&data[end + 1..]);
        }
        let wanted = match self.part {
            Part::Fixed => 10,
            Part::ExtraLength | Part::HeaderChecksum => 2,
            Part::Extra(size) => size,
            _ => 8,
        };
        let size = data.len().min(wanted - self.pending.len());
        self.pending.extend_from_slice(&data[..size]);
        if self.pending.len() == wanted {
            self.part = self.behind_part()?;
            self.pending.clear();
        }
        Ok(&data[size..])
    }

    fn behind_part(&mut self) -> Result<Part, Rejection> {
        match (self.part, self.pending.as_slice()) {
            (Part::Fixed, [0x1f, 0x8b, 8, flags, ..]) => {
                self.flags = *flags;
                Ok(if flags & HAS_EXTRA != 0 { Part::ExtraLength } else { self.behind_extra() })
            }
            (Part::ExtraLength, &[low, high]) => match usize::from(u16::from_le_bytes([low, high])) {
                0 => Ok(self.behind_extra()),
                size => Ok(Part::Extra(size)),
            },
            (Part::Extra(_), _) => Ok(self.behind_extra()),
            (Part::HeaderChecksum, _) => Ok(Part::Body),
            (Part::Trailer, &[a, b, c, d, e, f, g, h]) => {
                let checksum = std::mem::take(&mut self.checksum).finalize();
                let sound =
                    u32::from_le_bytes([a, b, c, d]) == checksum && u32::from_le_bytes([e, f, g, h]) == self.size;
                self.size = 0;
                self.body.reset(false);
                if sound { Ok(Part::Padding) } else { Err(Rejection::Gzip) }
            }
            _ => Err(Rejection::Gzip),
        }
    }

    fn behind_extra(&self) -> Part {
        if self.flags & HAS_NAME != 0 { Part::Name } else { self.behind_name() }
    }

    fn behind_name(&self) -> Part {
        if self.flags & HAS_COMMENT != 0 { Part::Comment } else { self.behind_comment() }
    }

    fn behind_comment(&self) -> Part {
        if self.flags & HAS_CHECKSUM != 0 { Part::HeaderChecksum } else { Part::Body }
    }

    /// Inflates all of `data` that belongs to the body; returns the rest.
    fn inflate<'a>(&mut self, mut data: &'a [u8], sink: &mut impl Sink) -> Result<&'a [u8], Rejection> {
        loop {
            let space = sink.space();
            let (read, written) = (self.body.total_in(), self.body.total_out());
            let status =
                self.body.decompress(data, space, FlushDecompress::None).map_err(|_damaged| Rejection::Gzip)?;
            let read = (self.body.total_in() - read) as usize;
            let written = (self.body.total_out() - written) as usize;
            data = &data[read..];
            self.checksum.update(&space[..written]);
            self.size = self.size.wrapping_add(written as u32);
            let full = written == space.len();
            sink.filled(written)?;
            if status == Status::StreamEnd {
                self.part = Part::Trailer;
                return Ok(data);
            }
            if data.is_empty() && !full {
                return Ok(data);
            }
            if read == 0 && written == 0 {
                return Err(Rejection::Gzip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    struct Text {
        text: Vec<u8>,
        space: [u8; 7],
    }

    impl Sink for Text {
        fn space(&mut self) -> &mut [u8] {
            &mut self.space
        }

        fn filled(&mut self, size: usize) -> Result<(), Rejection> {
            self.text.extend_from_slice(&self.space[..size]);
            Ok(())
        }
    }

    fn inflated(stream: &[u8], pieces: usize) -> Result<Vec<u8>, Rejection> {
        let (mut inflater, mut sink) = (Inflater::default(), Text { text: Vec::new(), space: [0; 7] });
        for piece in stream.chunks(pieces) {
            inflater.feed(piece, &mut sink)?;
        }
        inflater.finish()?;
        Ok(sink.text)
    }

    fn member(text: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    fn with_everything(text: &[u8]) -> Vec<u8> {
        let builder = flate2::GzBuilder::new().extra(*b"abc").filename("a").comment("b");
        let mut writer = builder.write(Vec::new(), flate2::Compression::fast());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    const TEXT: &[u8] = b"Id,Name\n1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n2,b\n";

    #[test]
    fn a_stream_is_inflated_whatever_pieces_it_comes_in() {
        for stream in [member(TEXT), with_everything(TEXT)] {
            for pieces in [1, 2, 3, 11, 1000] {
                assert_eq!(inflated(&stream, pieces).unwrap(), TEXT);
            }
        }
    }

    #[test]
    fn members_follow_each_other_with_zeros_between_and_behind() {
        let stream = [member(b"a"), vec![0; 9], member(b""), member(b"b"), vec![0; 3]].concat();
        for pieces in [1, 5, 1000] {
            assert_eq!(inflated(&stream, pieces).unwrap(), b"ab");
        }
    }

    #[test]
    fn nothing_at_all_is_an_empty_text() {
        assert_eq!(inflated(b"", 1).unwrap(), b"");
    }

    #[test]
    fn a_stream_that_is_cut_anywhere_is_damaged() {
        let stream = with_everything(TEXT);
        for size in 1..stream.len() {
            assert_eq!(inflated(&stream[..size], 1000), Err(Rejection::Gzip), "{size}");
        }
    }

    #[test]
    fn a_wrong_checksum_or_length_is_damage_and_so_is_other_text_behind() {
        let sound = member(TEXT);
        for at in [sound.len() - 8, sound.len() - 4, 0, 1, 2] {
            let mut stream = sound.clone();
            stream[at] ^= 1;
            assert_eq!(inflated(&stream, 1000), Err(Rejection::Gzip), "{at}");
        }
        assert_eq!(inflated(&[sound, b"x".to_vec()].concat(), 1000), Err(Rejection::Gzip));
        assert_eq!(inflated(b"<html>", 1000), Err(Rejection::Gzip));
    }
}
