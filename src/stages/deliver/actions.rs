//! The next best action of every customer.

mod choose;
mod inputs;
mod options;
mod report;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series, col};
use schemars::JsonSchema;
use serde::Deserialize;

use self::choose::{Choice, Choices, Outcome};
use self::options::{Channels, Contacts, Rule};
use crate::problem::Problem;
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::lineage::Lineage;
use crate::stages::ports::of_run_date;
use crate::table::{Class, Column, TableSchema};

/// Chooses what to do with each customer: the first of `rules` that applies, as far as places, money and consent allow.
///
/// `when` is a condition in SQL over the columns of the table at `scores`; where it is null it does not apply. Rules are
/// tried in the order of their `priority`, those without one in the order in which they stand. A rule that has no place
/// left (`capacity`, of the rule or its channel), no money left (`budget`), or no consent of the customer (`consent` of
/// the channel), is passed over, and the next one tried. Who comes first where places are few is said by `order_by`;
/// without it chance decides, the same every night.
///
/// Nobody is contacted whom `suppress` holds true of, or whom the table at `contacts` says to have been contacted within
/// `contacts.within`.
///
/// A share of the customers, `control_share`, is left alone: drawn from the id, the pipeline's seed and the stage's id, so
/// the same customers every night, however many others come or go. What they would have been given stands in `rule`, so that a
/// rule's effect is the difference between those whom it reached and those it would have: compare them by `rule` and
/// `control`. They take no place and no money.
///
/// The output has a row for every customer, with the `reason` in words. With a table at `recommendations` the first `items`
/// of each customer stand beside it, as `item_1`, `item_2` and so on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Actions {
    /// The column that names the customer, such as `customer_id`.
    entity: String,
    /// Who gets what.
    #[schemars(length(min = 1, max = 200))]
    rules: Vec<Rule>,
    /// Which share of the customers is left alone, to measure what actions do.
    #[serde(default)]
    #[schemars(range(min = 0, max = 0.5))]
    control_share: f64,
    /// What holds for all actions of a channel, by its name.
    #[serde(default)]
    channels: Channels,
    /// What all actions of a night may cost together.
    #[serde(default)]
    #[schemars(range(min = 0))]
    budget: Option<f64>,
    /// A condition in SQL over the columns of `scores`: nobody of whom it holds is contacted.
    #[serde(default)]
    suppress: Option<String>,
    /// How the table at `contacts` is read.
    #[serde(default)]
    contacts: Option<Contacts>,
    /// How many recommendations of each customer stand beside the action.
    #[serde(default)]
    #[schemars(range(min = 1, max = 20))]
    items: Option<usize>,
}

/// Recommendations, where nobody says how many.
const ITEMS: usize = 3;
const SCORES: &str = "scores";
const RECOMMENDATIONS: &str = "recommendations";
const CONTACTS: &str = "contacts";
/// The columns after the entity, before the items.
const OUTPUTS: [&str; 8] = ["rule", "action", "channel", "offer", "priority", "cost", "control", "reason"];

impl StageConfig for Actions {
    const KIND: &'static str = "actions";
    const FAMILY: &'static str = "deliver";
}

impl Stage for Actions {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(SCORES), InputPort::optional(RECOMMENDATIONS), InputPort::optional(CONTACTS)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["actions"]
    }

    fn check(&self) -> Vec<Problem> {
        self.option_problems()
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let scores = inputs.one(SCORES)?;
        let mut problems = self.score_problems(scores, run_date);
        problems.extend(self.contact_problems(inputs));
        let item = match self.recommended(inputs, run_date) {
            Ok(item) => item,
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        match scores.column(&self.entity) {
            Some(entity) if problems.is_empty() => Ok(vec![self.schema(entity.clone(), self.told(scores), item)]),
            _ => Err(problems),
        }
    }

    fn lineage(&self, inputs: &InputSchemas, outputs: &[TableSchema]) -> Vec<Lineage> {
        outputs.iter().flat_map(|output| self.lineage_of(inputs, output)).collect()
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let contacted = inputs.many(CONTACTS).pop().map(|named| named.table);
        let recommended = inputs.many(RECOMMENDATIONS).pop().map(|named| named.table);
        let scores = of_run_date(inputs.one(SCORES)?, context.run_date)
            .filter(col(self.entity.as_str()).is_not_null())
            .sort([self.entity.as_str()], Default::default())
            .collect()?;
        let ids = scores.column(&self.entity)?.as_materialized_series().clone();
        if ids.n_unique()? < ids.len() {
            let message = format!("the table at `{SCORES}` has several rows of one `{}`", self.entity);
            return Err(Failure::data(message));
        }
        context.cancel.check()?;
        let people = self.people(&scores, &ids, contacted, context)?;
        let choices = choose::all(self, &people);
        let mut frame = self.frame(ids.clone(), &choices)?;
        if let Some(table) = recommended {
            for items in self.item_columns(table, &ids, context.run_date)? {
                frame.with_column(items.into_column())?;
            }
        }
        let evaluation = report::evaluation(self, &choices);
        Ok(Outputs { tables: vec![frame.lazy()], evaluation: Some(evaluation), ..Outputs::default() })
    }
}

