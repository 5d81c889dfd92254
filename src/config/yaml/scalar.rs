//! The core schema of YAML 1.2 (section 10.3.2): what an unquoted scalar means.

/// What a plain scalar means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Written as a whole number, but it does not fit in 64 bits.
    Huge,
    Text,
}

/// Resolves an unquoted scalar. `yes`, `no`, `on`, `off` and dates are texts in YAML 1.2.
pub(super) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Plain::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Plain::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Plain::Float(f64::NEG_INFINITY),
        _ => number(text),
    }
}

fn number(text: &str) -> Plain {
    let radix = match text.get(..2) {
        Some("0o") => Some(8),
        Some("0x") => Some(16),
        _ => None,
    };
    if let (Some(radix), Some(digits)) = (radix, text.get(2..)) {
        if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
            return Plain::Text;
        }
        return i64::from_str_radix(digits, radix).map_or(Plain::Huge, Plain::Int);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or(Plain::Huge, Plain::Int);
    }
    if is_float(unsigned) { text.parse().map_or(Plain::Text, Plain::Float) } else { Plain::Text }
}

/// `( "." [0-9]+ | [0-9]+ ( "." [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, the sign already taken off.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_ok
}

#[cfg(test)]
mod tests {
    use super::{Plain, resolve};

    #[test]
    fn the_core_schema_decides() {
        for (text, expected) in [
            ("~", Plain::Null),
            ("", Plain::Null),
            ("nUll", Plain::Text),
            ("True", Plain::Bool(true)),
            ("tRue", Plain::Text),
            ("yes", Plain::Text),
            ("off", Plain::Text),
            ("-12", Plain::Int(-12)),
            ("+12", Plain::Int(12)),
            ("012", Plain::Int(12)),
            ("0o17", Plain::Int(15)),
            ("0o18", Plain::Text),
            ("0xfF", Plain::Int(255)),
            ("0x", Plain::Text),
            ("0b11", Plain::Text),
            ("1_000", Plain::Text),
            ("9223372036854775807", Plain::Int(i64::MAX)),
            ("-9223372036854775808", Plain::Int(i64::MIN)),
            ("9223372036854775808", Plain::Huge),
            ("0xffffffffffffffff", Plain::Huge),
            ("1.", Plain::Float(1.0)),
            (".5", Plain::Float(0.5)),
            ("-1e3", Plain::Float(-1000.0)),
            ("1.5E-2", Plain::Float(0.015)),
            ("+.inf", Plain::Float(f64::INFINITY)),
            (".", Plain::Text),
            ("-", Plain::Text),
            ("e3", Plain::Text),
            ("1e", Plain::Text),
            ("1e+", Plain::Text),
            ("inf", Plain::Text),
            ("NaN", Plain::Text),
            ("2011-12-10", Plain::Text),
            ("12:30", Plain::Text),
            ("90d", Plain::Text),
            ("é", Plain::Text),
        ] {
            assert_eq!(resolve(text), expected, "{text:?}");
        }
        assert!(matches!(resolve(".NaN"), Plain::Float(nan) if nan.is_nan()));
    }
}
