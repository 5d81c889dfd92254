//! Aggregates to rows: windows per entity and snapshot, then the expressions over them.

use chrono::{Days, NaiveDate};
use polars::prelude::{
    BooleanChunked, DataFrame, DataType, Expr, IntoColumn, IntoLazy, IntoSeries, LazyFrame, PlSmallStr, PolarsResult,
    Series, StringChunked, TimeUnit, col, lit, when,
};
use polars::sql::sql_expr;

use super::collect::{Collected, EventValues};
use super::compile::{AggregateCall, Program, Written};
use super::{HAVING, Refused};
use crate::algorithms::windows::{self, Call, Column, Events, Snapshot, Values};
use crate::problem::{Code, Problem};
use crate::stages::contract::Failure;
use crate::stages::prepare::sql::{in_words, widened};
use crate::table::{AS_OF, midnight_us, type_name};

/// The rows of the stage's output, sorted by entity and snapshot.
///
/// `moments` ascend. Labels are known where their window ends by `known_until`.
pub fn rows(
    events: &Collected,
    program: &Program,
    moments: &[NaiveDate],
    known_until: NaiveDate,
    entity: &str,
) -> Result<LazyFrame, Failure> {
    let known = |moment: NaiveDate, call: &AggregateCall| is_known(moment, call.horizon_days, known_until);
    let snapshots: Vec<Snapshot> = moments
        .iter()
        .map(|moment| Snapshot {
            moment: midnight_us(*moment),
            known: program.aggregates.iter().map(|call| known(*moment, call)).collect(),
        })
        .collect();
    let (values, value_index) = compact(&events.values);
    let (masks, mask_index) = compact(&events.masks);
    let values: Vec<Values> = values.into_iter().map(|one: &EventValues| one.values.clone()).collect();
    let masks: Vec<Vec<bool>> = masks.into_iter().cloned().collect();
    let calls: Vec<Call> = program
        .aggregates
        .iter()
        .map(|call| Call {
            aggregation: call.aggregation,
            argument: call.argument.and_then(|index| value_index.get(index).copied().flatten()),
            mask: call.filter.and_then(|index| mask_index.get(index).copied().flatten()),
            window: call.window,
        })
        .collect();
    let order = windows::order_events(&events.keys, &events.times);
    let input = Events { times: &events.times, order: &order, values: &values, masks: &masks };
    let aggregated =
        windows::aggregate(&input, &snapshots, &calls).map_err(|error| Failure::data(error.to_string()))?;

    let keys = aggregated.entities.iter().map(|index| order.keys.get(*index as usize).copied().unwrap_or_default());
    let mut columns = vec![
        key_column(keys, events)?.with_name(entity.into()).into_column(),
        moment_column(&aggregated.snapshots, moments)?.into_column(),
    ];
    for (index, (call, column)) in program.aggregates.iter().zip(aggregated.columns).enumerate() {
        let argument = call.argument.and_then(|index| events.values.get(index)).and_then(Option::as_ref);
        columns.push(typed(call, column, argument)?.with_name(format!("_a{index}").into()).into_column());
    }
    let frame = DataFrame::new_infer_height(columns)?.lazy();
    Ok(expressions(frame, program, known_until, entity)?)
}

/// An empty frame with the aggregates' types, for planning.
pub fn empty_aggregates(program: &Program, event_types: &[DataType]) -> Result<DataFrame, Refused> {
    let mut columns = vec![Series::new_empty(AS_OF.into(), &DataType::Date).into_column()];
    for (index, (call, written)) in program.aggregates.iter().zip(&program.aggregate_places).enumerate() {
        let argument = call.argument.and_then(|index| event_types.get(index));
        let dtype = result_type(call, argument).map_err(|message| {
            Box::new((written.clone(), Problem::new(Code::SqlInvalid, format!("{} {message}", written.function))))
        })?;
        columns.push(Series::new_empty(format!("_a{index}").into(), &dtype).into_column());
    }
    let mut frame =
        DataFrame::new_infer_height(columns).map_err(|error| Box::new((Written::default(), in_words(&error))))?;
    for (index, (text, written)) in program.days.iter().zip(&program.day_places).enumerate() {
        let plan = || frame.clone().lazy().select([sql_expr(text)?]).collect_schema();
        let schema = plan().map_err(|error| Box::new((written.clone(), in_words(&error))))?;
        match schema.get_at_index(0) {
            Some((_, DataType::Date | DataType::Datetime(..))) | None => {}
            Some((_, other)) => {
                let message = format!("DAYS_SINCE takes a date or time, not {}", type_name(other));
                return Err(Box::new((written.clone(), Problem::new(Code::WrongColumnType, message))));
            }
        }
        let column = Series::new_empty(format!("_d{index}").into(), &DataType::Int64).into_column();
        frame.with_column(column).map_err(|error| Box::new((written.clone(), in_words(&error))))?;
    }
    Ok(frame)
}

fn is_known(moment: NaiveDate, horizon_days: Option<u32>, known_until: NaiveDate) -> bool {
    let end = horizon_days.map(|days| moment.checked_add_days(Days::new(u64::from(days))));
    end.is_none_or(|end| end.is_some_and(|end| end <= known_until))
}

/// The present elements, and for each old index its new one.
fn compact<T>(sparse: &[Option<T>]) -> (Vec<&T>, Vec<Option<usize>>) {
    let mut dense = Vec::new();
    let mut index = Vec::new();
    for one in sparse {
        index.push(one.as_ref().map(|value| {
            dense.push(value);
            dense.len() - 1
        }));
    }
    (dense, index)
}

