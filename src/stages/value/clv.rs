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
use self::options::{Cohorts, Counts, FitOn, Period, PurchaseModel, SpendModel, Unit};
use self::past::{Counting, Customer};
use self::serve::Part;
use super::days::{Columns, Days, day_of};
use crate::config::Span;
use crate::metrics::evaluation::Evaluation;
use crate::metrics::profile::ColumnProfile;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
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
    #[serde(default)]
    unit: Unit,
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
        if serve::OUTPUTS.contains(&self.entity.as_str()) {
            let message = format!("`{}` is also the name of a column of the output", self.entity);
            problems.push(Problem::new(Code::DuplicateId, message).at(["with", "entity"]));
        }
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

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let events = inputs.one(PORT)?;
        let mut problems = Vec::new();
        let is_number = |dtype: &DataType| dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..));
        let is_name = |dtype: &DataType| dtype.is_integer() || matches!(dtype, DataType::String | DataType::Boolean);
        let is_id = |dtype: &DataType| dtype.is_integer() || *dtype == DataType::String;
        let entity = self.column(events, &["entity"], &self.entity, is_id, "an id is a whole number or text");
        let amount = self.column(events, &["amount"], &self.amount, is_number, "an amount is a number");
        let group = match &self.cohorts {
            Some(Cohorts::Column(name)) => {
                let needed = "cohorts are told apart by text, whole numbers or booleans";
                self.column(events, &["cohorts", "column"], name, is_name, needed).err()
            }
            _ => None,
        };
        problems.extend(amount.err());
        problems.extend(group);
        let entity = match entity {
            Ok(entity) if problems.is_empty() => entity,
            Ok(_) => return Err(problems),
            Err(problem) => return Err(std::iter::once(problem).chain(problems).collect()),
        };
        let customers = serve::schema(entity, self.moments(run_date));
        Ok(vec![customers, cohorts::schema(), cohorts::retention_schema()])
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
        let signature = self.fields(&table.schema);
        let group = match &self.cohorts {
            Some(Cohorts::Column(name)) => Some(name.as_str()),
            _ => None,
        };
        let columns = Columns { entity: &self.entity, time: &self.time, amount: &self.amount, group };
        let days = Days::read(table, &columns, context.run_date)?;
        context.cancel.check()?;
        Work { stage: self, days: &days, context, known_until }.run(earlier, signature)
    }
}

/// All that a run works with.
struct Work<'a> {
    stage: &'a Clv,
    days: &'a Days,
    context: &'a StageContext,
    /// What happened from here on is not known.
    known_until: NaiveDate,
}

impl Work<'_> {
    fn run(&self, earlier: Option<Model>, inputs: Vec<Field>) -> Result<Outputs, Failure> {
        let Work { stage, days, context, .. } = self;
        let (mut parts, mut evaluation) = (Vec::new(), None);
        if stage.mode != Mode::Apply {
            let (part, found) = self.judge()?;
            parts.extend(part.filter(|_| stage.mode == Mode::FitApply));
            evaluation = Some(found);
            context.cancel.check()?;
        }
        let customers = past::customers(days, stage.counting(), day_of(context.run_date));
        let profile = profile(&customers);
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
                let model = learned.as_ref().map(|learned| self.model(learned, inputs, profile.clone())).transpose()?;
                (learned, model.as_ref().map(Model::version), model)
            }
        };
        context.cancel.check()?;
        let scores = match &learned {
            Some(learned) => stage.scores(learned, days, &customers),
            None => vec![None; customers.len()],
        };
        let end = day_of(context.run_date);
        let cohorts = cohorts::all(stage.cohorts.as_ref(), days, stage.counting(), end, (&customers, &scores));
        if let Some(evaluation) = &mut evaluation {
            report::add(evaluation, stage, days, learned.as_ref(), (&customers, &scores), &cohorts);
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

    /// Fits on what came before the split and judges by what came after it.
    fn judge(&self) -> Result<(Option<Part>, Evaluation), Failure> {
        let Work { stage, days, context, known_until } = self;
        let split = stage.split(context.run_date);
        let customers = past::customers(days, stage.counting(), day_of(split));
        let learned = stage.learn(days, &customers, context)?;
        context.cancel.check()?;
        let deeds = past::deeds(days, &customers, stage.counting(), day_of(split), day_of(*known_until));
        let judged = judge::Judged { stage, days, split, until: *known_until, customers: &customers, deeds: &deeds };
        let evaluation = judge::evaluate(&judged, learned.as_ref(), context)?;
        let scores = match &learned {
            Some(learned) => stage.scores(learned, days, &customers),
            None => vec![None; customers.len()],
        };
        Ok((Some(Part { moment: split, customers, scores, version: None }), evaluation))
    }

    fn model(&self, learned: &Learned, inputs: Vec<Field>, profile: Vec<ColumnProfile>) -> Result<Model, Failure> {
        let schema = serve::schema(Column::new(&self.stage.entity, self.days.customers.dtype().clone()), vec![]);
        let fields = schema.columns.iter().map(|column| Field::new(&column.name, type_name(&column.dtype)));
        let signature = Signature {
            kind: Clv::KIND.to_owned(),
            inputs,
            outputs: fields.collect(),
            profile,
            rows: learned.customers,
            parameters: parameters(self.stage)?,
        };
        Model::new(self.context.run_date, signature, learned)
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

    /// A column of the events, which must be of a type that serves.
    fn column(
        &self,
        events: &TableSchema,
        option: &[&'static str],
        name: &str,
        serves: impl Fn(&DataType) -> bool,
        needed: &str,
    ) -> Result<Column, Problem> {
        let place = || std::iter::once("with").chain(option.iter().copied());
        let Some(column) = events.column(name) else {
            let message = format!("the table at `{PORT}` has no column `{name}`");
            return Err(Problem::new(Code::UnknownColumn, message).nearest(name, events.names()).at(place()));
        };
        if serves(&column.dtype) {
            return Ok(column.clone());
        }
        let message = format!("`{name}` is {}; {needed}", type_name(&column.dtype));
        Err(Problem::new(Code::WrongColumnType, message).at(place()))
    }

    /// The columns that are read, with their types.
    fn fields(&self, events: &TableSchema) -> Vec<Field> {
        let names = [&self.entity, &self.time, &self.amount];
        let typed =
            |name: &&String| events.column(name).map(|column| Field::new(name.as_str(), type_name(&column.dtype)));
        names.iter().filter_map(typed).collect()
    }
}

/// How what the models learn from is distributed.
fn profile(customers: &[Customer]) -> Vec<ColumnProfile> {
    let of = |name: &str, of: fn(&Customer) -> f64| {
        let step = customers.len().div_ceil(crate::stages::profile::ROWS_MAX).max(1);
        ColumnProfile::of_numbers(name, customers.iter().step_by(step).map(of).collect())
    };
    vec![
        of("frequency", |customer| f64::from(customer.repeats)),
        of("recency_days", |customer| f64::from(customer.recency_days)),
        of("tenure_days", |customer| f64::from(customer.age_days)),
        of("mean_value", |customer| customer.mean_repeat().unwrap_or(f64::NAN)),
    ]
}
