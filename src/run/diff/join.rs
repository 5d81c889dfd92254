//! Two tables of one row an entity, side by side.

use polars::prelude::{DataFrame, DataType, Engine, Expr, JoinArgs, JoinType, LazyFrame, PolarsResult, col, len, lit};

use super::side::{ManifestNode, Output, Side};
use crate::report::diff::Entities;
use crate::table::{AS_OF, Column, Role, TableSchema};

/// Columns that are read at once: what bounds the memory.
const COLUMNS_AT_ONCE: usize = 4;
/// The version column that modelling stages add.
const MODEL_VERSION: &str = "model_version";
/// Names of the joined columns.
const ENTITY: &str = "_entity";
const ENTITY_NOW: &str = "_entity_right";

/// One row an entity on each side, at each side's own run date.
pub struct Joined {
    before: LazyFrame,
    now: LazyFrame,
    /// What names the entities.
    pub entity: String,
    /// Columns that both sides have and that may be compared.
    pub columns: Vec<Column>,
}

impl Joined {
    /// The two tables; none where a row is not an entity, or they do not go together.
    pub fn new(
        before: (&Side, &ManifestNode, &Output),
        now: (&Side, &ManifestNode, &Output),
    ) -> PolarsResult<Option<Joined>> {
        let (was, is) = (&before.2.schema, &now.2.schema);
        let (Some(entity), Some(earlier)) = (entity(is), entity(was)) else { return Ok(None) };
        if entity.name != earlier.name || entity.dtype != earlier.dtype {
            return Ok(None);
        }
        let frame = |(side, node, output): (&Side, &ManifestNode, &Output)| -> PolarsResult<LazyFrame> {
            let frame = side.frame(node, &output.port)?;
            let frame = if output.schema.column(AS_OF).is_some() {
                frame.filter(col(AS_OF).eq(lit(side.report.run_date)))
            } else {
                frame
            };
            Ok(frame.filter(col(entity.name.as_str()).is_not_null()))
        };
        let columns = is.columns.iter().filter(|column| {
            let earlier = was.column(&column.name);
            earlier.is_some_and(|earlier| {
                same_kind(&earlier.dtype, &column.dtype) && comparable(column, is) && comparable(earlier, was)
            })
        });
        Ok(Some(Joined {
            before: frame(before)?,
            now: frame(now)?,
            entity: entity.name.clone(),
            columns: columns.cloned().collect(),
        }))
    }

    /// Who is in both, new and gone; none where an entity has several rows.
    pub fn entities(&self) -> PolarsResult<Option<Entities>> {
        let name = self.entity.as_str();
        for side in [&self.before, &self.now] {
            let counts =
                side.clone().select([count(len()).alias("rows"), count(col(name).n_unique()).alias("entities")]);
            let counts = counts.collect_with_engine(Engine::Streaming)?.unwrap_single();
            if number(&counts, "rows") != number(&counts, "entities") {
                return Ok(None);
            }
        }
        let (before, now) = (|| col(ENTITY).is_not_null(), || col(ENTITY_NOW).is_not_null());
        let sums = self.join(&[])?.select([
            count(before().and(now()).sum()).alias("both"),
            count(before().not().sum()).alias("new"),
            count(now().not().sum()).alias("gone"),
        ]);
        let sums = sums.collect_with_engine(Engine::Streaming)?.unwrap_single();
        Ok(Some(Entities {
            column: self.entity.clone(),
            both: number(&sums, "both"),
            new: number(&sums, "new"),
            gone: number(&sums, "gone"),
        }))
    }

    /// How many levels a column has at most on either side, nulls included.
    pub fn levels(&self, column: &str) -> PolarsResult<u64> {
        let mut most = 0;
        for side in [&self.before, &self.now] {
            let levels = side.clone().select([count(col(column).n_unique()).alias("levels")]);
            most = most.max(number(&levels.collect_with_engine(Engine::Streaming)?.unwrap_single(), "levels"));
        }
        Ok(most)
    }

    /// Hands each of these columns to `each`, with its values side by side.
    pub fn each<E: From<polars::prelude::PolarsError>>(
        &self,
        columns: &[(&Column, DataType)],
        mut each: impl FnMut(&Column, Pairs) -> Result<(), E>,
    ) -> Result<(), E> {
        for some in columns.chunks(COLUMNS_AT_ONCE) {
            let frame = self.join(some)?.collect_with_engine(Engine::Streaming)?.unwrap_single();
            for (place, (column, _)) in some.iter().enumerate() {
                each(column, Pairs { frame: &frame, place })?;
            }
        }
        Ok(())
    }

