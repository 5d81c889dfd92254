//! The tables beside the interactions: who is served, what items are like, and which may be shown.

use std::collections::HashMap;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoLazy, NamedFrom, Series, col, lit};

use super::interactions::Interactions;
use super::options::{Id, Options};
use crate::metrics::evaluation::Fact;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs};
use crate::stages::ids;
use crate::table::{AS_OF, TableSchema, floats, type_name};

/// Who is served besides those with interactions: one row a user.
pub const USERS: &str = "users";
/// What items are like: one row an item.
pub const ITEMS: &str = "items";
/// Which items alone may be shown.
pub const ALLOWED: &str = "allowed";
/// Which items may not be shown.
pub const DENIED: &str = "denied";
/// What is there to be sold tonight.
pub const STOCK: &str = "stock";

/// The ports, all of which may be left free.
pub const PORTS: [InputPort; 5] = [
    InputPort::optional(USERS),
    InputPort::optional(ITEMS),
    InputPort::optional(ALLOWED),
    InputPort::optional(DENIED),
    InputPort::optional(STOCK),
];

/// One of the tables, in memory.
struct Found {
    frame: DataFrame,
    /// Whether it has a state of its own at each moment.
    is_dated: bool,
}

/// The tables that there are.
#[derive(Default)]
pub struct Beside {
    tables: HashMap<&'static str, Found>,
}

/// What the tables say as of a moment.
#[derive(Default)]
pub struct AsOf {
    /// What users are like, one row a user.
    pub users: Option<DataFrame>,
    /// What items are like, one row an item.
    pub items: Option<DataFrame>,
    /// For each item whether it may be recommended at all; without it all may.
    pub permitted: Option<Vec<bool>>,
}

/// What is wrong with the tables, as of all the moments that they are asked for.
pub fn problems(inputs: &InputSchemas, options: &Options<'_>, moments: &[NaiveDate]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let ids = [(USERS, options.user, true), (ITEMS, options.item, true)];
    let lists = [ALLOWED, DENIED, STOCK].map(|port| (port, options.item, false));
    let interactions = inputs.one(super::recommender::PORT).ok();
    for (port, id, one_row_each) in ids.into_iter().chain(lists) {
        let Some((_, schema)) = inputs.many(port).first() else { continue };
        let expected = interactions.and_then(|schema| schema.column(id)).map(|column| &column.dtype);
        problems.extend(table_problems(schema, port, id, expected, one_row_each));
        let missing =
            moments.iter().filter(|moment| !schema.snapshots.is_empty() && !schema.snapshots.contains(moment));
        let missing: Vec<String> = missing.map(ToString::to_string).collect();
        if !missing.is_empty() && port != STOCK {
            let message = format!("the table at `{port}` has no snapshot of {}", missing.join(" and "));
            let help = "lists are made at the run date and at each split before it: let `snapshots` reach them, or set `splits: 1`";
            problems.push(Problem::new(Code::NoSnapshots, message).help(help).at(["inputs", port]));
        }
    }
    problems.extend(option_problems(inputs, options));
    problems
}

