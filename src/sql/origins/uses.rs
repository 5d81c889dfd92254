//! What columns are used for.

use std::collections::{BTreeMap, BTreeSet};

/// What a column does for what is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Its values are the values.
    Identity,
    /// Others stand for its values, such as pseudonyms.
    Masked,
    /// The values are computed from its values, row by row or in a way that is not told.
    Transformation,
    /// The values are computed from those of many rows.
    Aggregation,
    /// It decides which rows count.
    Filter,
    /// It decides which rows go together.
    Join,
    GroupBy,
    Sort,
    Window,
    /// It decides which of several values it is.
    Conditional,
    /// It decides in a way that is not told.
    Influence,
}

impl Use {
    /// Whether values are made of it; what else it does only decides about them.
    pub const fn is_direct(self) -> bool {
        matches!(self, Use::Identity | Use::Masked | Use::Transformation | Use::Aggregation)
    }

    /// What a column does for the outermost of two steps, the first of which made `inner` of it.
    #[must_use]
    pub fn of(self, inner: Use) -> Use {
        match (self, inner) {
            (outer, _) if !outer.is_direct() => outer,
            (_, inner) if !inner.is_direct() => inner,
            (Use::Identity, inner) => inner,
            (outer, Use::Identity) => outer,
            (Use::Masked, _) | (_, Use::Masked) => Use::Masked,
            (Use::Aggregation, _) | (_, Use::Aggregation) => Use::Aggregation,
            _ => Use::Transformation,
        }
    }
}

/// Columns by table and name, with what each is used for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<(String, String), BTreeSet<Use>>);

impl Origins {
    /// One column.
    pub fn one(table: &str, column: &str, used: Use) -> Origins {
        Origins(BTreeMap::from([((table.to_owned(), column.to_owned()), BTreeSet::from([used]))]))
    }

    /// Adds what others are made of, in a step that uses them so.
    pub fn add(&mut self, others: &Origins, used: Use) {
        for (column, uses) in &others.0 {
            let own = self.0.entry(column.clone()).or_default();
            own.extend(uses.iter().map(|inner| used.of(*inner)));
        }
    }

    /// The same with other names of the tables.
    #[must_use]
    pub fn renamed(&self, name: impl Fn(&str) -> String) -> Origins {
        let mut renamed = Origins::default();
        for ((table, column), uses) in &self.0 {
            renamed.0.entry((name(table), column.clone())).or_default().extend(uses);
        }
        renamed
    }

    /// Table, column, and what it is used for.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &BTreeSet<Use>)> {
        self.0.iter().map(|((table, column), uses)| (table.as_str(), column.as_str(), uses))
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
