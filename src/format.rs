//! Numbers, dates and lists as people read them. American: a comma between thousands, a point before
//! decimals. A leaf: facts, the log, the summary and the page all say it the same way.

use chrono::NaiveDate;

/// `52000` as `52,000`.
pub fn thousands(count: u64) -> String {
    group(&count.to_string())
}

/// A measure or amount: three decimals below ten, fewer above, none from a thousand on, and three
/// significant digits where a value is small.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "not a number".to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.2e}");
    }
    // From 999.95 on one decimal would round up to 1000.0: take none a little earlier.
    let decimals = match size {
        size if size >= 999.95 => 0,
        size if size >= 99.995 => 1,
        size if size >= 9.9995 => 2,
        size if size >= 0.1 => 3,
        size if size >= 0.01 => 4,
        size if size >= 0.001 => 5,
        _ => 6,
    };
    decimal(value, decimals)
}

/// A finite value with so many decimals and grouped thousands.
pub fn decimal(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) if digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) => ("-", digits),
        Some(digits) => ("", digits),
        None => ("", text.as_str()),
    };
    match digits.split_once('.') {
        Some((whole, fraction)) => format!("{sign}{}.{fraction}", group(whole)),
        None => format!("{sign}{}", group(digits)),
    }
}

/// Bytes in decimal units: `412 MB`, `1.25 GB`.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut units = ["kB", "MB", "GB", "TB", "PB"].into_iter();
    let mut unit = "bytes";
    while value >= 999.5 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1000.0, next);
    }
    let decimals = match value {
        value if unit == "bytes" || value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{} {unit}", decimal(value, decimals))
}

/// A duration given in seconds: `0.41 s`, `12.3 s`, `2 min 05 s`, `1 h 02 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "0.00 s".to_owned();
    }
    if seconds < 9.995 {
        return format!("{seconds:.2} s");
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    format!("{} h {:02} min", thousands(whole / 3600), whole % 3600 / 60)
}

/// `1 table`, `3 tables`: a count with its noun.
pub fn count(count: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { singular } else { plural })
}

/// A share in percent: `60.0 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", decimal(100.0 * share, 1))
}

/// The first and the last of ascending dates.
pub fn span(dates: &[NaiveDate]) -> String {
    match (dates.first(), dates.last()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(only), _) => only.to_string(),
        _ => "none".to_owned(),
    }
}

/// Names side by side, at most so many of them.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>, names_max: usize) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(names_max).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(names_max) {
        0 => shown,
        more => format!("{shown} and {} more", thousands(more as u64)),
    }
}

/// At most so many characters, the last an ellipsis where something was cut.
pub fn clip(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(characters_max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// On one line, and without the characters that a terminal obeys: data may name columns and files.
pub fn one_line(text: &str) -> String {
    let visible = text.chars().map(|letter| if letter == '\n' { ' ' } else { letter });
    visible.filter(|letter| !letter.is_control()).collect()
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.76204, "0.762"),
            (-0.04321, "-0.0432"),
            (0.000_123_4, "0.000123"),
            (0.000_012, "1.20e-5"),
            (9.9999, "10.00"),
            (12.345, "12.35"),
            (123.456, "123.5"),
            (999.96, "1,000"),
            (-8_300_065.81, "-8,300,066"),
            (2e20, "2.00e20"),
            (f64::NAN, "not a number"),
            (f64::INFINITY, "not a number"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn counts_bytes_and_durations() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(541_909), "541,909");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_000), "1.00 kB");
        assert_eq!(bytes(412_300_000), "412 MB");
        assert_eq!(bytes(u64::MAX), "18,447 PB");
        assert_eq!(duration(0.412), "0.41 s");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(59.97), "1 min 00 s");
        assert_eq!(duration(125.0), "2 min 05 s");
        assert_eq!(duration(3725.0), "1 h 02 min");
        assert_eq!(duration(f64::NAN), "0.00 s");
        assert_eq!(count(1, "table", "tables"), "1 table");
        assert_eq!(clip("häuser", 4), "häu…");
        assert_eq!((percent(0.6), percent(0.0)), ("60.0 %".to_owned(), "0.0 %".to_owned()));
        assert_eq!(list(["a", "b", "c"], 3), "a, b, c");
        assert_eq!(list(["a", "b", "c"], 1), "a and 2 more");
        assert_eq!(decimal(-0.001, 2), "0.00");
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a b[31m");
    }
}