/// The type of an aggregate of a column of this type; the error completes "SUM …".
fn result_type(call: &AggregateCall, argument: Option<&DataType>) -> Result<DataType, String> {
    let Some(argument) = argument.filter(|_| !call.aggregation.counts()) else { return Ok(DataType::Int64) };
    let numeric = argument.is_primitive_numeric() || matches!(argument, DataType::Decimal(..) | DataType::Boolean);
    let additive = !matches!(
        call.aggregation,
        windows::Aggregation::Min
            | windows::Aggregation::Max
            | windows::Aggregation::Mode
            | windows::Aggregation::First
            | windows::Aggregation::Last
    );
    if additive && !numeric {
        return Err(format!("takes numbers, not {}", type_name(argument)));
    }
    if argument.is_nested() {
        return Err("takes no lists".to_owned());
    }
    Ok(match argument {
        DataType::Decimal(..) | DataType::Float64 | DataType::Float32 => DataType::Float64,
        _ if !call.aggregation.keeps_integers() => DataType::Float64,
        DataType::Boolean if additive => DataType::Int64,
        other if other.is_integer() => DataType::Int64,
        other => other.clone(),
    })
}

fn key_column(keys: impl Iterator<Item = i64>, events: &Collected) -> PolarsResult<Series> {
    match &events.texts {
        Some(texts) => Ok(texts_of(keys.map(Some), texts).into_series()),
        None => keys.collect::<Vec<i64>>().into_iter().collect::<Series>().cast(&events.entity_type),
    }
}

fn texts_of(codes: impl Iterator<Item = Option<i64>>, texts: &[String]) -> StringChunked {
    codes.map(|code| code.and_then(|code| texts.get(code as usize)).map(String::as_str)).collect()
}

fn moment_column(snapshots: &[u32], moments: &[NaiveDate]) -> PolarsResult<Series> {
    let days: Vec<i32> = snapshots
        .iter()
        .map(|index| moments.get(*index as usize).map_or(0, |moment| (midnight_us(*moment) / 86_400_000_000) as i32))
        .collect();
    Series::from_iter(days).cast(&DataType::Date).map(|series| series.with_name(AS_OF.into()))
}

/// A result column in the type it has to have.
fn typed(call: &AggregateCall, column: Column, argument: Option<&EventValues>) -> PolarsResult<Series> {
    let dtype = result_type(call, argument.map(|values| &values.dtype))
        .map_err(|message| polars::prelude::PolarsError::InvalidOperation(message.into()))?;
    match column {
        Column::Floats { data, valid } => {
            let values = data.into_iter().zip(valid).map(|(value, valid)| valid.then_some(value));
            Ok(values.collect::<polars::prelude::Float64Chunked>().into_series())
        }
        Column::Integers { data, valid } => {
            let values = data.into_iter().zip(valid).map(|(value, valid)| valid.then_some(value));
            match (&dtype, argument.and_then(|values| values.texts.as_ref())) {
                (DataType::String, Some(texts)) => Ok(texts_of(values, texts).into_series()),
                (DataType::Boolean, _) => {
                    Ok(values.map(|value| value.map(|value| value != 0)).collect::<BooleanChunked>().into_series())
                }
                (DataType::Date, _) => {
                    values.collect::<polars::prelude::Int64Chunked>().into_series().cast(&DataType::Int32)?.cast(&dtype)
                }
                _ => values.collect::<polars::prelude::Int64Chunked>().into_series().cast(&dtype),
            }
        }
    }
}

/// Adds the `_d` columns: whole days from a moment to the snapshot's, floored.
fn days(frame: LazyFrame, program: &Program) -> PolarsResult<LazyFrame> {
    let datetime = DataType::Datetime(TimeUnit::Microseconds, None);
    let mut columns: Vec<Expr> = Vec::new();
    for (index, text) in program.days.iter().enumerate() {
        let moment = col(AS_OF).cast(datetime.clone()).to_physical();
        let event = sql_expr(text)?.cast(datetime.clone()).to_physical();
        columns.push((moment - event).floor_div(lit(86_400_000_000i64)).alias(format!("_d{index}")));
    }
    Ok(if columns.is_empty() { frame } else { frame.with_columns(columns) })
}

/// The expressions over aggregates, `having`, and nulls where a label's future is not known.
fn expressions(frame: LazyFrame, program: &Program, known_until: NaiveDate, entity: &str) -> PolarsResult<LazyFrame> {
    let frame = days(frame, program)?;
    let mut columns = vec![col(entity), col(AS_OF)];
    let mut having: Option<Expr> = None;
    for output in &program.outputs {
        let expr = sql_expr(&output.sql)?;
        if output.name == HAVING {
            having = Some(expr);
            continue;
        }
        let name: PlSmallStr = output.name.as_str().into();
        let expr = match output.horizon_days {
            Some(days) => match known_until.checked_sub_days(Days::new(u64::from(days))) {
                Some(last) => when(col(AS_OF).lt_eq(lit(last))).then(expr).otherwise(lit(polars::prelude::NULL)),
                None => expr,
            },
            None => expr,
        };
        columns.push(expr.alias(name));
    }
    let frame = match having {
        Some(having) => frame.filter(having),
        None => frame,
    };
    widened(frame.select(columns))
}
