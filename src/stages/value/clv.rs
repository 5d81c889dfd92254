//! What customers are worth: how often they will buy, what a purchase is worth, and until when they stay.

mod cohorts;
mod fitted;
mod judge;
mod options;
mod past;
mod report;
mod serve;
#[cfg(test)]
mod tests;
mod truncation;

use chrono::NaiveDate;
use polars::prelude::{DataType, IntoLazy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::fitted::Learned;
use self::options::{Cohorts, Counts, FitOn, Period, PurchaseModel, SpendModel};
use self::past::{Counting, Customer};
use self::serve::Part;
use super::days::{Columns, Days, day_of};
use crate::config::Span;
use crate::metrics::evaluation::Evaluation;
use crate::metrics::profile::ColumnProfile;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::lineage::Reads;
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
use crate::stages::ports::{self, Serves};
use crate::stages::profile;
use crate::stages::protocol::Protocol;
use crate::table::{Column, TableSchema, type_name};

/// What customers are worth: the purchases that are expected of each in the `horizon`, what each of them is worth, and
/// both together, discounted, as customer lifetime value, with ranges.
///
/// A customer is known by how often they bought again (`frequency`), how long after their first purchase the last one
/// was (`recency_days`) and for how long they have been known (`tenure_days`, to the last day before the moment). All
/// that happens in one `period` is one purchase, if what was bought less what was returned is above zero. From these the
/// model of `purchases` learns how often customers buy and how they leave, by maximum likelihood; nobody says that they
/// leave, so each has a chance of being active (`alive`). What a purchase is worth is learned by the model of `spend`
/// from purchases after the first. What was returned in periods of its own is taken off everyone's value, as a share.
///
/// The first output, `customers`, has a row for everyone who has bought, at the split and at the run date. Ranges hold
/// 90 % of what the customer is likely to be like (not of what chance then makes of it). `cohorts` says what became of
/// customers by the quarter of their first purchase and what is expected of them, `retention` how many of them bought
/// again how many quarters later. Where nobody has bought more than once, nothing is expected of anyone: these columns
/// are null, and a warning says so.
///
/// Fitted before run date − `holdout`, it is judged by what followed, beside each customer's own past rate; then it is
/// fitted on all and serves.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clv {
    /// The column that names the customer, such as `customer_id`.
    entity: String,
    /// The event time.
    time: String,
    /// The column of amounts: what was bought, and below zero what was returned.
    amount: String,
    /// The model of how often customers buy.
    #[serde(default)]
    purchases: PurchaseModel,
    /// The model of what a purchase is worth.
    #[serde(default)]
    spend: SpendModel,
    /// How far ahead to look.
    #[serde(default = "default_horizon")]
    horizon: Span,
    /// By how much less a year later is worth, as an effective rate: with 0.1, 110 in a year are worth 100 now.
    #[serde(default = "default_discount_rate")]
    #[schemars(range(min = 0, max = 10))]
    discount_rate: f64,
    /// Which share of what is spent is earned.
    #[serde(default = "default_margin")]
    #[schemars(range(min = 0.000_001, max = 1))]
    margin: f64,
    /// All that a customer does in one of these is one purchase.
    #[serde(default)]
    period: Period,
    /// The unit of time of the parameters that the report shows. Changes nothing else.
    #[serde(default = "default_unit")]
    unit: Period,
    /// Which nets of a period are a purchase.
    #[serde(default)]
    counts: Counts,
    /// Gives cohorts of at least 100 customers, 50 of whom have bought again, parameters of their own: `{first: quarter}`
    /// by the first purchase, `{column: country}` by a column of the events. Without it all have the same.
    #[serde(default)]
    cohorts: Option<Cohorts>,
    /// Whose purchases the model is fitted on; without it everyone's. All are scored.
    #[serde(default)]
    fit_on: Option<FitOn>,
    /// How much of the newest past judges the model.
    #[serde(default = "default_holdout")]
    holdout: Span,
    /// Fit and apply, only fit, or apply the newest model of an earlier run date.
    #[serde(default)]
    mode: Mode,
}

fn default_unit() -> Period {
    Period::Week
}

fn default_horizon() -> Span {
    Span::days(365)
}

fn default_discount_rate() -> f64 {
    0.1
}

fn default_margin() -> f64 {
    1.0
}

fn default_holdout() -> Span {
    Span::days(90)
}

const PORT: &str = "events";
/// What does not change what is fitted.
const SERVING: &[&str] = &["horizon", "discount_rate", "margin", "holdout"];
/// What a row takes: as it is read, as it is sorted, and as a customer's.
const BYTES_A_ROW: u64 = 96;

