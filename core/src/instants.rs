//! Dates, instants and times of day in a page's text.
//!
//! Usual forms are read here, and invalid ones refused. An instant of the right shape with an odd number (an hour of
//! 24, a second of 60, a first or last year) is [`Reading::Exact`], because versions of Python read some differently.

use crate::numbers::Reading;

/// Days since 1970-01-01 of a `YYYY-MM-DD`.
#[inline(always)]
pub fn date(cell: &[u8]) -> Option<i32> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = cell else {
        return None;
    };
    let year = 100 * two_digits(y0, y1)? + two_digits(y2, y3)?;
    let (month, day) = (two_digits(m0, m1)?, two_digits(d0, d1)?);
    if year < 1 || !(1..=12).contains(&month) || day < 1 || (day > 28 && day > days_in(year, month)) {
        return None;
    }
    Some(days(year, month, day))
}

/// Microseconds since 1970 of an ISO 8601 instant with a zone, and whether only full milliseconds are in it.
#[inline]
pub fn instant(cell: &[u8]) -> Reading<i64> {
    // As Salesforce writes it: 2026-11-23T02:00:00.000Z
    if let Some((date_part, &[b'T', h0, h1, b':', m0, m1, b':', s0, s1, b'.', f0, f1, f2, b'Z'])) =
        cell.split_at_checked(10)
        && let (Some(day), Some(hour)) = (date(date_part), two_digits(h0, h1))
        && let (Some(minute), Some(second)) = (two_digits(m0, m1), two_digits(s0, s1))
        && let (Some(tens), Some(ones)) = (two_digits(f0, f1), two_digits(b'0', f2))
        && hour < 24
        && minute < 60
        && second < 60
    {
        let seconds = i64::from(day) * 86_400 + i64::from(3600 * hour + 60 * minute + second);
        return Reading::Value(seconds * 1_000_000 + i64::from(10 * tens + ones) * 1000);
    }
    unusual_instant(cell)
}

/// `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)`
fn unusual_instant(cell: &[u8]) -> Reading<i64> {
    let Some((date_part, behind)) = cell.split_at_checked(10) else {
        return Reading::Unreadable;
    };
    let [b'T', h0, h1, b':', m0, m1, b':', s0, s1, behind @ ..] = behind else {
        return Reading::Unreadable;
    };
    let (Some(hour), Some(minute), Some(second)) = (two_digits(*h0, *h1), two_digits(*m0, *m1), two_digits(*s0, *s1))
    else {
        return Reading::Unreadable;
    };
    let (Some((fraction, zone)), true) = (split_fraction(behind), has_shape_of_date(date_part)) else {
        return Reading::Unreadable;
    };
    let Some((zone_hours, zone_minutes, sign)) = zone_of(zone) else {
        return Reading::Unreadable;
    };
    let (Some(day), Some(micros)) = (date(date_part), microseconds(fraction)) else {
        return Reading::Exact;
    };
    let near_the_end = date_part < &b"0001-01-03"[..] || date_part > &b"9999-12-29"[..];
    if hour > 23 || minute > 59 || second > 59 || zone_hours > 23 || zone_minutes > 59 || near_the_end {
        return Reading::Exact;
    }
    let minutes = i64::from(60 * hour + minute) - sign * i64::from(60 * zone_hours + zone_minutes);
    let seconds = i64::from(day) * 86_400 + 60 * minutes + i64::from(second);
    Reading::Value(seconds * 1_000_000 + micros)
}

/// `([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:?\d\d)?`
pub fn is_time(cell: &[u8]) -> bool {
    let [h0, h1, b':', m0, m1, b':', s0, s1, behind @ ..] = cell else {
        return false;
    };
    let (Some(hour), Some(minute), Some(second)) = (two_digits(*h0, *h1), two_digits(*m0, *m1), two_digits(*s0, *s1))
    else {
        return false;
    };
    let zone = match behind {
        [b'.', behind @ ..] => {
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &behind[digits..]
        }
        _ => behind,
    };
    hour < 24 && minute < 60 && second <= 60 && (zone.is_empty() || zone_of(zone).is_some())
}

