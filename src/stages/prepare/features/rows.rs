//! Aggregates to rows: windows per entity and snapshot, then the expressions over them.

use std::ops::Range;

use chrono::{Days, NaiveDate};
use polars::prelude::{
    BooleanChunked, DataFrame, DataType, Expr, Float64Chunked, Int64Chunked, IntoColumn, IntoLazy, IntoSeries,
    LazyFrame, NULL, PlSmallStr, PolarsResult, Series, StringChunked, TimeUnit, col, lit, when,
};
use polars::sql::sql_expr;

use super::collect::{Collected, Pass, Reading};
use super::columns::{Keys, Meaning};
use super::compile::{AggregateCall, Program, Written};
use super::{HAVING, Refused};
use crate::algorithms::windows::{self, Call, Column, Events, Snapshot};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Cancel, Failure};
use crate::stages::prepare::sql::{in_words, widened};
use crate::table::{AS_OF, midnight_us, type_name};

/// The stage's output, piece by piece: entities in ascending order, each with all of its snapshots.
pub struct Rows {
    reading: Reading,
    passes: std::vec::IntoIter<Pass>,
    program: Program,
    entity: String,
    /// Ascending.
    moments: Vec<NaiveDate>,
    /// Labels are known where their window ends by then.
    known_until: NaiveDate,
    cancel: Cancel,
    /// The events of a pass, and the first entity that has no rows yet.
    open: Option<(Collected, usize)>,
}

/// About how many rows a piece has: enough for the threads, little enough for memory.
const ROWS_PER_PIECE: usize = 250_000;

impl Rows {
    /// `moments` ascend. Labels are known where their window ends by `known_until`.
    pub fn new(
        reading: Reading,
        program: Program,
        entity: &str,
        moments: Vec<NaiveDate>,
        known_until: NaiveDate,
        cancel: Cancel,
    ) -> Rows {
        let passes = reading.passes().into_iter();
        Rows { reading, passes, program, entity: entity.to_owned(), moments, known_until, cancel, open: None }
    }

    fn piece(&mut self) -> Result<Option<DataFrame>, Failure> {
        loop {
            self.cancel.check()?;
            let Some((events, next)) = &mut self.open else {
                let Some(pass) = self.passes.next() else { return Ok(None) };
                self.open = Some((self.reading.collect(&pass)?, 0));
                continue;
            };
            let entities = *next..(*next + (ROWS_PER_PIECE / self.moments.len().max(1)).max(1)).min(events.order.len());
            if entities.is_empty() {
                self.open = None;
                continue;
            }
            *next = entities.end;
            let Some((events, _)) = &self.open else { continue };
            return self.rows_of(events, entities).map(Some);
        }
    }

    fn rows_of(&self, events: &Collected, entities: Range<usize>) -> Result<DataFrame, Failure> {
        let known = |moment: NaiveDate, call: &AggregateCall| is_known(moment, call.horizon_days, self.known_until);
        let snapshot = |moment: &NaiveDate| Snapshot {
            moment: midnight_us(*moment),
            known: self.program.aggregates.iter().map(|call| known(*moment, call)).collect(),
        };
        let snapshots: Vec<Snapshot> = self.moments.iter().map(snapshot).collect();
        let place = |index: Option<usize>| index.and_then(|index| events.places.get(index).copied());
        let call = |call: &AggregateCall| Call {
            aggregation: call.aggregation,
            argument: place(call.argument),
            mask: place(call.filter),
            window: call.window,
        };
        let calls: Vec<Call> = self.program.aggregates.iter().map(call).collect();
        let input = Events { times: &events.times, order: &events.order, values: &events.values, masks: &events.masks };
        let aggregated = windows::aggregate(&input, &snapshots, &calls, entities)
            .map_err(|error| Failure::data(error.to_string()))?;
        let mut columns = vec![
            key_column(&aggregated.entities, events)?.with_name(self.entity.as_str().into()).into_column(),
            moment_column(&aggregated.snapshots, &self.moments)?.into_column(),
        ];
        for (index, (call, column)) in self.program.aggregates.iter().zip(aggregated.columns).enumerate() {
            let argument = place(call.argument).and_then(|place| events.meanings.get(place));
            columns.push(typed(call, column, argument)?.with_name(format!("_a{index}").into()).into_column());
        }
        let frame = DataFrame::new_infer_height(columns)?.lazy();
        Ok(expressions(frame, &self.program, self.known_until, &self.entity)?.collect()?)
    }
}

impl Iterator for Rows {
    type Item = Result<DataFrame, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.piece().transpose()
    }
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

