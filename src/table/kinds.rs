//! Column types: their names in a pipeline, and polars' own.

use polars::prelude::{DataType, TimeUnit};

/// Reads a type such as `int64`, `decimal(12,2)` or `list(float32)`.
pub fn parse_type(text: &str) -> Option<DataType> {
    if let Some(inner) = text.strip_prefix("list(").and_then(|rest| rest.strip_suffix(')')) {
        return Some(DataType::List(Box::new(parse_type(inner.trim())?)));
    }
    if let Some(inner) = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
        let (precision, scale) = inner.split_once(',')?;
        let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
        return ((1..=38).contains(&precision) && scale <= precision).then_some(DataType::Decimal(precision, scale));
    }
    Some(match text {
        "bool" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "string" => DataType::String,
        "date" => DataType::Date,
        "datetime" => DataType::Datetime(TimeUnit::Microseconds, None),
        _ => return None,
    })
}

/// The name of a type as a pipeline writes it.
pub fn type_name(dtype: &DataType) -> String {
    match dtype {
        DataType::Boolean => "bool".into(),
        DataType::Int8 => "int8".into(),
        DataType::Int16 => "int16".into(),
        DataType::Int32 => "int32".into(),
        DataType::Int64 => "int64".into(),
        DataType::UInt8 => "uint8".into(),
        DataType::UInt16 => "uint16".into(),
        DataType::UInt32 => "uint32".into(),
        DataType::UInt64 => "uint64".into(),
        DataType::Float32 => "float32".into(),
        DataType::Float64 => "float64".into(),
        DataType::String => "string".into(),
        DataType::Date => "date".into(),
        DataType::Datetime(..) => "datetime".into(),
        DataType::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::List(inner) => format!("list({})", type_name(inner)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_are_inverse() {
        for name in [
            "bool",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "float32",
            "float64",
            "string",
            "date",
            "datetime",
            "decimal(12,2)",
            "list(float32)",
        ] {
            assert_eq!(type_name(&parse_type(name).unwrap()), name);
        }
        assert_eq!(parse_type("decimal(2,5)"), None);
        assert_eq!(parse_type("text"), None);
    }
}
