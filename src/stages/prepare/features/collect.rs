//! Events into memory: entity, time and the columns that aggregates need, nothing else.
//!
//! What does not fit is read in several passes, each over a range of the entities.

use polars::prelude::{
    DataFrame, DataType, Engine, Expr, IntoLazy, LazyFrame, PolarsResult, SortMultipleOptions, TimeUnit, col, len, lit,
};
use polars::sql::sql_expr;
use rayon::prelude::*;

use super::Refused;
use super::columns::{EntityColumn, EventColumn, EventValues, Keys, Meaning};
use super::compile::Program;
use crate::algorithms::windows::{EntityOrder, Values, group_by_entity};
use crate::problem::{Code, Problem};
use crate::stages::contract::Failure;
use crate::stages::prepare::sql::{in_words, widened};

/// Bytes of events that a stage holds at most; with more, it reads its input once for every share.
pub const EVENT_BYTES: u64 = 2 << 30;

/// With fewer there would be more and more passes over the input for less and less.
const EVENT_BYTES_MIN: u64 = 16 << 20;

/// The bytes of events to hold where so much memory is left: what is made of them needs room, too.
pub fn event_bytes(left: Option<u64>) -> u64 {
    left.map_or(EVENT_BYTES, |left| (left / 3).clamp(EVENT_BYTES_MIN, EVENT_BYTES))
}

/// The events of a range of entities, as plain arrays in the order of the input.
pub struct Collected {
    pub order: EntityOrder,
    /// By the entity's code.
    pub keys: Keys,
    pub entity_type: DataType,
    pub times: Vec<i64>,
    pub values: Vec<Values>,
    /// One per element of `values`.
    pub meanings: Vec<Meaning>,
    pub masks: Vec<Vec<bool>>,
    /// For each event column of the program its place in `values`, or in `masks` if it is a condition.
    pub places: Vec<usize>,
}

/// The events that a stage needs, and how they are shared out among passes.
pub struct Reading {
    frame: LazyFrame,
    entity_type: DataType,
    /// One per event column of the program.
    columns: Vec<ColumnPlan>,
    passes: Vec<Pass>,
}

struct ColumnPlan {
    dtype: DataType,
    is_filter: bool,
    is_time: bool,
    /// Whether an aggregate gives one of the values, so that text must be known and in order.
    in_order: bool,
}

/// A range of entities with at most so many events; open where there is no bound.
#[derive(Clone, Default)]
pub struct Pass {
    above: Option<Expr>,
    up_to: Option<Expr>,
    rows: usize,
}

impl Reading {
    /// Plans the reading, so that no pass holds more than `bytes` of events (an entity is never split).
    pub fn plan(frame: LazyFrame, entity: &str, time: &str, program: &Program, bytes: u64) -> Result<Reading, Failure> {
        let mut frame = widened(frame)?;
        let schema = frame.collect_schema()?;
        let entity_type = schema.get(entity).cloned().unwrap_or(DataType::Null);
        let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
        let time_is_exact = schema.get(time) == Some(&microseconds);
        let rows = frame.clone().select([len().cast(DataType::Int64).alias("rows")]);
        let rows = rows.collect_with_engine(Engine::Streaming)?.unwrap_single();
        let rows = rows.column("rows")?.i64()?.get(0).unwrap_or(0).unsigned_abs();

        let key = if entity_type == DataType::String { col(entity) } else { col(entity).to_physical() };
        let key = if entity_type == DataType::String { key } else { key.cast(DataType::Int64) };
        let frame = frame.filter(col(entity).is_not_null().and(col(time).is_not_null()));
        let mut expressions =
            vec![key.alias("_entity"), col(time).cast(microseconds.clone()).to_physical().alias("_time")];
        let is_time = |text: &str| time_is_exact && text == time;
        for (index, (text, _)) in program.events.iter().enumerate() {
            if !is_time(text) {
                expressions.push(sql_expr(text)?.alias(format!("_e{index}")));
            }
        }
        let mut frame = widened(frame.select(expressions))?;
        let schema = frame.collect_schema()?;
        let mut columns = Vec::new();
        for (index, (text, is_filter)) in program.events.iter().enumerate() {
            let dtype = schema.get(&format!("_e{index}")).cloned().unwrap_or_else(|| microseconds.clone());
            let picks = |call: &super::compile::AggregateCall| call.argument == Some(index) && call.aggregation.picks();
            let in_order = program.aggregates.iter().any(picks);
            columns.push(ColumnPlan { dtype, is_filter: *is_filter, is_time: is_time(text), in_order });
        }
        let mut reading = Reading { frame, entity_type, columns, passes: vec![] };
        reading.passes = reading.share_out(rows, bytes)?;
        Ok(reading)
    }

    pub fn passes(&self) -> Vec<Pass> {
        self.passes.clone()
    }