/// Options that ask for a table that is not there, or for a column that it has not.
fn option_problems(inputs: &InputSchemas, options: &Options<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let stock = inputs.many(STOCK).first().map(|(_, schema)| schema);
    let place = ["with", "stock"];
    match (options.stock, stock) {
        (Some(_), None) => {
            let message = format!("there is no table at `{STOCK}` that `stock` could be a column of");
            problems.push(Problem::new(Code::MissingInput, message).at(place));
        }
        (None, Some(_)) => {
            let message =
                format!("the table at `{STOCK}` is there, but no `stock` that says which of its columns counts");
            problems.push(Problem::new(Code::MissingKey, message).at(["with"]));
        }
        (Some(name), Some(schema)) => {
            problems.extend(missing(schema, STOCK, name).map(|p| p.at(place)).or_else(|| {
                let column = schema.column(name)?;
                let counts = column.dtype.is_primitive_numeric() || column.dtype == DataType::Boolean;
                let message = format!("`{name}` is {}; stock is a number, or true or false", type_name(&column.dtype));
                (!counts).then(|| Problem::new(Code::WrongColumnType, message).at(place))
            }))
        }
        (None, None) => {}
    }
    if let Some(limit) = options.diversity.and_then(|diversity| diversity.per_category.as_ref()) {
        let place = ["with", "diversity", "per_category", "column"];
        match inputs.many(ITEMS).first() {
            None => {
                let message = format!("there is no table at `{ITEMS}` that could name the category");
                problems.push(Problem::new(Code::MissingInput, message).at(place));
            }
            Some((_, schema)) => {
                problems.extend(missing(schema, ITEMS, &limit.column).map(|problem| problem.at(place)))
            }
        }
    }
    problems
}

fn missing(schema: &TableSchema, port: &str, name: &str) -> Option<Problem> {
    let message = || format!("the table at `{port}` has no column `{name}`");
    let lacks = schema.column(name).is_none();
    lacks.then(|| Problem::new(Code::UnknownColumn, message()).nearest(name, schema.names()))
}

fn table_problems(
    schema: &TableSchema,
    port: &str,
    id: &str,
    expected: Option<&DataType>,
    one_row_each: bool,
) -> Option<Problem> {
    if let Some(problem) = missing(schema, port, id) {
        return Some(problem.at(["inputs", port]));
    }
    let found = &schema.column(id)?.dtype;
    let alike = expected.is_none_or(|expected| expected == found || (expected.is_integer() && found.is_integer()));
    if !alike {
        let expected = expected.map(type_name).unwrap_or_default();
        let message =
            format!("`{id}` is {} in the table at `{port}` and {expected} in the interactions", type_name(found));
        return Some(Problem::new(Code::WrongColumnType, message).at(["inputs", port]));
    }
    let keyed: Vec<&str> = schema.key.iter().map(String::as_str).filter(|name| *name != AS_OF).collect();
    if one_row_each && keyed != [id] {
        let message = format!("the table at `{port}` is not keyed by `{id}`, so it may have several rows of one");
        let help = format!("if it has one each, say so where it is made: `key: [{id}]`");
        return Some(Problem::new(Code::BadValue, message).help(help).at(["inputs", port]));
    }
    None
}

impl Beside {
    /// Takes the tables that are there; rows whose id is null are left out.
    pub fn read(inputs: &mut Inputs, options: &Options<'_>) -> Result<Beside, Failure> {
        let mut tables = HashMap::new();
        for (port, id) in [
            (USERS, options.user),
            (ITEMS, options.item),
            (ALLOWED, options.item),
            (DENIED, options.item),
            (STOCK, options.item),
        ] {
            let Some(named) = inputs.many(port).pop() else { continue };
            let is_dated = !named.table.schema.snapshots.is_empty();
            let frame = named.table.frame.filter(col(id).is_not_null()).collect()?;
            tables.insert(port, Found { frame, is_dated });
        }
        Ok(Beside { tables })
    }

    /// The ids that a table names, of any moment.
    pub fn ids(&self, port: &str, id: &str) -> Result<Vec<Series>, Failure> {
        let Some(found) = self.tables.get(port) else { return Ok(vec![]) };
        Ok(vec![found.frame.column(id)?.as_materialized_series().unique()?])
    }

    fn at(&self, port: &str, moment: NaiveDate) -> Result<Option<DataFrame>, Failure> {
        let Some(found) = self.tables.get(port) else { return Ok(None) };
        if !found.is_dated {
            return Ok(Some(found.frame.clone()));
        }
        let now = found.frame.clone().lazy().filter(col(AS_OF).eq(lit(moment).cast(DataType::Date)));
        Ok(Some(now.collect()?))
    }

