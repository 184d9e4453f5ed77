//! Bit masks of the bytes that matter to CSV and JSON: bit `n` stands for byte `n` of a stretch of text.
//!
//! Sixteen bytes are compared at a time, with the `wide` crate, so there is no `unsafe` here for x86-64 and aarch64.

use wide::u8x16;

/// The number of bytes in one set of masks.
pub const WIDTH: usize = 64;

/// The bytes of one stretch that matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masks {
    pub quotes: u64,
    pub commas: u64,
    pub line_feeds: u64,
    /// Bytes that must be escaped in JSON, except quotes: control characters and backslashes.
    pub special: u64,
}

/// The masks of 64 bytes.
#[inline(always)]
pub fn masks(block: &[u8; WIDTH]) -> Masks {
    let mut found = Masks::default();
    for (index, part) in block.as_chunks::<16>().0.iter().enumerate() {
        let bytes = u8x16::new(*part);
        let shift = 16 * index;
        let bits = |matched: u8x16| u64::from(matched.to_bitmask()) << shift;
        found.quotes |= bits(bytes.simd_eq(u8x16::splat(b'"')));
        found.commas |= bits(bytes.simd_eq(u8x16::splat(b',')));
        found.line_feeds |= bits(bytes.simd_eq(u8x16::splat(b'\n')));
        let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
        found.special |= bits(control | bytes.simd_eq(u8x16::splat(b'\\')));
    }
    found
}

/// The masks of fewer than 64 bytes; bits beyond the last of them are clear.
#[inline(never)]
pub fn masks_of_rest(rest: &[u8]) -> Masks {
    let mut block = [b' '; WIDTH];
    block[..rest.len()].copy_from_slice(rest);
    masks(&block)
}

/// Bit `n` of the result is the parity of bits `0..=n`: between an odd and the next even quote the text is quoted.
#[inline(always)]
pub fn prefix_parity(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    bits
}

/// The number of sixteen bytes before the first that must be escaped in JSON.
#[inline(always)]
pub fn clean_bytes(part: &[u8; 16]) -> usize {
    let bytes = u8x16::new(*part);
    let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    let marks = bytes.simd_eq(u8x16::splat(b'\\')) | bytes.simd_eq(u8x16::splat(b'"'));
    ((control | marks).to_bitmask() | 1 << 16).trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_hand(block: &[u8], matches: impl Fn(u8) -> bool) -> u64 {
        block.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u64::from(matches(byte)) << at)
    }

    #[test]
    fn every_byte_is_recognised_wherever_it_stands() {
        for byte in 0..=255u8 {
            for at in [0, 1, 15, 16, 31, 47, 63] {
                let mut block = [b'x'; WIDTH];
                block[at] = byte;
                let found = masks(&block);
                assert_eq!(found.quotes, by_hand(&block, |b| b == b'"'));
                assert_eq!(found.commas, by_hand(&block, |b| b == b','));
                assert_eq!(found.line_feeds, by_hand(&block, |b| b == b'\n'));
                assert_eq!(found.special, by_hand(&block, |b| b < 0x20 || b == b'\\'));
                let part: [u8; 16] = block[at / 16 * 16..][..16].try_into().unwrap();
                let escaped = byte < 0x20 || byte == b'\\' || byte == b'"';
                assert_eq!(clean_bytes(&part), if escaped { at % 16 } else { 16 });
            }
        }
    }

    #[test]
    fn nothing_is_found_behind_a_short_rest() {
        let found = masks_of_rest(b"\",\n");
        assert_eq!((found.quotes, found.commas, found.line_feeds), (1, 2, 4));
        assert_eq!(found.special, 4);
    }

    #[test]
    fn parity_counts_the_bits_up_to_each_place() {
        for bits in [0, 1, 0b101, 0b1100_1001, u64::MAX, 1 << 63, 0x8000_0000_0000_0001] {
            let expected = (0..64)
                .fold(0u64, |made, at| made | u64::from((bits & (u64::MAX >> (63 - at))).count_ones() % 2) << at);
            assert_eq!(prefix_parity(bits), expected);
        }
    }
}
