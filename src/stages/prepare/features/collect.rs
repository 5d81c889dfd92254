//! Events into memory: entity, time and the columns that aggregates need, nothing else.

use std::collections::HashMap;

use polars::prelude::{DataFrame, DataType, Engine, IntoLazy, LazyFrame, PolarsResult, Series, TimeUnit, col};
use polars::sql::sql_expr;

use super::Refused;
use super::compile::Program;
use crate::algorithms::windows::{Data, Values};
use crate::problem::{Code, Problem};
use crate::stages::contract::Failure;
use crate::stages::prepare::sql::{in_words, widened};

/// Events as plain arrays, in the order of the input.
pub struct Collected {
    /// Entity keys whose order is that of the output.
    pub keys: Vec<i64>,
    /// The text behind each key, where the entity is text.
    pub texts: Option<Vec<String>>,
    pub entity_type: DataType,
    pub times: Vec<i64>,
    /// One per event column of the program; `None` for conditions.
    pub values: Vec<Option<EventValues>>,
    /// One per event column of the program; `None` for values.
    pub masks: Vec<Option<Vec<bool>>>,
}

/// An event column with what is needed to turn results back into its type.
pub struct EventValues {
    pub values: Values,
    pub dtype: DataType,
    /// The text behind each code, ascending, where the column is text.
    pub texts: Option<Vec<String>>,
}

/// Reads the events once, on the streaming engine.
pub fn collect(frame: LazyFrame, entity: &str, time: &str, program: &Program) -> Result<Collected, Failure> {
    let frame = widened(frame)?.filter(col(entity).is_not_null().and(col(time).is_not_null()));
    let mut columns = vec![
        col(entity).alias("_entity"),
        col(time).cast(DataType::Datetime(TimeUnit::Microseconds, None)).to_physical().alias("_time"),
    ];
    for (index, (text, _)) in program.events.iter().enumerate() {
        columns.push(sql_expr(text)?.alias(format!("_e{index}")));
    }
    let frame = widened(frame.select(columns))?;
    let frame = frame.collect_with_engine(Engine::Streaming)?.unwrap_single();
    if frame.height() >= u32::MAX as usize {
        return Err(Failure::TooLarge(format!(
            "{} events are more than the 4,294,967,294 that one stage reads",
            frame.height()
        )));
    }
    let entities = encode(frame.column("_entity")?.as_materialized_series())?;
    let Data::Integers(keys) = entities.values.data else {
        return Err(Failure::bug("an entity is neither a whole number nor text"));
    };
    let times = frame.column("_time")?.i64()?.iter().map(|time| time.unwrap_or(0)).collect();
    let mut collected =
        Collected { keys, texts: entities.texts, entity_type: entities.dtype, times, values: vec![], masks: vec![] };
    for (index, (_, is_filter)) in program.events.iter().enumerate() {
        let series = frame.column(&format!("_e{index}"))?.as_materialized_series();
        let (values, mask) =
            if *is_filter { (None, Some(condition(series, frame.height())?)) } else { (Some(encode(series)?), None) };
        collected.values.push(values);
        collected.masks.push(mask);
    }
    Ok(collected)
}

/// The types of the event columns, by planning over an empty table.
pub fn event_types(empty: DataFrame, program: &Program) -> Result<Vec<DataType>, Refused> {
    let plan = |text: &str| -> PolarsResult<DataType> {
        let frame = widened(empty.clone().lazy())?.select([sql_expr(text)?.alias("_e")]);
        let schema = widened(frame)?.collect_schema()?;
        Ok(schema.get("_e").cloned().unwrap_or(DataType::Null))
    };
    let mut types = Vec::new();
    for ((text, is_filter), written) in program.events.iter().zip(&program.event_places) {
        let dtype = plan(text).map_err(|error| Box::new((written.clone(), in_words(&error))))?;
        if *is_filter && dtype != DataType::Boolean {
            let problem = Problem::new(Code::SqlInvalid, format!("`{text}` is not a condition"));
            return Err(Box::new((written.clone(), problem)));
        }
        types.push(dtype);
    }
    Ok(types)
}

/// A condition as booleans, null as false; a constant is repeated.
fn condition(series: &Series, height: usize) -> PolarsResult<Vec<bool>> {
    let values: Vec<bool> = series.bool()?.iter().map(|value| value.unwrap_or(false)).collect();
    Ok(match values.as_slice() {
        [one] if height > 1 => vec![*one; height],
        _ => values,
    })
}

/// A column as integers or floats; text becomes codes in the order of the text.
fn encode(series: &Series) -> PolarsResult<EventValues> {
    let dtype = series.dtype().clone();
    let valid =
        (series.null_count() > 0).then(|| series.is_not_null().iter().map(|valid| valid.unwrap_or(false)).collect());
    let (data, texts) = match &dtype {
        DataType::String => {
            let (codes, texts) = codes(series)?;
            (Data::Integers(codes), Some(texts))
        }
        DataType::Float64 | DataType::Decimal(..) => {
            let floats = series.cast(&DataType::Float64)?;
            (Data::Floats(floats.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect()), None)
        }
        DataType::Boolean => {
            (Data::Integers(series.bool()?.iter().map(|value| i64::from(value.unwrap_or(false))).collect()), None)
        }
        _ => {
            let integers = series.to_physical_repr().cast(&DataType::Int64)?;
            (Data::Integers(integers.i64()?.iter().map(|value| value.unwrap_or(0)).collect()), None)
        }
    };
    let dtype = if matches!(dtype, DataType::Decimal(..)) { DataType::Float64 } else { dtype };
    Ok(EventValues { values: Values { data, valid }, dtype, texts })
}

fn codes(series: &Series) -> PolarsResult<(Vec<i64>, Vec<String>)> {
    let strings = series.str()?;
    let mut seen: HashMap<&str, u32> = HashMap::new();
    let mut codes: Vec<i64> = Vec::with_capacity(strings.len());
    for text in strings.iter() {
        let next = seen.len() as u32;
        let code = text.map_or(0, |text| *seen.entry(text).or_insert(next));
        codes.push(i64::from(code));
    }
    let mut texts: Vec<(&str, u32)> = seen.into_iter().collect();
    texts.sort_unstable();
    let mut ranks = vec![0i64; texts.len()];
    for (rank, (_, code)) in texts.iter().enumerate() {
        if let Some(slot) = ranks.get_mut(*code as usize) {
            *slot = rank as i64;
        }
    }
    for code in &mut codes {
        *code = ranks.get(*code as usize).copied().unwrap_or(0);
    }
    Ok((codes, texts.into_iter().map(|(text, _)| text.to_owned()).collect()))
}