/// The digits of a fraction, none to six, and the rest; None for any other fraction.
fn split_fraction(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let [b'.', behind @ ..] = text else {
        return Some((&[], text));
    };
    let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=6).contains(&digits).then(|| behind.split_at(digits))
}

/// Hours, minutes and direction of a zone.
fn zone_of(text: &[u8]) -> Option<(u32, u32, i64)> {
    match text {
        [b'Z'] => Some((0, 0, 1)),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] | [sign @ (b'+' | b'-'), h0, h1, m0, m1] => {
            Some((two_digits(*h0, *h1)?, two_digits(*m0, *m1)?, if *sign == b'-' { -1 } else { 1 }))
        }
        _ => None,
    }
}

/// Fractions of three or six digits are read alike by every version of Python.
fn microseconds(fraction: &[u8]) -> Option<i64> {
    let value = fraction.iter().fold(0, |value, digit| 10 * value + i64::from(digit - b'0'));
    match fraction.len() {
        0 => Some(0),
        3 => Some(1000 * value),
        6 => Some(value),
        _ => None,
    }
}

fn has_shape_of_date(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
}

#[inline(always)]
fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| 10 * u32::from(tens) + u32::from(ones))
}

#[inline(always)]
fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, counted from a year that begins in March, so that the leap day comes last.
#[inline(always)]
fn days(year: u32, month: u32, day: u32) -> i32 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    (365 * year + leap_days + (153 * month + 2) / 5 + day) as i32 - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1970-03-01", 59),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2024-02-29", 19_782),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(date(text.as_bytes()), Some(days), "{text}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_follows_the_one_before() {
        let mut expected = -719_162;
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(found) = date(format!("{year:04}-{month:02}-{day:02}").as_bytes()) {
                        assert_eq!(found, expected);
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 2_932_897);
    }

    #[test]
    fn a_day_that_does_not_exist_is_no_date() {
        for text in ["2023-02-29", "1900-02-29", "2023-04-31", "0000-01-01", "2023-00-10", "2023-13-10", "2023-01-00"] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
        for text in ["", "2023-1-1", "2023-01-011", "20230101", "2023/01/01", "2023-W01-1", " 2023-01-0"] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn an_instant_is_in_utc() {
        for (text, micros) in [
            ("1970-01-01T00:00:01.002Z", 1_002_000),
            ("1970-01-01T00:00:01Z", 1_000_000),
            ("1970-01-01T02:00:00.000001+0200", 1),
            ("1969-12-31T23:00:00.000-01:00", 0),
        ] {
            assert_eq!(instant(text.as_bytes()), Reading::Value(micros), "{text}");
        }
    }

    #[test]
    fn what_versions_of_python_may_disagree_about_is_left_to_them() {
        for text in [
            "2023-01-01T24:00:00.000Z",
            "2023-01-01T23:59:60.000Z",
            "2023-02-29T00:00:00.000Z",
            "2023-01-01T00:00:00.1Z",
            "2023-01-01T00:00:00.000+24:00",
            "0001-01-01T00:00:00.000+01:00",
            "9999-12-31T23:00:00.000-01:00",
        ] {
            assert_eq!(instant(text.as_bytes()), Reading::Exact, "{text}");
        }
        for text in ["", "2023-01-01", "2023-01-01T00:00:00", "2023-01-01 00:00:00Z", "2023-01-01T00:00:00.Z", "x"] {
            assert_eq!(instant(text.as_bytes()), Reading::Unreadable, "{text}");
        }
    }

    #[test]
    fn times_have_the_shape_of_times() {
        for text in ["13:14:15.000Z", "23:59:60Z", "00:00:00", "12:00:00.1234567+01:00", "12:00:00-0100"] {
            assert!(is_time(text.as_bytes()), "{text}");
        }
        for text in ["24:00:00", "12:60:00", "12:00:61", "12:00", "12:00:00.Z", "12:00:00+1", "12:00:00 ", ""] {
            assert!(!is_time(text.as_bytes()), "{text}");
        }
    }
}