    /// What an event needs: codes of its entity, its place in the order, its time, its values.
    fn bytes_per_event(&self) -> u64 {
        let of = |column: &ColumnPlan| match (&column.dtype, column.is_filter) {
            _ if column.is_time => 0,
            (_, true) => 1,
            (DataType::String, _) => 4,
            _ => 8,
        };
        16 + self.columns.iter().map(of).sum::<u64>()
    }

    /// Ranges of entities with about as many events each.
    fn share_out(&self, rows: u64, bytes: u64) -> Result<Vec<Pass>, Failure> {
        let share = (bytes / self.bytes_per_event()).clamp(1, u64::from(u32::MAX) - 1);
        if rows <= share {
            return Ok(vec![Pass { rows: rows as usize, ..Pass::default() }]);
        }
        let counts = self.frame.clone().group_by([col("_entity")]).agg([len().cast(DataType::Int64).alias("_rows")]);
        let counts = counts.collect_with_engine(Engine::Streaming)?.unwrap_single();
        let counts = counts.sort(["_entity"], SortMultipleOptions::default())?;
        let entities = counts.column("_entity")?.as_materialized_series();
        let bound = |index: usize| -> PolarsResult<Expr> {
            Ok(match entities.str() {
                Ok(texts) => lit(texts.get(index).unwrap_or_default().to_owned()),
                Err(_) => lit(entities.i64()?.get(index).unwrap_or_default()),
            })
        };
        let mut passes = vec![];
        let mut open = Pass::default();
        for (index, count) in counts.column("_rows")?.i64()?.iter().enumerate() {
            let count = count.unwrap_or(0).unsigned_abs();
            if count > u64::from(u32::MAX) - 1 {
                return Err(Failure::TooLarge(format!(
                    "an entity has {count} events; a stage reads 4,294,967,294 of one"
                )));
            }
            if open.rows > 0 && open.rows as u64 + count > share {
                let last = bound(index - 1)?;
                let next = Pass { above: Some(last.clone()), ..Pass::default() };
                passes.push(Pass { up_to: Some(last), ..std::mem::replace(&mut open, next) });
            }
            open.rows += count as usize;
        }
        passes.push(open);
        Ok(passes)
    }

    /// Reads the events of one pass, batch by batch, on the streaming engine.
    pub fn collect(&self, pass: &Pass) -> Result<Collected, Failure> {
        let mut frame = self.frame.clone();
        if let Some(above) = &pass.above {
            frame = frame.filter(col("_entity").gt(above.clone()));
        }
        if let Some(up_to) = &pass.up_to {
            frame = frame.filter(col("_entity").lt_eq(up_to.clone()));
        }
        let mut entities = EntityColumn::new(&self.entity_type, pass.rows);
        let mut times: Vec<i64> = Vec::with_capacity(pass.rows);
        let mut columns: Vec<EventColumn> = self.columns.iter().map(|plan| plan.column(pass.rows)).collect();
        for batch in frame.collect_batches(Engine::Streaming, true, None, false)? {
            let batch = batch?;
            let before = times.len();
            times.extend(batch.column("_time")?.i64()?.iter().map(|time| time.unwrap_or(0)));
            let of_entities = || entities.append(batch.column("_entity")?.as_materialized_series());
            let of_columns = || {
                columns.par_iter_mut().enumerate().filter(|(_, column)| column.is_read()).try_for_each(
                    |(index, column)| {
                        column.append(batch.column(&format!("_e{index}"))?.as_materialized_series(), before)
                    },
                )
            };
            let (entities, columns) = rayon::join(of_entities, of_columns);
            entities.and(columns)?;
        }
        let (codes, keys) = entities.finish();
        let count = match &keys {
            Keys::Integers(keys) => keys.len(),
            Keys::Texts(keys) => keys.len(),
        };
        let order = group_by_entity(&codes, count);
        let entity_type = self.entity_type.clone();
        Ok(Collected { order, keys, entity_type, times, ..whole(columns) })
    }
}

impl ColumnPlan {
    fn column(&self, rows: usize) -> EventColumn {
        match (self.is_filter, self.is_time) {
            (true, _) => EventColumn::mask(rows),
            (_, true) => EventColumn::times(&self.dtype),
            _ => EventColumn::values(&self.dtype, self.in_order, rows),
        }
    }
}

/// The columns, values and conditions apart.
fn whole(columns: Vec<EventColumn>) -> Collected {
    let mut collected = Collected {
        order: group_by_entity(&[], 0),
        keys: Keys::Integers(vec![]),
        entity_type: DataType::Null,
        times: vec![],
        values: vec![],
        meanings: vec![],
        masks: vec![],
        places: vec![],
    };
    for column in columns {
        match column.finish() {
            Ok(EventValues { values, meaning }) => {
                collected.places.push(collected.values.len());
                collected.values.push(values);
                collected.meanings.push(meaning);
            }
            Err(mask) => {
                collected.places.push(collected.masks.len());
                collected.masks.push(mask);
            }
        }
    }
    collected
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
