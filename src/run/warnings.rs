//! What a run warns of: it went well, and yet someone should look.

use super::datasets::node_ref;
use super::drift::DEFINED_OTHERWISE;
use super::schedule::Run;
use crate::events::Event;
use crate::format;
use crate::metrics::evaluation::Verdict;
use crate::metrics::profile::{Psi, STRONG};
use crate::report::{CheckReport, ModelReport, NodeReport, NodeStatus, PublicationReport, Report, TableProfile};

/// The columns that one warning names.
const NAMES_MAX: usize = 5;

/// A warning and the node that it is of, by id.
pub struct Warning {
    pub node: Option<String>,
    pub message: String,
}

impl Warning {
    /// With the node's name, for those who read it apart from the node.
    pub fn text(&self) -> String {
        match &self.node {
            Some(node) => format!("{node}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Everything that the report gives reason to warn of, in its order. Checks that warn and failures are
/// told apart from these, as what they are.
pub fn of(report: &Report) -> Vec<Warning> {
    // A model that is only fitted gives no rows.
    let fits = |node: &&NodeReport| {
        report.models.iter().any(|model| model.mode == "fit" && node.id == format!("stage.{}", model.stage))
    };
    let empty = report.nodes.iter().filter(|node| !fits(node)).filter_map(empty);
    let models = report.models.iter().flat_map(model);
    let drift = report.profiles.iter().flat_map(drift);
    let replaced = report.publications.iter().filter_map(replaced);
    empty.chain(models).chain(drift).chain(replaced).collect()
}

/// Tells listeners of everything above, and of checks that warn on nodes that did not run or failed: of those of
/// the others the schedule has told as each ended.
pub fn emit(run: &Run, report: &Report) {
    let node_of = |id: &str| run.plan.nodes.iter().find(|node| node.id() == id).map(|node| node_ref(run, node));
    let untold = |node: &&NodeReport| node.status != NodeStatus::Success;
    let checks = report.nodes.iter().filter(untold).flat_map(|node| {
        report.checks.iter().filter(|check| is_on(check, node)).filter_map(|check| self::check(check, node))
    });
    for warning in checks.chain(of(report)) {
        let node = warning.node.as_deref().and_then(node_of);
        run.listeners.emit(&Event::Warning { node, message: warning.message });
    }
}

/// Whether the check is on one of the node's tables: `stage.segments`, `stage.segments.profiles`.
fn is_on(check: &CheckReport, node: &NodeReport) -> bool {
    check.on.strip_prefix(&node.id).is_some_and(|port| port.is_empty() || port.starts_with('.'))
}

fn check(check: &CheckReport, node: &NodeReport) -> Option<Warning> {
    if check.severity != "warn" || check.failed_rows == 0 {
        return None;
    }
    let port = check.on.strip_prefix(&node.id).and_then(|port| port.strip_prefix('.'));
    let port = port.map(|port| format!(" on {port}")).unwrap_or_default();
    let message = match &check.found {
        Some(found) => format!("{}{port} fails: {found}", check.check),
        None => format!("{}{port} fails in {}", check.check, check.finding()),
    };
    Some(Warning { node: Some(node.id.clone()), message })
}

/// A source or a stage whose every table has no rows.
fn empty(node: &NodeReport) -> Option<Warning> {
    let none = !node.outputs.is_empty() && node.rows() == 0 && node.kind != "publish";
    none.then(|| Warning { node: Some(node.id.clone()), message: "it gave no rows".to_owned() })
}

fn replaced(publication: &PublicationReport) -> Option<Warning> {
    let message = "another run has begun to replace what was published, before it was finished; two runs of one date \
                   are at work";
    publication
        .replaced
        .then(|| Warning { node: Some(format!("publish.{}", publication.name)), message: message.to_owned() })
}

/// That a model is worse than its baseline, and what its stage warns of.
fn model(model: &ModelReport) -> Vec<Warning> {
    let loses = (model.verdict == Some(Verdict::Loses)).then_some(&model.sentence);
    let messages = loses.into_iter().chain(&model.evaluation.warnings);
    messages.map(|message| Warning { node: Some(format!("stage.{}", model.stage)), message: message.clone() }).collect()
}

/// One warning for each distribution that columns of the table have moved away from.
fn drift(table: &TableProfile) -> Vec<Warning> {
    let mut moved: Vec<(&str, Vec<(&str, f64)>)> = Vec::new();
    for column in &table.columns {
        for drift in column.drift.iter().filter(|drift| !drift.against.ends_with(DEFINED_OTHERWISE)) {
            if !(Psi { index: drift.psi, chance: drift.chance }).is_strong() {
                continue;
            }
            let found = (column.profile.name.as_str(), drift.psi);
            match moved.iter_mut().find(|(against, _)| *against == drift.against) {
                Some((_, columns)) => columns.push(found),
                None => moved.push((&drift.against, vec![found])),
            }
        }
    }
    let warning = |(against, mut columns): (&str, Vec<(&str, f64)>)| {
        columns.sort_by(|a, b| b.1.total_cmp(&a.1));
        let named: Vec<String> = columns.iter().map(|(name, psi)| format!("{name} {psi:.2}")).collect();
        let names = format::list(named.iter().map(String::as_str), NAMES_MAX);
        let stage = table.table.rsplit(' ').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        let message = format!("{} is distributed unlike {against}: PSI above {STRONG} for {names}", table.table);
        Warning { node: Some(format!("stage.{stage}")), message }
    };
    moved.into_iter().map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::evaluation::{Better, Estimate, Evaluation, Measure};

    #[test]
    fn a_model_that_loses_and_what_its_stage_warns_of_are_told() {
        let measure = |low, high| Measure {
            name: "roc_auc".to_owned(),
            better: Better::Higher,
            model: Estimate::point(0.6),
            baseline: Some(Estimate::point(0.7)),
            difference: Some(Estimate::interval(-0.1, low, high)),
        };
        let told = |low, high, warnings: Vec<String>| {
            let measures = vec![measure(low, high)];
            let evaluation = Evaluation { headline: "roc_auc".to_owned(), measures, warnings, ..Evaluation::default() };
            model(&ModelReport::new("churn", "logistic", None, "fit_apply", evaluation))
        };
        assert!(told(-0.2, 0.1, vec![]).is_empty());
        let both = told(-0.2, -0.05, vec!["Look here.".to_owned()]);
        assert_eq!(both.len(), 2);
        assert!(both[0].text().starts_with("stage.churn: ") && both[0].message.contains("do not use this model"));
        assert_eq!(both[1].text(), "stage.churn: Look here.");
    }
}
