//! Nodes as events name them, with the datasets that they read and write.

use super::results::NodeResult;
use super::schedule::Run;
use super::{deliver, quality};
use crate::checks::Test;
use crate::config::DeliverSpec;
use crate::events::{self, Column, Dataset, NodeRef, Origin};
use crate::plan::{FILES, Feed, Node, Plan, Work};
use crate::report::NodeStatus;
use crate::stages::lineage::{Lineage, Origins, Use};
use crate::table::{RUN_DATE, TableSchema, type_name};

/// The node as events name it, with its datasets.
pub fn node_ref(run: &Run, node: &Node) -> NodeRef {
    let plan = &run.plan;
    let mut reads: Vec<Dataset> = files(node).into_iter().collect();
    reads.extend(feeds(plan, node).iter().filter_map(|feed| table(plan, feed)));
    let writes = match &node.work {
        Work::Publish { spec, from } => {
            let columns = plan.schema(from).map(published).unwrap_or_default();
            let there = |deliver: &&DeliverSpec| run.prepared.databases.contains_key(&deliver.database);
            let delivered = spec.deliver.as_ref().filter(there).map(|deliver| Dataset {
                namespace: of_database(&deliver.database),
                name: deliver::target(deliver).to_string(),
                columns: columns.clone(),
                ..Dataset::default()
            });
            std::iter::once(outside(&spec.to, columns)).chain(delivered).collect()
        }
        _ => {
            let own =
                |(place, (port, schema)): (usize, &(String, TableSchema))| inside(plan, node, place, port, schema);
            node.outputs.iter().enumerate().map(own).collect()
        }
    };
    NodeRef { id: node.id(), kind: node.kind().to_owned(), reads, writes }
}

/// The node once it has ended: with what was found of its datasets and, if it ended well, what they are made of.
pub fn ended(run: &Run, node: &Node, result: &NodeResult) -> NodeRef {
    let mut told = node_ref(run, node);
    quality::tell(node, result, &mut told);
    if matches!(result.status, NodeStatus::Success | NodeStatus::Skipped) {
        // What is delivered is what is published.
        for (written, lineage) in told.writes.iter_mut().zip(run.plan.lineage(node).iter().cycle()) {
            written.lineage = Some(lineage_of(&run.plan, node, lineage, &written.columns));
        }
    }
    told
}

/// The tables that a node reads, each once: what feeds it, and what its checks compare with.
fn feeds(plan: &Plan, node: &Node) -> Vec<Feed> {
    let mut feeds: Vec<Feed> = match &node.work {
        Work::Source { .. } => vec![],
        Work::Stage(work) => work.inputs.iter().flat_map(|(_, feeds)| feeds).cloned().collect(),
        Work::Gate { of, .. } => vec![of.clone()],
        Work::Publish { from, .. } => vec![from.clone()],
    };
    feeds.extend(node.checks.iter().filter_map(|check| match &check.test {
        Test::References { table, .. } => plan.find(table),
        _ => None,
    }));
    let mut seen = Vec::new();
    feeds.retain(|feed| {
        let place = (feed.node, feed.port);
        let is_new = !seen.contains(&place);
        seen.push(place);
        is_new
    });
    feeds
}

/// The files of a source; of a query what it gives, by the name of the source.
fn files(node: &Node) -> Option<Dataset> {
    let Work::Source { spec, entry } = &node.work else { return None };
    let columns = columns(&entry.raw);
    Some(match (&spec.path, &spec.database) {
        (None, Some(database)) => {
            Dataset { namespace: of_database(database), name: node.name.clone(), columns, ..Dataset::default() }
        }
        (path, _) => outside(path.as_deref().unwrap_or_default(), columns),
    })
}

fn table(plan: &Plan, feed: &Feed) -> Option<Dataset> {
    let node = plan.nodes.get(feed.node)?;
    let (port, schema) = node.outputs.get(feed.port)?;
    Some(inside(plan, node, feed.port, port, schema))
}

/// A table of the pipeline.
fn inside(plan: &Plan, node: &Node, place: usize, port: &str, schema: &TableSchema) -> Dataset {
    let name = if place == 0 { node.name.clone() } else { format!("{}.{port}", node.name) };
    Dataset {
        namespace: format!("patronage://{}", plan.pipeline),
        name,
        columns: columns(schema),
        ..Dataset::default()
    }
}

/// How the address of a database is told: it may be a secret, its name is none.
fn of_database(name: &str) -> String {
    format!("adbc://{name}")
}

/// A dataset beyond the pipeline.
fn outside(name: &str, columns: Vec<Column>) -> Dataset {
    Dataset { namespace: "path".to_owned(), name: name.to_owned(), columns, ..Dataset::default() }
}

