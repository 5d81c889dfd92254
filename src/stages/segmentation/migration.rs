//! Who moved between segments since an earlier night.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, DataType, IntoLazy, JoinArgs, JoinCoalesce, JoinType, col, len};

use crate::format;
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::evaluation::{Chart, Fact};
use crate::metrics::migration::Matrix;
use crate::stages::contract::{Before, Failure};

/// What stands for a count that is too small to be told.
const UNTOLD: &str = "few";
/// More levels make no matrix that can be read.
const LEVELS_MAX: usize = 20;

/// Where the table of before is there no more.
pub fn unknown() -> Moves {
    let fact = Fact::new("moved", "not known: what was given for an earlier run date is no longer there");
    Moves { chart: None, fact }
}

/// What the report shows of it.
pub struct Moves {
    pub chart: Option<Chart>,
    pub fact: Fact,
}

/// A column that says where an entity belongs.
#[derive(Clone, Copy)]
pub struct Levels<'a> {
    pub entity: &'a str,
    pub column: &'a str,
    /// Where a level stands among the others; of equal ones their names decide.
    pub place: &'a dyn Fn(&str) -> i64,
    /// What a level is called tonight.
    pub name: &'a dyn Fn(&str) -> String,
}

/// Pairs of levels, then and now, with their number of entities; none is who was not there, or of no level.
type Counts = BTreeMap<Pair, u64>;

/// A level then and a level now.
type Pair = (Option<String>, Option<String>);

/// Compares tonight's table with the same table of an earlier night; none where there is no such table, or entities or
/// levels are of another type in it.
pub fn moves(before: Option<&Before>, now: &DataFrame, of: Levels<'_>) -> Result<Option<Moves>, Failure> {
    let Some(before) = before else { return Ok(None) };
    let Some(counts) = counts(before, now, of)? else { return Ok(None) };
    let levels = |side: fn(&Pair) -> &Option<String>| {
        let mut levels: Vec<&String> = counts.keys().filter_map(|pair| side(pair).as_ref()).collect();
        levels.sort_by_key(|level| ((of.place)(level), *level));
        levels.dedup();
        levels
    };
    let (rows, columns) = (levels(|pair| &pair.0), levels(|pair| &pair.1));
    let count = |from: Option<&String>, to: Option<&String>| {
        counts.get(&(from.cloned(), to.cloned())).copied().unwrap_or_default()
    };
    let each = |levels: &[&String]| levels.iter().map(|level| Some((*level).clone())).chain([None]).collect::<Vec<_>>();
    let to = each(&columns);
    let all = each(&rows).into_iter().map(|from| to.iter().map(|to| count(from.as_ref(), to.as_ref())).collect());
    let same = rows.iter().map(|row| columns.iter().position(|column| column == row)).collect();
    let matrix = Matrix { counts: all.collect(), same };
    let fact = Fact::new("moved", sentence(before, &matrix));
    let is_readable = rows.len().max(columns.len()) <= LEVELS_MAX;
    let chart = is_readable.then(|| chart(before, &matrix, &rows, &columns, of.name));
    Ok(Some(Moves { chart, fact }))
}

fn counts(before: &Before, now: &DataFrame, of: Levels<'_>) -> Result<Option<Counts>, Failure> {
    let schema = before.frame.clone().collect_schema()?;
    let is_same = |name: &str| -> Result<bool, Failure> { Ok(schema.get(name) == Some(now.column(name)?.dtype())) };
    if !(is_same(of.entity)? && is_same(of.column)?) {
        return Ok(None);
    }
    let side = |name: &str| [col(of.entity).alias("entity"), col(of.column).cast(DataType::String).alias(name)];
    let was = before.frame.clone().select(side("was"));
    let is = now.clone().lazy().select(side("is"));
    let how = JoinArgs { coalesce: JoinCoalesce::CoalesceColumns, ..JoinArgs::new(JoinType::Full) };
    let joined = was.join(is, [col("entity")], [col("entity")], how);
    let found = joined.group_by([col("was"), col("is")]).agg([len().cast(DataType::UInt64).alias("rows")]).collect()?;
    let level = |name: &str| -> Result<Vec<Option<String>>, Failure> {
        Ok(found.column(name)?.str()?.iter().map(|level| level.map(str::to_owned)).collect())
    };
    let pairs = level("was")?.into_iter().zip(level("is")?);
    let rows: Vec<u64> = found.column("rows")?.u64()?.iter().flatten().collect();
    Ok(Some(pairs.zip(rows).collect()))
}

fn sentence(before: &Before, matrix: &Matrix) -> String {
    let (both, moved) = (matrix.both(), matrix.moved());
    if both == 0 {
        return format!("nobody was there on {}", before.run_date);
    }
    let all: u64 = matrix.counts.iter().flatten().sum();
    let gone: u64 = matrix.counts.iter().filter_map(|row| row.last()).sum();
    let new = all - both - gone;
    let is_small = |count: u64| (1..TOLD_MIN).contains(&count);
    // Beside the numbers of rows, of then and now, this would tell who is new and gone.
    let whom = if is_small(gone) || is_small(new) {
        format!("of those that were there on {}", before.run_date)
    } else {
        format!("of {} on {}", format::count(both, "that was there", "that were there"), before.run_date)
    };
    if is_small(moved) || is_small(both - moved) {
        let few = if is_small(moved) { "fewer than" } else { "all but fewer than" };
        return format!("{few} {TOLD_MIN} {whom}");
    }
    format!("{} {whom}, {}", format::thousands(moved), format::percent(moved as f64 / both as f64))
}

/// Shaded by the share of those of a row; those who stayed are not, so that moves are seen.
fn chart(
    before: &Before,
    matrix: &Matrix,
    rows: &[&String],
    columns: &[&String],
    name: &dyn Fn(&str) -> String,
) -> Chart {
    let told = matrix.tell_with_totals();
    let text = |count: &Option<u64>| count.map_or_else(|| UNTOLD.to_owned(), format::thousands);
    let shade = |(row, counts): (usize, &Vec<Option<u64>>)| -> Vec<f64> {
        let total: u64 = counts.iter().flatten().sum::<u64>().max(1);
        let share = |(column, count): (usize, &Option<u64>)| match count {
            Some(count) if matrix.is_move(row, column) => *count as f64 / total as f64,
            _ => 0.0,
        };
        counts.iter().enumerate().map(share).collect()
    };
    let names = |levels: &[&String], rest: &str| {
        levels.iter().map(|level| name(level)).chain([rest.to_owned()]).collect::<Vec<_>>()
    };
    Chart::Grid {
        title: format!("From which on {} to which now", before.run_date),
        rows_title: "then".to_owned(),
        columns_title: "now".to_owned(),
        rows: names(rows, "not there"),
        columns: names(columns, "gone"),
        values: told.counts.iter().enumerate().map(shade).collect(),
        texts: told.counts.iter().map(|row| row.iter().map(text).collect()).collect(),
        center: None,
    }
}