    /// What the tables say as of a moment. What is in stock tonight is not asked of earlier moments, unless the table has
    /// a state of its own at each.
    pub fn as_of(
        &self,
        moment: NaiveDate,
        run_date: NaiveDate,
        interactions: &Interactions,
        options: &Options<'_>,
    ) -> Result<AsOf, Failure> {
        let places = |frame: &DataFrame| AsOf::rows_of(frame, options.item, &interactions.items);
        let mut permitted = Permitted::new(interactions.items.len());
        let listed = |ids: &[Id]| -> Result<Vec<u32>, Failure> {
            let ids = Series::new("".into(), ids.iter().map(|id| id.0.as_str()).collect::<Vec<_>>());
            Ok(ids::places(&ids, &interactions.items)?.into_iter().flatten().collect())
        };
        let allowed = self.at(ALLOWED, moment)?;
        if allowed.is_some() || !options.allow.is_empty() {
            let table = allowed.as_ref().map(places).transpose()?.unwrap_or_default();
            permitted.only(listed(options.allow)?.into_iter().chain(table.into_iter().flatten()));
        }
        permitted.without(listed(options.deny)?.into_iter());
        if let Some(denied) = self.at(DENIED, moment)? {
            permitted.without(places(&denied)?.into_iter().flatten());
        }
        let stock_is_known = moment == run_date || self.tables.get(STOCK).is_some_and(|found| found.is_dated);
        if let (Some(stock), Some(name)) = (self.at(STOCK, moment)?.filter(|_| stock_is_known), options.stock) {
            let there = floats(&stock, name)?;
            let items = places(&stock)?.into_iter().zip(there).filter(|(_, there)| *there > 0.0);
            permitted.only(items.filter_map(|(item, _)| item));
        }
        Ok(AsOf { users: self.at(USERS, moment)?, items: self.at(ITEMS, moment)?, permitted: permitted.found })
    }

    /// What a reader must know of the tables.
    pub fn fact(&self) -> Option<Fact> {
        let is_of_tonight = self.tables.get(STOCK).is_some_and(|found| !found.is_dated);
        is_of_tonight.then(|| Fact::new("stock", "of tonight: it decides what is served and not what is judged"))
    }
}

/// Which items may be shown.
struct Permitted {
    items: usize,
    found: Option<Vec<bool>>,
}

impl Permitted {
    fn new(items: usize) -> Permitted {
        Permitted { items, found: None }
    }

    fn only(&mut self, items: impl Iterator<Item = u32>) {
        let mut only = vec![false; self.items];
        for item in items {
            if let Some(slot) = only.get_mut(item as usize) {
                *slot = true;
            }
        }
        match &mut self.found {
            Some(found) => found.iter_mut().zip(only).for_each(|(found, only)| *found &= only),
            None => self.found = Some(only),
        }
    }

    fn without(&mut self, items: impl Iterator<Item = u32>) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        let found = self.found.get_or_insert_with(|| vec![true; self.items]);
        for item in items {
            if let Some(slot) = found.get_mut(item as usize) {
                *slot = false;
            }
        }
    }
}

impl AsOf {
    /// Which users a table names, whether or not they have interactions.
    pub fn named_users(&self, interactions: &Interactions, user: &str) -> Result<Vec<bool>, Failure> {
        let mut named = vec![false; interactions.users.len()];
        let Some(frame) = &self.users else { return Ok(named) };
        for place in Self::rows_of(frame, user, &interactions.users)?.into_iter().flatten() {
            if let Some(slot) = named.get_mut(place as usize) {
                *slot = true;
            }
        }
        Ok(named)
    }

    /// For each row of one of the tables the index of its id among these.
    pub fn rows_of(frame: &DataFrame, id: &str, ids: &Series) -> Result<Vec<Option<u32>>, Failure> {
        ids::places(frame.column(id)?.as_materialized_series(), ids)
    }
}
