//! What would run: stages resolved into a DAG with the schema of every table, checked before any
//! data is read.

mod checks;
mod databases;
mod doubtful;
mod entry;
mod fingerprint;
mod gates;
mod graph;
mod lineage;
mod order;
mod publish;
mod resolve;
mod select;
mod source;
mod unit_tests;

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::checks::Check;
use crate::config::{CheckSpec, GateSpec, PublishSpec, SourceSpec};
use crate::stages::Stage;
use crate::table::TableSchema;

pub use entry::Entry;
pub use fingerprint::{Key, KeyParts, definition_hash, digest};
pub use lineage::FILES;
pub use resolve::resolve;
pub use select::{Facts, select};
pub use unit_tests::{Cell, Expected, Given, UnitTest, series};

/// A pipeline for one run date, in an order in which it can run.
pub struct Plan {
    pub pipeline: String,
    pub description: Option<String>,
    pub run_date: NaiveDate,
    pub seed: u64,
    /// Sources, then stages in topological order, then publications.
    pub nodes: Vec<Node>,
    /// The pipeline's own tests.
    pub tests: Vec<UnitTest>,
}

/// A step of the plan.
pub struct Node {
    /// The name in the pipeline.
    pub name: String,
    pub work: Work,
    /// Hash of its definition, before variables are filled in.
    pub definition: String,
    /// Indices of the nodes it needs, ascending, each once.
    pub upstream: Vec<usize>,
    /// Output ports with their schemas; the first is what the name alone refers to.
    pub outputs: Vec<(String, TableSchema)>,
    pub tags: Vec<String>,
    /// Its checks as written, for the cache key.
    pub check_specs: Vec<CheckSpec>,
    /// Its checks and those that its declarations imply.
    pub checks: Vec<Check>,
}

/// What a node does.
pub enum Work {
    Source {
        spec: Box<SourceSpec>,
        entry: Entry,
    },
    Stage(StageWork),
    /// `with`: the rendered gate, for the cache key.
    Gate {
        spec: GateSpec,
        with: serde_json::Value,
        of: Feed,
    },
    Publish {
        spec: PublishSpec,
        from: Feed,
    },
}

/// A stage with what feeds it.
pub struct StageWork {
    pub kind: &'static str,
    pub stage: Box<dyn Stage>,
    /// The rendered parameters, for the cache key and the manifest.
    pub with: serde_json::Value,
    /// Port to what feeds it, in order.
    pub inputs: Vec<(String, Vec<Feed>)>,
}

/// One output port of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// As the pipeline names it: `segments`, `segments.profiles`.
    pub name: String,
    pub node: usize,
    pub port: usize,
}

impl Node {
    /// `source.transactions`, `stage.segments`, `publish.customer_scores`
    pub fn id(&self) -> String {
        let group = match self.work {
            Work::Source { .. } => "source",
            Work::Stage(_) => "stage",
            Work::Gate { .. } => "gate",
            Work::Publish { .. } => "publish",
        };
        format!("{group}.{}", self.name)
    }

    /// The stage kind, `source` or `publish`.
    pub fn kind(&self) -> &str {
        match &self.work {
            Work::Source { .. } => "source",
            Work::Stage(stage) => stage.kind,
            Work::Gate { .. } => "gate",
            Work::Publish { .. } => "publish",
        }
    }

    /// Whether others can read what it gives: that of sources and stages.
    pub fn gives_tables(&self) -> bool {
        matches!(self.work, Work::Source { .. } | Work::Stage(_))
    }

    pub fn is_gate(&self) -> bool {
        matches!(self.work, Work::Gate { .. })
    }

    pub fn is_publication(&self) -> bool {
        matches!(self.work, Work::Publish { .. })
    }

    pub fn is_stage(&self) -> bool {
        matches!(self.work, Work::Stage(_))
    }

    /// Whether the pipeline says of its rows that they never change over time.
    fn is_declared_static(&self) -> bool {
        match &self.work {
            Work::Source { spec, .. } => spec.fixed,
            Work::Stage(work) => work.with.get("static").is_some_and(|fixed| *fixed == true),
            Work::Gate { .. } | Work::Publish { .. } => false,
        }
    }
}

impl Plan {
    /// The node and port that `name` refers to: a source, a stage, or `stage.port`.
    pub fn find(&self, name: &str) -> Option<Feed> {
        let (node_name, port_name) = match name.split_once('.') {
            Some((node, port)) => (node, Some(port)),
            None => (name, None),
        };
        let matches = |node: &Node| node.name == node_name && node.gives_tables();
        let node = self.nodes.iter().position(matches)?;
        let outputs = &self.nodes.get(node)?.outputs;
        let port = match port_name {
            Some(port) => outputs.iter().position(|(name, _)| name == port)?,
            None => 0,
        };
        Some(Feed { name: name.to_owned(), node, port })
    }

    /// What happens to the columns of each source as data enters, by the source's name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.nodes.iter().filter_map(|node| match &node.work {
            Work::Source { entry, .. } => Some((node.name.as_str(), entry)),
            _ => None,
        })
    }

    /// The schema at an output port.
    pub fn schema(&self, feed: &Feed) -> Option<&TableSchema> {
        self.nodes.get(feed.node)?.outputs.get(feed.port).map(|(_, schema)| schema)
    }

    /// The tables that feed `index`, directly or not, and that the pipeline declares `static`: names, ascending. What
    /// is judged on them is as honest as the declaration.
    pub fn static_inputs(&self, index: usize) -> Vec<String> {
        let feeds = |index: usize| match self.nodes.get(index).map(|node| &node.work) {
            Some(Work::Stage(work)) => work.inputs.iter().flat_map(|(_, feeds)| feeds).map(|feed| feed.node).collect(),
            _ => vec![],
        };
        let mut above: BTreeSet<usize> = BTreeSet::new();
        let mut open: Vec<usize> = feeds(index);
        while let Some(one) = open.pop() {
            if above.insert(one) {
                open.extend(feeds(one));
            }
        }
        let nodes = above.into_iter().filter_map(|index| self.nodes.get(index));
        let mut names: Vec<String> =
            nodes.filter(|node| node.is_declared_static()).map(|node| node.name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// A stage or source that looks at what an earlier run date gave; none if every run date stands for itself.
    pub fn depends_on_earlier_nights(&self) -> Option<String> {
        let looks = |node: &&Node| {
            let stage = match &node.work {
                Work::Stage(work) => {
                    let stage = &work.stage;
                    stage.applies_earlier_model() || stage.continues_model() || stage.looks_back()
                }
                Work::Gate { spec, .. } => {
                    spec.drift.is_some() || spec.rows.as_ref().is_some_and(|rows| rows.change_max.is_some())
                }
                _ => false,
            };
            stage || node.checks.iter().any(Check::compares_with_earlier)
        };
        self.nodes.iter().find(looks).map(Node::id)
    }

    /// Nodes that need `index`, directly or not, itself excluded.
    pub fn downstream(&self, index: usize) -> Vec<usize> {
        let mut found = vec![false; self.nodes.len()];
        for (other, node) in self.nodes.iter().enumerate() {
            let needs = node.upstream.iter().any(|up| *up == index || found.get(*up).copied().unwrap_or(false));
            if let Some(slot) = found.get_mut(other) {
                *slot = needs;
            }
        }
        found.iter().enumerate().filter(|(_, found)| **found).map(|(other, _)| other).collect()
    }
}
