//! The rows of a stage: which train, which judge, which are scored.

use chrono::NaiveDate;
use polars::prelude::{
    BooleanChunked, DataFrame, DataType, LazyFrame, NewChunkedArray, SortMultipleOptions, TimeUnit, col, lit,
};

use super::design::{MOMENT, PORT};
use super::options::{Options, Validate};
use super::parts;
use super::task::{Target, Task, rows_at};
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::stages::contract::Failure;
use crate::stages::protocol::split_snapshots;
use crate::table::{AS_OF, Role, Table, TableSchema, midnight_us};

/// The rows of a table whose target is known, by moment and then by entity.
pub struct Material {
    frame: DataFrame,
    /// Days since 1970 of each row's moment, of a table of snapshots.
    days: Option<Vec<Option<i32>>>,
    /// Microseconds since 1970 of each row, of another table that tells its time.
    times: Option<Vec<i64>>,
    moments: Vec<NaiveDate>,
    /// Until when all is known.
    watermark: Option<NaiveDate>,
}

/// Rows that train a model, and rows that judge it.
pub struct Fold {
    pub train: DataFrame,
    pub held: DataFrame,
}

/// All folds with what a reader must know of them.
pub struct Folds {
    /// The newest is the last.
    pub folds: Vec<Fold>,
    /// All rows whose target is known.
    pub refit: DataFrame,
    /// What judged, in words, such as `2011-09-11`.
    pub evaluated: String,
    /// What trained the model that was judged, and what the one that is served.
    pub facts: Vec<Fact>,
}

impl Material {
    /// Reads the key and these columns of the rows whose target is known.
    pub fn read(
        table: &Table,
        columns: &[impl AsRef<str>],
        target: &str,
        run_date: NaiveDate,
    ) -> Result<Material, Failure> {
        let schema = &table.schema;
        let known = selected(table, columns, run_date).filter(col(target).is_not_null());
        let frame = known.sort(order(schema), SortMultipleOptions::default()).collect()?;
        let days = match schema.snapshots.is_empty() {
            true => None,
            false => {
                let days = frame.column(AS_OF)?.cast(&DataType::Date)?.cast(&DataType::Int32)?;
                Some(days.i32()?.iter().collect())
            }
        };
        let times = time(schema).map(|time| micros(&frame, time)).transpose()?;
        Ok(Material { frame, days, times, moments: schema.snapshots.clone(), watermark: table.watermark })
    }

    /// The rows of these moments.
    fn of(&self, moments: &[NaiveDate]) -> Result<DataFrame, Failure> {
        let wanted: Vec<i32> = moments.iter().copied().map(days_of).collect();
        let days = self.days.as_deref().unwrap_or_default();
        let mask = days.iter().map(|days| days.is_some_and(|days| wanted.contains(&days)));
        Ok(self.frame.filter(&BooleanChunked::from_iter_values("mask".into(), mask))?)
    }

    /// Which rows train and judge.
    pub fn folds(
        &self,
        options: &Options<'_>,
        task: Task,
        entity: &str,
        horizon_days: Option<u32>,
        run_date: NaiveDate,
        seed: u64,
    ) -> Result<Folds, Failure> {
        match (horizon_days, &self.times) {
            (Some(horizon_days), _) => self.by_snapshots(options, horizon_days, run_date),
            (None, Some(_)) if options.validate.share.is_none() && options.validate.folds.is_none() => {
                self.by_time(options)
            }
            (None, _) => self.by_chance(options, task, entity, seed),
        }
    }