impl StageConfig for Clv {
    const KIND: &'static str = "clv";
    const FAMILY: &'static str = "value";
}

impl Stage for Clv {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["customers", "cohorts", "retention"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(ports::taken(&self.entity, &serve::OUTPUTS).map(|problem| problem.at(["with", "entity"])));
        if let Some(FitOn { from: Some(from), before: Some(before), .. }) = self.fit_on
            && from >= before
        {
            let message = format!("nobody's first purchase is from {from} on and before {before}");
            problems.push(Problem::new(Code::BadValue, message).at(["with", "fit_on", "before"]));
        }
        if self.fit_on.is_some_and(|on| on.after_first.is_none() && on.from.is_none() && on.before.is_none()) {
            let message = "no limit is given, so nobody is left out";
            let help = "give `after_first`, `from` or `before`";
            problems.push(Problem::new(Code::BadValue, message).help(help).at(["with", "fit_on"]));
        }
        problems
    }

    fn protocol(&self) -> Protocol {
        Protocol::Holdout {
            port: PORT,
            time: self.time.clone(),
            days: if self.mode == Mode::Apply { 0 } else { self.holdout.in_days() },
            tonight: &[],
        }
    }

    fn applies_earlier_model(&self) -> bool {
        self.mode == Mode::Apply
    }

    fn reads(&self, _: &InputSchemas) -> Reads {
        let cohort = match &self.cohorts {
            Some(Cohorts::Column(column)) => Some(column.clone()),
            Some(Cohorts::First(_)) | None => None,
        };
        let columns = [self.time.clone(), self.amount.clone()].into_iter().chain(cohort);
        Reads::only(PORT, columns, Some(self.entity.clone()))
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let events = inputs.one(PORT)?;
        let mut problems = Vec::new();
        let mut read = |path: &[&'static str], name: &str, serves: Serves| {
            let place = || std::iter::once("with").chain(path.iter().copied());
            let found = ports::column(events, PORT, name, serves).map_err(|problem| problem.at(place()));
            found.map_err(|problem| problems.push(problem)).ok().cloned()
        };
        let entity = read(&["entity"], &self.entity, ports::ID);
        let amount = read(&["amount"], &self.amount, Serves { is: ports::is_number, needed: "an amount is a number" });
        if let Some(name) = self.group() {
            let is = |dtype: &DataType| dtype.is_integer() || matches!(dtype, DataType::String | DataType::Boolean);
            let needed = "cohorts are told apart by text, whole numbers or booleans";
            read(&["cohorts", "column"], name, Serves { is, needed });
        }
        let (Some(entity), Some(amount), true) = (entity, amount, problems.is_empty()) else { return Err(problems) };
        let customers = serve::schema(entity, amount.class, self.moments(run_date));
        Ok(vec![customers, cohorts::schema(amount.class), cohorts::retention_schema(amount.class)])
    }

    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        inputs.sized(PORT).map(|(rows, _)| rows.saturating_mul(BYTES_A_ROW))
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = match self.mode {
            Mode::Apply => Some(Model::to_apply(inputs.earlier.take(), self, SERVING)?),
            Mode::Fit | Mode::FitApply => None,
        };
        let known_until = inputs.watermark().map_or(context.run_date, |watermark| watermark.min(context.run_date));
        let table = inputs.one(PORT)?;
        let schema = table.schema.clone();
        let columns = Columns { entity: &self.entity, time: &self.time, amount: &self.amount, group: self.group() };
        let days = Days::read(table, &columns, context.run_date)?;
        context.cancel.check()?;
        Work { stage: self, events: &schema, days: &days, context, known_until }.run(earlier)
    }
}

/// All that a run works with.
struct Work<'a> {
    stage: &'a Clv,
    events: &'a TableSchema,
    days: &'a Days,
    context: &'a StageContext,
    /// What happened from here on is not known.
    known_until: NaiveDate,
}

