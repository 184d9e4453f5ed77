//! Numbers in a page's text, read as the exact path reads them.
//!
//! A double is exact if its shortest text has the digits of the cell. Numbers that need more digits than a double has,
//! and those whose text as a double has an exponent, which writers spell differently, are [`Reading::Exact`]: the exact
//! path reads them.

/// The reading of a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading<T> {
    Value(T),
    /// It is not of its type.
    Unreadable,
    /// The exact path must read it.
    Exact,
}

/// A decimal number: `0.digits × 10^exponent`, without zeros at either end of its digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: [u8; MOST_DIGITS],
    count: usize,
    exponent: i32,
}

/// The exact path reads longer cells.
const LONGEST_NUMBER: usize = 100;
/// More digits than any 64-bit integer or shortest text of a double has.
const MOST_DIGITS: usize = 20;
/// Every integer of so many digits fits 64 bits.
const INTEGER_DIGITS: i32 = 18;
const POWERS_OF_TEN: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// A double preserves every decimal of so many digits (IEEE 754).
const DOUBLE_DIGITS: usize = 15;

/// The integer in `cell`, which Salesforce may write as `47.0` or `1.39E8`.
pub fn integer(cell: &[u8]) -> Reading<i64> {
    let (negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() <= INTEGER_DIGITS as usize && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        let value = digits.iter().fold(0i64, |value, digit| 10 * value + i64::from(digit - b'0'));
        return Reading::Value(if negative { -value } else { value });
    }
    match Decimal::read(cell) {
        Reading::Value(number) => number.integer(),
        Reading::Unreadable => Reading::Unreadable,
        Reading::Exact => Reading::Exact,
    }
}

/// A double, and whether the number has other digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Double {
    pub value: f64,
    pub inexact: bool,
}

/// The number in `cell` as the double nearest to it.
#[inline]
pub fn double(cell: &[u8]) -> Reading<Double> {
    match short_double(cell) {
        Some(value) => Reading::Value(Double { value, inexact: false }),
        None => any_double(cell),
    }
}

/// A number of at most fifteen digits without an exponent: the quotient of two integers that doubles hold exactly, and
/// so the double nearest to it.
#[inline(always)]
fn short_double(cell: &[u8]) -> Option<f64> {
    let (negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > DOUBLE_DIGITS || !digits.first()?.is_ascii_digit() {
        return None;
    }
    let (mut value, mut places, mut fraction) = (0u64, 0, 0);
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = 10 * value + u64::from(digit);
            places += fraction;
        } else if byte == b'.' && fraction == 0 {
            fraction = 1;
        } else {
            return None;
        }
    }
    let magnitude = value as f64 / POWERS_OF_TEN[places];
    Some(if negative { -magnitude } else { magnitude })
}

fn any_double(cell: &[u8]) -> Reading<Double> {
    let decimal = match Decimal::read(cell) {
        Reading::Value(number) => number,
        Reading::Unreadable => return Reading::Unreadable,
        Reading::Exact => return Reading::Exact,
    };
    match std::str::from_utf8(cell).ok().and_then(|text| text.parse::<f64>().ok()) {
        Some(value) if value.is_finite() => {
            let exact = (decimal.count <= DOUBLE_DIGITS && decimal.is_usual()) || decimal.has_digits_of(value);
            Reading::Value(Double { value, inexact: !exact })
        }
        _ => Reading::Exact,
    }
}