impl Actions {
    fn items(&self) -> usize {
        self.items.unwrap_or(ITEMS)
    }

    /// `told` is the class of what actions tell of a customer.
    fn schema(&self, entity: Column, told: Class, item: Option<Column>) -> TableSchema {
        let of = |name: &str| match name {
            "rule" => (DataType::String, "the rule that applies; of the control group the one that would have"),
            "action" => (DataType::String, "what to do; null where nothing is to be done"),
            "channel" => (DataType::String, "by which channel"),
            "offer" => (DataType::String, "what is offered"),
            "priority" => (DataType::Int64, "priority of the rule, 1 comes first"),
            "cost" => (DataType::Float64, "what the action costs"),
            "control" => (DataType::Boolean, "whether the customer is left alone to measure what actions do"),
            _ => (DataType::String, "why, in words"),
        };
        let key = vec![entity.name.clone()];
        let fixed = OUTPUTS.into_iter().map(|name| {
            let (dtype, described) = of(name);
            let class = if name == "control" { Class::default() } else { told };
            Column::new(name, dtype).class(class).described(described)
        });
        let items = item.into_iter().flat_map(|item| {
            (1..=self.items()).map(move |place| Column {
                name: format!("item_{place}"),
                description: format!("recommendation {place}"),
                ..item.clone()
            })
        });
        TableSchema {
            columns: std::iter::once(entity).chain(fixed).chain(items).collect(),
            key,
            ..TableSchema::default()
        }
    }

    /// A row a customer.
    fn frame(&self, ids: Series, choices: &Choices) -> Result<DataFrame, Failure> {
        let all = || choices.of_customers.iter();
        let rule = |choice: &Choice| choice.rule.and_then(|place| self.rules.get(place));
        let acted = |choice: &Choice| rule(choice).filter(|_| choice.outcome == Outcome::Acted);
        let text = |of: &dyn Fn(&Choice) -> Option<String>| all().map(of).collect::<Vec<Option<String>>>();
        let costs: Vec<Option<f64>> = all().map(|choice| acted(choice).map(|rule| self.cost(rule))).collect();
        let priorities: Vec<Option<i64>> =
            all().map(|choice| choice.rule.and_then(|place| choices.priorities.get(place).copied())).collect();
        let controls: Vec<bool> = all().map(|choice| choice.is_control).collect();
        Ok(DataFrame::new_infer_height(vec![
            ids.with_name(self.entity.as_str().into()).into_column(),
            Series::new("rule".into(), text(&|choice| rule(choice).map(|rule| rule.name.clone()))).into_column(),
            Series::new("action".into(), text(&|choice| acted(choice).map(|rule| rule.action().to_owned())))
                .into_column(),
            Series::new("channel".into(), text(&|choice| acted(choice).and_then(|rule| rule.channel.clone())))
                .into_column(),
            Series::new("offer".into(), text(&|choice| acted(choice).and_then(|rule| rule.offer.clone())))
                .into_column(),
            Series::new("priority".into(), priorities).into_column(),
            Series::new("cost".into(), costs).into_column(),
            Series::new("control".into(), controls).into_column(),
            Series::new("reason".into(), text(&|choice| Some(self.reason(choice)))).into_column(),
        ])?)
    }

    /// Why a customer is given what is given.
    fn reason(&self, choice: &Choice) -> String {
        let rule = choice.rule.and_then(|place| self.rules.get(place));
        let name = rule.map_or("", |rule| rule.name.as_str());
        match choice.outcome {
            Outcome::Acted => format!("{name}: {}", rule.map_or("", |rule| rule.when.trim())),
            Outcome::HeldOut => format!("left alone to measure `{name}`, which would apply"),
            Outcome::Suppressed => format!("suppressed: {}", self.suppress.as_deref().unwrap_or_default().trim()),
            Outcome::Contacted => {
                let days = self.contacts.as_ref().map_or(0, |contacts| contacts.within.in_days());
                format!("contacted in the last {days} days")
            }
            Outcome::NoConsent(place) => {
                let passed = self.rules.get(place);
                let channel = passed.and_then(|rule| rule.channel.as_deref()).unwrap_or_default();
                format!("no consent to {channel}, which `{}` needs", passed.map_or("", |rule| rule.name.as_str()))
            }
            Outcome::Full(place) => {
                let passed = self.rules.get(place).map_or("", |rule| rule.name.as_str());
                format!("`{passed}` applies, but its places or the budget are used up")
            }
            Outcome::Nothing => "no rule applies".to_owned(),
        }
    }

    fn cost(&self, rule: &Rule) -> f64 {
        let of_channel = || rule.channel.as_ref().and_then(|channel| self.channels.get(channel)?.cost);
        rule.cost.or_else(of_channel).unwrap_or(0.0)
    }
}
