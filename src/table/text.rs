//! Texts as values of the column types. None of these accepts a text whose value the type cannot hold exactly, fractions
//! of floats and of microseconds excepted.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime};
use polars::prelude::DataType;

/// The smallest and the greatest value of an integer type.
pub fn bounds(dtype: &DataType) -> Option<(i128, i128)> {
    Some(match dtype {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => (i64::MIN.into(), i64::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// `true`, `yes`, `t`, `y` and `1`, and their opposites, in any case of letters.
pub fn truth(text: &str) -> Option<bool> {
    let is_one = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match () {
        () if is_one(&["true", "t", "yes", "y", "1"]) => Some(true),
        () if is_one(&["false", "f", "no", "n", "0"]) => Some(false),
        () => None,
    }
}

/// A float as Rust reads it (`1.5`, `-2e-3`, `NaN`, `inf`); none where digits stand for more than the type can hold.
pub fn float<F: std::str::FromStr + Into<f64> + Copy>(text: &str) -> Option<F> {
    let value: F = text.parse().ok()?;
    let too_large = value.into().is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    (!too_large).then_some(value)
}

/// The digits of a decimal number; none where digits would be lost.
pub fn decimal(text: &str, precision: usize, scale: usize) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let rest = rest.trim_end_matches('0');
    let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all(whole) || !all(rest) || rest.len() > scale {
        return None;
    }
    let mut number: i128 = 0;
    for digit in whole.bytes().chain(rest.bytes()) {
        number = number.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    number = number.checked_mul(10_i128.checked_pow(u32::try_from(scale - rest.len()).ok()?)?)?;
    let limit = 10_i128.checked_pow(u32::try_from(precision).ok()?)?;
    (number < limit).then_some(sign * number)
}

/// A date in full, `2024-01-05`: chrono alone would take `2024-1-5` too.
pub fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    parts.next().is_none().then(|| NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)).flatten()
}

/// A moment of ISO 8601 in microseconds since 1970, UTC: a date, or a date and a time with `T` or a space between them;
/// seconds, their fraction and the zone (`Z`, `+02:00`, `+0200`, `+02`) may be missing, and without a zone it is UTC.
/// What is finer than a microsecond is cut off.
pub fn moment(text: &str) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let day = date(day)?;
    if rest.is_empty() {
        return Some(super::midnight_us(day));
    }
    let rest = rest.strip_prefix(['T', ' ', 't'])?;
    let end = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(end)?;
    let offset_seconds = offset_seconds(zone)?;
    let moment = NaiveDateTime::new(day, time_of_day(time)?).and_utc().timestamp_micros();
    moment.checked_sub(i64::from(offset_seconds) * 1_000_000)
}

/// `12:30`, `12:30:05` or `12:30:05.123456789`
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let mut parts = text.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (second, fraction) = match parts.next() {
        None => (0, ""),
        Some(seconds) => match seconds.split_once('.') {
            None => (digits(seconds, 2)?, ""),
            Some((_, "")) => return None,
            Some((second, fraction)) => (digits(second, 2)?, fraction),
        },
    };
    if parts.next().is_some() || fraction.bytes().any(|byte| !byte.is_ascii_digit()) {
        return None;
    }
    let micros = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    let micros = micros.fold(0, |number: u32, digit| number * 10 + u32::from(digit - b'0'));
    NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
}

/// East of Greenwich; 0 for no zone.
fn offset_seconds(zone: &str) -> Option<i32> {
    let (sign, rest) = match zone {
        "" | "Z" | "z" => return Some(0),
        _ => (if zone.starts_with('-') { -1 } else { 1 }, zone.get(1..)?),
    };
    let (hours, minutes) = match rest.len() {
        2 => (rest, "00"),
        4 => rest.split_at_checked(2)?,
        5 => rest.split_once(':')?,
        _ => return None,
    };
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?)
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    let whole = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| text.parse().ok()).flatten()
}

/// The midnight after a moment in microseconds.
pub fn day_after(us: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp_micros(us)?.date_naive().checked_add_days(Days::new(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_iso_8601() {
        let noon = Some(1_704_196_800_000_000); // 2024-01-02 12:00 UTC
        for text in [
            "2024-01-02T12:00:00Z",
            "2024-01-02 12:00",
            "2024-01-02 12:00:00.000",
            "2024-01-02T14:00:00+02:00",
            "2024-01-02T06:30:00-0530",
            "2024-01-02T13:00+01",
        ] {
            assert_eq!(moment(text), noon, "{text}");
        }
        assert_eq!(moment("2024-01-02"), Some(1_704_153_600_000_000));
        assert_eq!(moment("1969-12-31T23:59:59.9999999"), Some(-1));
        assert_eq!(moment("2024-01-02T12:00:00.1"), noon.map(|us| us + 100_000));
        for text in [
            "2024-1-2",
            "02.01.2024",
            "2024-02-30",
            "2024-01-02T24:00",
            "2024-01-02T12:60",
            "2024-01-02 12:00:00.",
            "2024-01-02 12:00:00.1x",
            "2024-01-02T12:00:00+2",
            "2024-01-02 12:00:00 UTC",
            "1704196800",
            "",
            "2024-01-02X",
            "２０２４-01-02",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact_or_nothing() {
        assert_eq!(decimal("12.5", 5, 2), Some(1250));
        assert_eq!(decimal("-0.05", 5, 2), Some(-5));
        assert_eq!(decimal("+1.500", 5, 2), Some(150));
        assert_eq!(
            decimal("12345678901234567890123456789012345678", 38, 0),
            Some(12345678901234567890123456789012345678)
        );
        for text in
            ["1.234", "1234", "", ".5", "1e3", "1,5", "--1", "1.2.3", "99999999999999999999999999999999999999999"]
        {
            assert_eq!(decimal(text, 5, 2), None, "{text}");
        }
    }

    #[test]
    fn a_float_that_is_too_large_is_no_infinity() {
        assert_eq!(float::<f64>("1e308"), Some(1e308));
        assert_eq!(float::<f64>("1e309"), None);
        assert_eq!(float::<f32>("1e39"), None);
        assert_eq!(float::<f64>("-inf"), Some(f64::NEG_INFINITY));
        assert!(float::<f64>("NaN").is_some_and(f64::is_nan));
        assert!(float::<f64>("-0.0").is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
        assert_eq!(float::<f64>("1,5"), None);
    }

    #[test]
    fn words_are_true_or_false() {
        assert_eq!(["TRUE", "Yes", "t", "1"].map(truth), [Some(true); 4]);
        assert_eq!(["False", "no", "N", "0"].map(truth), [Some(false); 4]);
        assert_eq!(["", "maybe", "2"].map(truth), [None; 3]);
    }
}
