//! What names stand for inside a SELECT.

use sqlparser::ast::{Expr, Value};

use super::expression::Search;
use super::{Derived, Origins, Use};

/// The tables of a SELECT, and what it gives.
#[derive(Default)]
pub struct Scope {
    tables: Vec<Named>,
    /// What the SELECT gives, for the clauses that may name it.
    given: Option<Derived>,
}

struct Named {
    called: String,
    table: Derived,
    /// Whether its columns leave; those of a semi join do not.
    shown: bool,
}

impl Scope {
    pub fn add(&mut self, called: String, table: Derived, shown: bool) {
        self.tables.push(Named { called, table, shown });
    }

    /// From now on the names of what is given may be used too.
    pub fn gives(&mut self, made: &Derived) {
        self.given = Some(made.clone());
    }

    /// The columns of this name, whichever table has them; none if there is none.
    pub fn column(&self, name: &str) -> Option<Origins> {
        let tables = self.tables.iter().map(|named| &named.table).chain(&self.given);
        merged(tables.flat_map(|table| &table.columns), name)
    }

    /// A column of a table that is named.
    pub fn column_of(&self, called: &str, name: &str) -> Option<Origins> {
        let tables = self.tables.iter().filter(|named| named.called == called);
        merged(tables.flat_map(|named| &named.table.columns), name)
    }

    /// What an expression is made of; none if it names what is not there.
    pub fn of(&self, expr: &Expr) -> Option<Origins> {
        match expr {
            Expr::Nested(inner) => self.of(inner),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Search::of(self, expr, Use::Identity),
            _ => Search::of(self, expr, Use::Transformation),
        }
    }

    /// What a clause names decides about the rows; a number stands for a column by its place.
    pub fn decide(&self, made: &mut Derived, expr: &Expr, used: Use) -> Option<()> {
        match expr {
            Expr::Value(value) if matches!(value.value, Value::Number(..)) => made.all_decide(used),
            _ => made.rows.add(&self.of(expr)?, used),
        }
        Some(())
    }

    /// `*`, or that of one table.
    pub fn all(&self, called: Option<&str>, made: &mut Derived) -> Option<()> {
        let wanted = |named: &&Named| called.map_or(named.shown, |called| named.called == called);
        let mut tables = self.tables.iter().filter(wanted).peekable();
        tables.peek()?;
        for named in tables {
            for (name, origins) in &named.table.columns {
                made.push(name.clone(), origins.clone());
            }
            made.merged |= named.table.merged;
        }
        Some(())
    }
}

fn merged<'c>(columns: impl Iterator<Item = &'c (String, Origins)>, name: &str) -> Option<Origins> {
    let mut found: Option<Origins> = None;
    for (_, origins) in columns.filter(|(own, _)| own == name) {
        found.get_or_insert_default().add(origins, Use::Identity);
    }
    found
}