    /// Everyone of either side, with the columns of both, cast.
    fn join(&self, columns: &[(&Column, DataType)]) -> PolarsResult<LazyFrame> {
        let side = |frame: &LazyFrame, prefix: &str| {
            let mut wanted: Vec<Expr> = vec![col(self.entity.as_str()).alias(ENTITY)];
            for (place, (column, dtype)) in columns.iter().enumerate() {
                // First to the type it has now, so that 1.0 and 1 are the same level.
                let value = col(column.name.as_str()).cast(column.dtype.clone()).cast(dtype.clone());
                wanted.push(value.alias(format!("{prefix}{place}")));
            }
            frame.clone().select(wanted)
        };
        let (before, now) = (side(&self.before, "before"), side(&self.now, "now"));
        Ok(before.join(now, [col(ENTITY)], [col(ENTITY)], JoinArgs::new(JoinType::Full)))
    }
}

/// A text before and now; the outer `None` for who is not there, the inner one for null.
pub type TextPair<'a> = (Option<Option<&'a str>>, Option<Option<&'a str>>);

/// One column of a join.
pub struct Pairs<'a> {
    frame: &'a DataFrame,
    place: usize,
}

impl Pairs<'_> {
    /// Numbers, NaN for null; `None` for who is not there.
    pub fn numbers(&self) -> PolarsResult<Vec<crate::metrics::shift::Pair>> {
        let (before, now) = (self.column("before")?.f64()?, self.column("now")?.f64()?);
        let (was, is) = (self.frame.column(ENTITY)?.is_not_null(), self.frame.column(ENTITY_NOW)?.is_not_null());
        let side =
            |there: Option<bool>, value: Option<f64>| there.unwrap_or(false).then_some(value.unwrap_or(f64::NAN));
        let rows = was.iter().zip(before.iter()).zip(is.iter().zip(now.iter()));
        Ok(rows.map(|((was, before), (is, now))| (side(was, before), side(is, now))).collect())
    }

    /// Texts, or what was cast to them.
    pub fn texts(&self) -> PolarsResult<impl Iterator<Item = TextPair<'_>>> {
        let (before, now) = (self.column("before")?.str()?, self.column("now")?.str()?);
        let (was, is) = (self.frame.column(ENTITY)?.is_not_null(), self.frame.column(ENTITY_NOW)?.is_not_null());
        let was: Vec<bool> = was.iter().map(|there| there.unwrap_or(false)).collect();
        let is: Vec<bool> = is.iter().map(|there| there.unwrap_or(false)).collect();
        let rows = was.into_iter().zip(before.iter()).zip(is.into_iter().zip(now.iter()));
        Ok(rows.map(|((was, before), (is, now))| (was.then_some(before), is.then_some(now))))
    }

    fn column(&self, side: &str) -> PolarsResult<&polars::prelude::Column> {
        self.frame.column(&format!("{side}{}", self.place))
    }
}

/// The entity of a table with one row an entity and moment.
fn entity(schema: &TableSchema) -> Option<&Column> {
    match schema.key.as_slice() {
        [_] => schema.entity(),
        [_, second] if second == AS_OF => schema.entity(),
        _ => None,
    }
}

/// Whether values of the two types can be compared: a width may change, a text may not become a number.
fn same_kind(before: &DataType, now: &DataType) -> bool {
    let number = |dtype: &DataType| dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..));
    before == now || (number(before) && number(now))
}

/// Not what names entities or moments, nor what only the future knows.
fn comparable(column: &Column, schema: &TableSchema) -> bool {
    let kind = column.dtype.is_primitive_numeric()
        || matches!(column.dtype, DataType::Boolean | DataType::String | DataType::Decimal(..));
    let named = schema.key.contains(&column.name) || column.name == MODEL_VERSION;
    kind && !named && column.role == Role::Plain && !column.class.names_one()
}

fn count(expr: Expr) -> Expr {
    expr.cast(DataType::UInt64)
}

fn number(frame: &DataFrame, name: &str) -> u64 {
    frame.column(name).ok().and_then(|column| column.u64().ok()?.get(0)).unwrap_or(0)
}