    fn by_snapshots(&self, options: &Options<'_>, horizon_days: u32, run_date: NaiveDate) -> Result<Folds, Failure> {
        let target = options.target;
        let mut known = Vec::new();
        for moment in &self.moments {
            if self.of(&[*moment])?.height() > 0 {
                known.push(*moment);
            }
        }
        // What a query made of a label that is not known yet may well look like one that is.
        let known_until = self.watermark.map_or(run_date, |watermark| watermark.min(run_date));
        let wanted = options.validate.time_folds.unwrap_or(1) as usize;
        let mut splits = Vec::new();
        let mut left = known.clone();
        while splits.len() < wanted {
            let Some(split) = split_snapshots(&left, horizon_days, known_until) else { break };
            left.retain(|moment| *moment < split.evaluate);
            splits.insert(0, split);
        }
        let Some(newest) = splits.last().filter(|_| splits.len() == wanted) else {
            let found = match known.len() {
                0 => "in none of them".to_owned(),
                some => format!("in {some} of them ({})", format::span(&known)),
            };
            return Err(Failure::data(format!(
                "the table has {} snapshots, and `{target}` is known {found}: that leaves {} of the {wanted} wanted that \
                 can judge, with one to train on whose {horizon_days}-day window ends before. Add snapshots (`count`), \
                 shorten the label's window, or check that the source's newest event is as new as you think",
                self.moments.len(),
                splits.len()
            )));
        };
        let mut folds = Vec::new();
        for split in &splits {
            folds.push(Fold { train: self.of(&split.train)?, held: self.of(&[split.evaluate])? });
        }
        let refit = self.of(&newest.refit)?;
        let rows = |rows: usize| format::thousands(rows as u64);
        let trained = folds.last().map_or(0, |fold| fold.train.height());
        let dates = match newest.train.len() {
            1 => format!("1 snapshot, {}", format::span(&newest.train)),
            many => format!("{many} snapshots, {}", format::span(&newest.train)),
        };
        let more = if wanted > 1 { ", and fewer before the older ones that judge" } else { "" };
        let facts = vec![
            Fact::new("trained on", format!("{dates}, {} rows{more}", rows(trained))),
            Fact::new(
                "served model",
                format!(
                    "a refit on all labelled snapshots up to {} ({} rows), not the one evaluated here",
                    newest.refit.last().copied().unwrap_or(newest.evaluate),
                    rows(refit.height())
                ),
            ),
        ];
        let evaluated: Vec<NaiveDate> = splits.iter().map(|split| split.evaluate).collect();
        Ok(Folds { folds, refit, evaluated: format::span(&evaluated), facts })
    }

    /// Each part judges what was learned from all before it.
    fn by_time(&self, options: &Options<'_>) -> Result<Folds, Failure> {
        let target = options.target;
        let times = self.times.as_deref().unwrap_or_default();
        let mut order: Vec<usize> = (0..self.frame.height()).collect();
        order.sort_by_key(|row| times.get(*row).copied().unwrap_or(i64::MIN));
        let rows = order.len();
        // Where rows of one moment would be parted, the later part begins after it.
        let cut = |place: usize| {
            let at = |place: usize| order.get(place).and_then(|row| times.get(*row));
            let before = place.checked_sub(1).and_then(at);
            (place..rows).find(|place| at(*place) != before).unwrap_or(rows)
        };
        let starts: Vec<usize> = match options.validate.time_folds {
            None => vec![cut(rows - (rows as f64 * SHARE).round() as usize)],
            Some(folds) => (1..=folds as usize).map(|fold| cut(rows * fold / (folds as usize + 1))).collect(),
        };
        let mut folds = Vec::new();
        for (place, start) in starts.iter().enumerate() {
            let end = starts.get(place + 1).copied().unwrap_or(rows);
            let of = |range: &[usize]| rows_at(&self.frame, range);
            let (train, held) = (order.get(..*start).unwrap_or_default(), order.get(*start..end).unwrap_or_default());
            if !held.is_empty() {
                folds.push(Fold { train: of(train)?, held: of(held)? });
            }
        }
        self.finished(folds, target, "the newest rows", "all rows before those that judge")
    }