impl Work<'_> {
    fn run(&self, earlier: Option<Model>) -> Result<Outputs, Failure> {
        let Work { stage, days, context, .. } = self;
        let (mut parts, mut evaluation) = (Vec::new(), None);
        if stage.mode != Mode::Apply {
            let (part, found) = self.judge()?;
            parts.extend(part);
            evaluation = Some(found);
            context.cancel.check()?;
        }
        let customers = past::customers(days, stage.counting(), day_of(context.run_date));
        let profile = self.profile(&customers);
        let (learned, version, model) = match earlier {
            Some(model) => (Some(model.main::<Learned>()?), Some(model.version()), None),
            None => {
                let learned = stage.learn(days, &customers, context)?;
                if learned.is_none() && !customers.is_empty() {
                    return Err(Failure::data(format!(
                        "none of the {} customers bought first within `fit_on`, so there is nobody to fit on",
                        customers.len()
                    )));
                }
                let model = learned.as_ref().map(|learned| self.model(learned, profile.clone())).transpose()?;
                (learned, model.as_ref().map(Model::version), model)
            }
        };
        context.cancel.check()?;
        let scores = stage.scores(learned.as_ref(), days, &customers);
        let end = day_of(context.run_date);
        let cohorts = cohorts::all(stage.cohorts.as_ref(), days, stage.counting(), end, (&customers, &scores));
        if let Some(evaluation) = &mut evaluation {
            let (learned, customers) = (learned.as_ref(), customers.as_slice());
            let served = report::Served { stage, days, end, learned, customers, scores: &scores, cohorts: &cohorts };
            served.tell(evaluation);
        }
        if stage.mode != Mode::Fit {
            parts.push(Part { moment: context.run_date, customers, scores, version });
        }
        let tables = vec![
            serve::frame(days, &parts, &stage.entity)?.lazy(),
            cohorts::frame(&cohorts)?.lazy(),
            cohorts::retention(&cohorts)?.lazy(),
        ];
        Ok(Outputs { tables, model, evaluation, profile, ..Outputs::default() })
    }

    /// Fits on what came before the split and judges by what came after it. Gives the customers at the split, where the
    /// output has them.
    fn judge(&self) -> Result<(Option<Part>, Evaluation), Failure> {
        let Work { stage, days, context, known_until, .. } = self;
        let split = stage.split(context.run_date);
        let customers = past::customers(days, stage.counting(), day_of(split));
        let learned = stage.learn(days, &customers, context)?;
        context.cancel.check()?;
        let deeds = past::deeds(days, &customers, stage.counting(), day_of(split), day_of(*known_until));
        let judged = judge::Judged { stage, days, split, until: *known_until, customers: &customers, deeds: &deeds };
        let evaluation = judge::evaluate(&judged, learned.as_ref(), context)?;
        if stage.mode == Mode::Fit {
            return Ok((None, evaluation));
        }
        let scores = stage.scores(learned.as_ref(), days, &customers);
        Ok((Some(Part { moment: split, customers, scores, version: None }), evaluation))
    }

    fn model(&self, learned: &Learned, profile: Vec<ColumnProfile>) -> Result<Model, Failure> {
        let field = |column: &Column| Field::new(&column.name, type_name(&column.dtype));
        let read = [&self.stage.entity, &self.stage.time, &self.stage.amount];
        let signature = Signature {
            kind: Clv::KIND.to_owned(),
            inputs: read.into_iter().filter_map(|name| self.events.column(name)).map(field).collect(),
            outputs: self.schema().columns.iter().map(field).collect(),
            profile,
            rows: learned.customers,
            parameters: parameters(self.stage)?,
        };
        Model::new(self.context.run_date, signature, learned)
    }

    /// The schema of the first output.
    fn schema(&self) -> TableSchema {
        let entity = Column::new(&self.stage.entity, self.days.customers.dtype().clone());
        let class = self.events.column(&self.stage.amount).map(|column| column.class).unwrap_or_default();
        serve::schema(entity, class, vec![])
    }

    /// How what the models learn from is distributed.
    fn profile(&self, customers: &[Customer]) -> Vec<ColumnProfile> {
        let schema = self.schema();
        let of = |name: &str, of: fn(&Customer) -> f64| {
            profile::of_values(&schema, name, customers.iter().map(of).collect())
        };
        vec![
            of("frequency", |customer| f64::from(customer.repeats)),
            of("recency_days", |customer| f64::from(customer.recency_days)),
            of("tenure_days", |customer| f64::from(customer.age_days)),
            of("mean_value", |customer| customer.mean_repeat().unwrap_or(f64::NAN)),
        ]
    }
}

impl Clv {
    fn counting(&self) -> Counting {
        Counting { period: self.period, counts: self.counts }
    }

    /// The moment that divides what is fitted from what judges.
    fn split(&self, run_date: NaiveDate) -> NaiveDate {
        run_date.checked_sub_days(chrono::Days::new(u64::from(self.holdout.in_days()))).unwrap_or(run_date)
    }

    /// The moments of the output, ascending.
    fn moments(&self, run_date: NaiveDate) -> Vec<NaiveDate> {
        let split = (self.mode == Mode::FitApply).then(|| self.split(run_date));
        split.into_iter().chain([run_date]).collect()
    }

    /// The column that divides customers into cohorts.
    fn group(&self) -> Option<&str> {
        match &self.cohorts {
            Some(Cohorts::Column(name)) => Some(name),
            _ => None,
        }
    }
}