/// The same of each row's moment, for expressions.
fn is_past(horizon_days: u32, known_until: NaiveDate) -> Expr {
    // A future that is longer than the calendar is never known.
    let last = known_until.checked_sub_days(Days::new(u64::from(horizon_days)));
    last.map_or_else(|| lit(false), |last| col(AS_OF).lt_eq(lit(last)))
}

/// The type of an aggregate of a column of this type; the error completes "SUM …".
fn result_type(call: &AggregateCall, argument: Option<&DataType>) -> Result<DataType, String> {
    let Some(argument) = argument.filter(|_| !call.aggregation.counts()) else { return Ok(DataType::Int64) };
    let numeric = argument.is_primitive_numeric() || matches!(argument, DataType::Decimal(..) | DataType::Boolean);
    let additive = !call.aggregation.picks();
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

fn key_column(entities: &[u32], events: &Collected) -> PolarsResult<Series> {
    match &events.keys {
        Keys::Texts(texts) => Ok(texts_of(entities.iter().map(|code| Some(i64::from(*code))), texts).into_series()),
        Keys::Integers(keys) => {
            let keys: Vec<i64> =
                entities.iter().map(|code| keys.get(*code as usize).copied().unwrap_or_default()).collect();
            let keys = Int64Chunked::from_vec(PlSmallStr::EMPTY, keys).into_series();
            match &events.entity_type {
                DataType::Date => keys.cast(&DataType::Int32)?.cast(&DataType::Date),
                other => keys.cast(other),
            }
        }
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
fn typed(call: &AggregateCall, column: Column, argument: Option<&Meaning>) -> PolarsResult<Series> {
    let dtype = result_type(call, argument.map(|meaning| &meaning.dtype))
        .map_err(|message| polars::prelude::PolarsError::InvalidOperation(message.into()))?;
    let (data, valid) = match column {
        Column::Floats { data, valid } if valid.iter().all(|valid| *valid) => {
            return Ok(Float64Chunked::from_vec(PlSmallStr::EMPTY, data).into_series());
        }
        Column::Floats { data, valid } => {
            let values = data.into_iter().zip(valid).map(|(value, valid)| valid.then_some(value));
            return Ok(values.collect::<Float64Chunked>().into_series());
        }
        Column::Integers { data, valid } => (data, valid),
    };
    let complete = valid.iter().all(|valid| *valid);
    let values = || data.iter().zip(&valid).map(|(value, valid)| valid.then_some(*value));
    match (&dtype, argument.and_then(|meaning| meaning.texts.as_ref())) {
        (DataType::String, Some(texts)) => Ok(texts_of(values(), texts).into_series()),
        (DataType::Boolean, _) => {
            Ok(values().map(|value| value.map(|value| value != 0)).collect::<BooleanChunked>().into_series())
        }
        (DataType::Date, _) => values().collect::<Int64Chunked>().into_series().cast(&DataType::Int32)?.cast(&dtype),
        _ if complete => Int64Chunked::from_vec(PlSmallStr::EMPTY, data).into_series().cast(&dtype),
        _ => values().collect::<Int64Chunked>().into_series().cast(&dtype),
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
            Some(days) => when(is_past(days, known_until)).then(expr).otherwise(lit(NULL)),
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

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;
    use crate::stages::prepare::features::compile::Output;

    /// A label of which nothing is known must be null, also where its window ends after the last day there is.
    #[test]
    fn a_label_is_null_until_its_window_has_passed() {
        let labels = |horizon_days: u32, known_until: NaiveDate| -> Vec<Option<i64>> {
            let days = [NaiveDate::from_ymd_opt(2024, 1, 1), NaiveDate::from_ymd_opt(2024, 3, 1)];
            let frame = df!("id" => [1, 1], AS_OF => days, "_a0" => [5_i64, 6]).unwrap().lazy();
            let output = Output { name: "label".into(), sql: "_a0".into(), horizon_days: Some(horizon_days) };
            let program = Program { outputs: vec![output], ..Program::default() };
            let frame = expressions(frame, &program, known_until, "id").unwrap().collect().unwrap();
            frame.column("label").unwrap().i64().unwrap().iter().collect()
        };
        let known_until = NaiveDate::from_ymd_opt(2024, 4, 1).unwrap();
        assert_eq!(labels(31, known_until), [Some(5), Some(6)]);
        assert_eq!(labels(32, known_until), [Some(5), None]);
        assert_eq!(labels(u32::MAX, known_until), [None, None]);
        assert_eq!(labels(1, NaiveDate::MIN), [None, None]);
    }
}
