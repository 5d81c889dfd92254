//! What features are made of.

use super::Features;
use crate::sql;
use crate::stages::lineage::{Lineage, Origins, Use};
use crate::table::{AS_OF, TableSchema};

/// Features and labels are made of what their expressions name, in the events of an entity whose time lies in a window.
/// The moment is the run's.
pub fn of(stage: &Features, name: &str, events: &TableSchema) -> Lineage {
    let own = |column: &str, used| Origins::one(name, column, used);
    let mut lineage = Lineage::default();
    let features = stage.features.iter().map(|(name, feature)| (name, &feature.expression));
    let labels = stage.labels.iter().map(|(name, label)| (name, &label.expression));
    for (column, text) in features.chain(labels) {
        lineage.fields.insert(column.clone(), told(text, name, events));
    }
    lineage.fields.insert(stage.entity.clone(), own(&stage.entity, Use::Identity));
    lineage.fields.insert(AS_OF.to_owned(), Origins::default());
    lineage.rows.add(&own(&stage.entity, Use::GroupBy), Use::GroupBy);
    lineage.rows.add(&own(&stage.time, Use::Filter), Use::Filter);
    if let Some(having) = &stage.having {
        lineage.rows.add(&told(having, name, events), Use::Filter);
    }
    lineage
}

/// What an expression names; everything, where that cannot be told.
fn told(text: &str, name: &str, events: &TableSchema) -> Origins {
    let tree = sql::expression(text).ok();
    tree.and_then(|tree| sql::origins_of_expression(&tree, name, &events.names())).unwrap_or_else(|| {
        let mut all = Origins::default();
        for column in events.names() {
            all.add(&Origins::one(name, column, Use::Aggregation), Use::Aggregation);
        }
        all
    })
}
