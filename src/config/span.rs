//! A length of time in whole days.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time in whole days, written `90d` or `12w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u32);

impl Span {
    /// A century; longer is a mistake, and keeps arithmetic on dates safe.
    const DAYS_MAX: u32 = 36_525;

    pub const fn days(days: u32) -> Span {
        Span(days)
    }

    pub const fn in_days(self) -> u32 {
        self.0
    }

    pub const fn in_microseconds(self) -> i64 {
        self.0 as i64 * 86_400_000_000
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let refused = || format!("`{text}` is not a length in days, such as `90d` or `12w`, of at most 100 years");
        let (number, days_each) = match (text.strip_suffix('d'), text.strip_suffix('w')) {
            (Some(number), _) => (number, 1),
            (_, Some(number)) => (number, 7),
            _ => return Err(refused()),
        };
        let days = number.parse::<u32>().ok().and_then(|number| number.checked_mul(days_each));
        match days {
            Some(days) if (1..=Self::DAYS_MAX).contains(&days) && !number.starts_with('+') => Ok(Span(days)),
            _ => Err(refused()),
        }
    }
}

/// At most 36,525 days, or as many weeks as fit into them.
const PATTERN: &str = "^0*(([1-9][0-9]{0,3}|[12][0-9]{4}|3[0-5][0-9]{3}|36[0-4][0-9]{2}|365[01][0-9]|3652[0-5])d|\
                       ([1-9][0-9]{0,2}|[1-4][0-9]{3}|5[01][0-9]{2}|520[0-9]|521[0-7])w)$";

impl From<Span> for String {
    fn from(span: Span) -> String {
        format!("{}d", span.0)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration", "pattern": PATTERN, "x-expected": "a length in days, such as `90d` or `12w`" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_weeks_are_read() {
        let days = |text: &str| Span::try_from(text.to_owned()).map(Span::in_days).ok();
        assert_eq!((days("90d"), days("12w"), days("036525d")), (Some(90), Some(84), Some(36_525)));
        for wrong in ["", "d", "0d", "-3d", "+3d", "90", "90 d", "6h", "1.5d", "36526d", "99999999999d"] {
            assert_eq!(days(wrong), None, "{wrong}");
        }
        let pattern = regex::Regex::new(PATTERN).unwrap();
        for count in (1..60_000).chain([99_999, 100_000]) {
            for text in [format!("{count}d"), format!("{count}w"), format!("0{count}d")] {
                assert_eq!(pattern.is_match(&text), days(&text).is_some(), "{text}");
            }
        }
    }
}