/// Whether `cell` is an integer's text already: canonical, of eighteen digits at most.
#[inline]
pub fn is_text_of_integer(cell: &[u8]) -> bool {
    match cell {
        [b'0'] => true,
        [b'1'..=b'9', digits @ ..] | [b'-', b'1'..=b'9', digits @ ..] => {
            digits.len() < INTEGER_DIGITS as usize && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// Whether `cell` is a double's text already: canonical, of fifteen digits at most, without an exponent.
#[inline]
pub fn is_text_of_double(cell: &[u8]) -> bool {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    if digits.len() > DOUBLE_DIGITS + 1 || digits.len() < 3 {
        return false;
    }
    let Some(point) = digits.iter().position(|&byte| byte == b'.') else {
        return false;
    };
    let (whole, fraction) = (&digits[..point], &digits[point + 1..]);
    let all_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    let whole_is_usual = matches!(whole, [b'0'] | [b'1'..=b'9', ..]);
    let fraction_is_usual = matches!(fraction, [b'0'] | [.., b'1'..=b'9']);
    // A double below 0.00001 is written with an exponent.
    let is_tiny = whole == b"0" && fraction.starts_with(b"0000");
    all_digits && whole_is_usual && fraction_is_usual && !is_tiny
}

impl Decimal {
    /// Reads `[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?`.
    fn read(cell: &[u8]) -> Reading<Self> {
        let mut rest = cell;
        let mut number = Self { negative: false, digits: [0; MOST_DIGITS], count: 0, exponent: 0 };
        if let Some((&sign @ (b'+' | b'-'), behind)) = rest.split_first() {
            number.negative = sign == b'-';
            rest = behind;
        }
        let (whole, behind) = split_digits(rest);
        let (fraction, behind) = match behind {
            [b'.', behind @ ..] => split_digits(behind),
            _ => (&behind[..0], behind),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Reading::Unreadable;
        }
        let exponent = match behind {
            [] => Some(0),
            [b'e' | b'E', behind @ ..] => match exponent(behind) {
                Reading::Value(exponent) => Some(exponent),
                Reading::Exact => None,
                Reading::Unreadable => return Reading::Unreadable,
            },
            _ => return Reading::Unreadable,
        };
        match exponent {
            Some(exponent) if number.take(whole, fraction, exponent) => Reading::Value(number),
            _ => Reading::Exact,
        }
    }

    /// Takes the digits of both parts; false if there are too many.
    fn take(&mut self, whole: &[u8], fraction: &[u8], exponent: i32) -> bool {
        if whole.len() + fraction.len() > LONGEST_NUMBER {
            return false;
        }
        let first = whole.iter().chain(fraction).take_while(|&&digit| digit == b'0').count();
        let zeros_behind = whole.iter().chain(fraction).rev().take_while(|&&digit| digit == b'0').count();
        let total = whole.len() + fraction.len();
        if first == total {
            return true;
        }
        self.count = total - first - zeros_behind;
        if self.count > MOST_DIGITS {
            return false;
        }
        let digits = whole.iter().chain(fraction).skip(first);
        for (place, digit) in self.digits.iter_mut().zip(digits).take(self.count) {
            *place = digit - b'0';
        }
        self.exponent = exponent + whole.len() as i32 - first as i32;
        true
    }

    fn integer(&self) -> Reading<i64> {
        if self.count == 0 {
            return Reading::Value(0);
        }
        if (self.count as i32) > self.exponent {
            return Reading::Unreadable;
        }
        if self.exponent > INTEGER_DIGITS {
            return Reading::Exact;
        }
        let digits = self.digits[..self.count].iter();
        let value = digits.fold(0, |value, &digit| 10 * value + i64::from(digit));
        let value = value * 10i64.pow((self.exponent - self.count as i32) as u32);
        Reading::Value(if self.negative { -value } else { value })
    }

    /// Within the range where fifteen digits are safe, far from a double's smallest and largest.
    fn is_usual(&self) -> bool {
        (-290..290).contains(&self.exponent)
    }

    fn has_digits_of(&self, value: f64) -> bool {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value);
        matches!(Self::read(text.as_bytes()), Reading::Value(shortest) if shortest.same_number(self))
    }

    fn same_number(&self, other: &Self) -> bool {
        self.digits[..self.count] == other.digits[..other.count] && (self.count == 0 || self.exponent == other.exponent)
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(count)
}

/// `[+-]?\d+`; exponents of more than four digits are for the exact path.
fn exponent(text: &[u8]) -> Reading<i32> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Reading::Unreadable;
    }
    if digits.len() > 4 {
        return Reading::Exact;
    }
    let value = digits.iter().fold(0, |value, digit| 10 * value + i32::from(digit - b'0'));
    Reading::Value(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_may_be_written_as_a_decimal() {
        for (cell, value) in [
            ("0", 0),
            ("-0", 0),
            ("007", 7),
            ("47.0", 47),
            ("+47", 47),
            ("47.", 47),
            (".0", 0),
            ("1.39E8", 139_000_000),
            ("-1e3", -1000),
            ("1200E-2", 12),
            ("999999999999999999", 999_999_999_999_999_999),
        ] {
            assert_eq!(integer(cell.as_bytes()), Reading::Value(value), "{cell}");
        }
        for cell in ["", "-", "x", "1.5", "1e-1", "1e", "1e5.0", "0x1", " 1", "1 ", "1_0", "--1", "e5", ".", "\u{661}"]
        {
            assert_eq!(integer(cell.as_bytes()), Reading::Unreadable, "{cell}");
        }
        let zeros = "0".repeat(101);
        for cell in [zeros.as_str(), "1234567890123456789", "1e18", "1e99999", "123456789012345678901234567890.5"] {
            assert_eq!(integer(cell.as_bytes()), Reading::Exact, "{cell}");
        }
    }

    #[test]
    fn a_double_says_whether_it_has_every_digit() {
        let exact = |cell: &str| match double(cell.as_bytes()) {
            Reading::Value(double) => Some(!double.inexact),
            _ => None,
        };
        for cell in ["0", "-0.0", "1.50", "5.", ".5", "+1.5", "1.39E8", "0.1", "123456789012345", "9007199254740993e0"]
        {
            assert_eq!(exact(cell), Some(cell != "9007199254740993e0"), "{cell}");
        }
        assert_eq!(exact("0.30000000000000004"), Some(true));
        assert_eq!(exact("0.30000000000000005"), Some(false));
        assert_eq!(exact("123456789012345678"), Some(false));
        assert_eq!(exact("1e-400"), Some(false));
        for cell in ["1e999", "1e99999", "1234567890123456789012345"] {
            assert_eq!(double(cell.as_bytes()), Reading::Exact, "{cell}");
        }
        for cell in ["", "NaN", "Infinity", "inf", "1,5", "1.5.0", "1e5x", "0x1p3"] {
            assert_eq!(double(cell.as_bytes()), Reading::Unreadable, "{cell}");
        }
    }

    #[test]
    fn a_short_number_is_read_as_any_other() {
        for cell in
            ["0", "-0", "0.0", "-0.0", "5.", "1.50", "00.5", "0.1", "123456789012.34", "0.0000000000001", "99999"]
        {
            let value = short_double(cell.as_bytes()).unwrap();
            assert_eq!(value.to_bits(), cell.parse::<f64>().unwrap().to_bits(), "{cell}");
            assert_eq!(any_double(cell.as_bytes()), Reading::Value(Double { value, inexact: false }), "{cell}");
        }
        for cell in ["", "-", ".", ".5", "+1", "1e5", "1.2.3", "1234567890123456", "x"] {
            assert_eq!(short_double(cell.as_bytes()), None, "{cell}");
        }
    }

    #[test]
    fn a_text_that_a_double_would_get_is_recognised() {
        for cell in ["0.0", "-0.0", "1.5", "-12.25", "100.0", "0.0001", "12345678901234.5", "0.00012"] {
            assert!(is_text_of_double(cell.as_bytes()), "{cell}");
            let value: f64 = cell.parse().unwrap();
            assert_eq!(zmij::Buffer::new().format_finite(value), cell);
        }
        for cell in ["0", "1.50", "01.5", ".5", "5.", "0.00001", "1e5", "1234567890123456.5", "", "-", "1.x", "..."] {
            assert!(!is_text_of_double(cell.as_bytes()), "{cell}");
        }
    }
}