    fn by_chance(&self, options: &Options<'_>, task: Task, entity: &str, seed: u64) -> Result<Folds, Failure> {
        let target = options.target;
        let rows = &self.frame;
        let classes = if task == Task::Classes { Target::classes(rows, target)? } else { vec![] };
        let targets = Target::read(rows, target, task, &classes)?;
        let mut folds = Vec::new();
        let mut fold = |is_held: &dyn Fn(usize) -> bool| -> Result<(), Failure> {
            let (held, train): (Vec<usize>, Vec<usize>) = (0..rows.height()).partition(|row| is_held(*row));
            folds.push(Fold { train: rows_at(rows, &train)?, held: rows_at(rows, &held)? });
            Ok(())
        };
        let Validate { share, folds: parts, .. } = options.validate;
        let (evaluated, trained) = match parts {
            Some(parts) => {
                let found = parts::by_entity(rows, entity, &targets, parts, seed)?;
                for part in 0..parts {
                    fold(&|row| found.get(row) == Some(&part))?;
                }
                (format!("{parts} parts, each by a model of the others"), "the others of these parts")
            }
            None => {
                let share = share.unwrap_or(SHARE);
                let found = parts::share(rows, entity, &targets, share, seed)?;
                fold(&|row| found.get(row) == Some(&true))?;
                (format!("{} of the rows, by chance", format::percent(share)), "the other rows")
            }
        };
        self.finished(folds, target, &evaluated, trained)
    }

    fn finished(&self, folds: Vec<Fold>, target: &str, evaluated: &str, trained: &str) -> Result<Folds, Failure> {
        let refit = self.frame.clone();
        let rows = |rows: usize| format::thousands(rows as u64);
        let last = folds.last().map_or(0, |fold| fold.train.height());
        if folds.iter().any(|fold| fold.train.height() == 0 || fold.held.height() == 0) || folds.is_empty() {
            return Err(Failure::data(format!(
                "`{target}` is known in {} rows of the table at `{PORT}`, which are too few to train and to judge",
                rows(refit.height())
            )));
        }
        let facts = vec![
            Fact::new("trained on", format!("{trained}, {} rows", rows(last))),
            Fact::new(
                "served model",
                format!(
                    "a refit on all {} rows whose target is known, not the one evaluated here",
                    rows(refit.height())
                ),
            ),
        ];
        Ok(Folds { folds, refit, evaluated: evaluated.to_owned(), facts })
    }
}

/// The column that tells when rows of a table without snapshots happened.
fn time(schema: &TableSchema) -> Option<&str> {
    schema.event_time.as_deref().filter(|_| schema.snapshots.is_empty())
}

/// The columns that rows are ordered by: the moment of snapshots, then the other keys.
pub fn order(schema: &TableSchema) -> Vec<String> {
    let moment = (!schema.snapshots.is_empty()).then(|| AS_OF.to_owned());
    moment.into_iter().chain(schema.key.iter().filter(|name| *name != AS_OF).cloned()).collect()
}

/// The key and these columns of all rows, and the moment that ages count from.
pub fn selected(table: &Table, columns: &[impl AsRef<str>], run_date: NaiveDate) -> LazyFrame {
    let schema = &table.schema;
    let keys = schema.key.iter().map(String::as_str);
    let mut names: Vec<&str> = Vec::new();
    for name in keys.chain(columns.iter().map(|name| name.as_ref())).chain(time(schema)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let moment = match (schema.snapshots.is_empty(), time(schema)) {
        (false, _) => col(AS_OF),
        (true, Some(time)) => col(time),
        (true, None) => lit(run_date),
    };
    let selected: Vec<_> = names.into_iter().map(col).collect();
    table.frame.clone().select(selected).with_column(moment.cast(DataType::Date).alias(MOMENT))
}

/// The share of the rows that judges where nothing else is said.
const SHARE: f64 = 0.25;

/// Days since 1970.
fn days_of(moment: NaiveDate) -> i32 {
    (midnight_us(moment) / 86_400_000_000) as i32
}

fn micros(frame: &DataFrame, time: &str) -> Result<Vec<i64>, Failure> {
    let times = frame.column(time)?.cast(&DataType::Datetime(TimeUnit::Microseconds, None))?.cast(&DataType::Int64)?;
    Ok(times.i64()?.iter().map(|time| time.unwrap_or(i64::MIN)).collect())
}

/// The length of the future that a label looks at.
pub fn horizon_days(schema: &TableSchema, target: &str) -> Option<u32> {
    match schema.column(target).map(|column| column.role) {
        Some(Role::Label { horizon_days }) => Some(horizon_days),
        _ => None,
    }
}