fn columns(schema: &TableSchema) -> Vec<Column> {
    let of = |column: &crate::table::Column| Column {
        name: column.name.clone(),
        dtype: type_name(&column.dtype),
        description: column.description.clone(),
    };
    schema.columns.iter().map(of).collect()
}

/// Every publication has the run date.
fn published(schema: &TableSchema) -> Vec<Column> {
    let mut columns = columns(schema);
    if schema.column(RUN_DATE).is_none() {
        let description = "the run date".to_owned();
        columns.push(Column { name: RUN_DATE.to_owned(), dtype: "date".to_owned(), description });
    }
    columns
}

/// So many origins are told column by column. Beyond, what is not a column as it was is told of the table as a whole: a
/// table of hundreds of columns, each made of hundreds, would make an event of megabytes.
const ORIGINS_MAX: usize = 1_000;

fn lineage_of(plan: &Plan, node: &Node, lineage: &Lineage, columns: &[Column]) -> events::Lineage {
    let origins = |origins: &Origins| named(plan, node, origins);
    let count: usize = columns.iter().map(|column| lineage.of(&column.name).len()).sum();
    if count <= ORIGINS_MAX {
        let field = |column: &Column| (column.name.clone(), origins(lineage.of(&column.name)));
        return events::Lineage { fields: columns.iter().map(field).collect(), all: origins(&lineage.rows) };
    }
    let mut table = lineage.rows.clone();
    table.add(&lineage.others, Use::Identity);
    let mut told = events::Lineage::default();
    for column in columns {
        let Some(own) = lineage.fields.get(&column.name) else { continue };
        let kept = unchanged(own, &mut table);
        // Without an entry it is made of what the table is made of, with an empty one of nothing.
        if own.is_empty() || !kept.is_empty() {
            told.fields.insert(column.name.clone(), origins(&kept));
        }
    }
    told.all = origins(&table);
    told
}

/// The origins that leave as they are; the others are added to those of the table.
fn unchanged(origins: &Origins, table: &mut Origins) -> Origins {
    let mut kept = Origins::default();
    for (name, column, uses) in origins.iter() {
        for used in uses {
            let one = Origins::one(name, column, *used);
            let into = if matches!(used, Use::Identity | Use::Masked) { &mut kept } else { &mut *table };
            into.add(&one, Use::Identity);
        }
    }
    kept
}

fn named(plan: &Plan, node: &Node, origins: &Origins) -> Vec<Origin> {
    let dataset = |name: &str| match name {
        FILES => files(node),
        name => plan.find(name).and_then(|feed| table(plan, &feed)),
    };
    let mut last: Option<(&str, Dataset)> = None;
    let mut told = Vec::new();
    for (name, column, uses) in origins.iter() {
        if last.as_ref().is_none_or(|(own, _)| *own != name) {
            last = dataset(name).map(|dataset| (name, dataset));
        }
        let Some((_, dataset)) = &last else { continue };
        told.push(Origin {
            namespace: dataset.namespace.clone(),
            name: dataset.name.clone(),
            column: column.to_owned(),
            uses: uses.iter().map(|used| word(*used)).collect(),
        });
    }
    told
}

/// In OpenLineage's words.
fn word(used: Use) -> events::Use {
    let subtype = match used {
        Use::Identity => Some("IDENTITY"),
        Use::Masked | Use::Transformation => Some("TRANSFORMATION"),
        Use::Aggregation => Some("AGGREGATION"),
        Use::Filter => Some("FILTER"),
        Use::Join => Some("JOIN"),
        Use::GroupBy => Some("GROUP_BY"),
        Use::Sort => Some("SORT"),
        Use::Window => Some("WINDOW"),
        Use::Conditional => Some("CONDITIONAL"),
        Use::Influence => None,
    };
    events::Use { direct: used.is_direct(), subtype, masking: used == Use::Masked }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_origins_only_what_is_unchanged_stays_with_its_column() {
        let mut origins = Origins::one("t", "id", Use::Identity);
        origins.add(&Origins::one("t", "id", Use::Transformation), Use::Transformation);
        origins.add(&Origins::one("t", "x", Use::Aggregation), Use::Identity);
        let mut table = Origins::one("t", "x", Use::Filter);
        assert_eq!(unchanged(&origins, &mut table), Origins::one("t", "id", Use::Identity));
        let told: Vec<String> = table.iter().map(|(_, column, uses)| format!("{column} {uses:?}")).collect();
        assert_eq!(told, ["id {Transformation}", "x {Aggregation, Filter}"]);
    }

    #[test]
    fn what_is_masked_is_direct_and_what_decides_is_not() {
        let masked = word(Use::Masked);
        assert!(masked.direct && masked.masking);
        assert_eq!(word(Use::Influence), events::Use { direct: false, subtype: None, masking: false });
    }
}
