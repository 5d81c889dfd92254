//! What is told of each row that is scored.

use ndarray::{Array2, ArrayView2};
use polars::prelude::{DataFrame, DataType, IntoColumn, NamedFrom, Series};

use super::learner::{Predictor, Trained};
use super::reasons::{self, REASONS};
use super::task::Task;
use crate::stages::contract::{Failure, StageContext};
use crate::table::{AS_OF, Class, Column, TableSchema};

pub const PREDICTION: &str = "prediction";
pub const PROBABILITY: &str = "probability";
pub const SCORE: &str = "score";
pub const PERCENTILE: &str = "percentile";
pub const DECISION: &str = "decision";
pub const CLASS: &str = "class";
pub const VERSION: &str = "model_version";

/// Names that the entity cannot have.
pub const NAMES: [&str; 10] =
    [PREDICTION, PROBABILITY, SCORE, PERCENTILE, DECISION, CLASS, VERSION, "reason_1", "reason_2", "reason_3"];

fn reason(place: usize) -> String {
    format!("reason_{}", place + 1)
}

/// What a column holds.
fn described(name: &str, task: Task) -> &'static str {
    match (name, task) {
        (PREDICTION, Task::Number) => "what is expected",
        (PREDICTION, _) => "the class that is most likely",
        (PROBABILITY, Task::Binary) => "probability that it is true, 0 to 1",
        (PROBABILITY, _) => "probability of the class that is most likely, 0 to 1",
        (SCORE, _) => "the higher the likelier; no probability",
        (PERCENTILE, _) => "share of the rows that have less, 0 to 1",
        (DECISION, _) => "whether it is taken to be true, by the threshold",
        (VERSION, _) => "version of the model that says so",
        _ => "what moved it most, in words",
    }
}

/// Says of what the answers are.
pub fn name_target(schema: &mut TableSchema, target: &str) {
    let is_answer = |name: &str| [PREDICTION, PROBABILITY, SCORE, PERCENTILE, DECISION].contains(&name);
    for column in schema.columns.iter_mut().filter(|column| is_answer(&column.name)) {
        column.description = format!("{target}: {}", column.description);
    }
}

/// The schemas of the tables: predictions and, of a kind that tells classes apart, the probabilities of all classes.
pub fn schemas(
    entity: &Column,
    task: Task,
    is_probability: bool,
    class: Class,
    snapshots: &[chrono::NaiveDate],
    with_classes: bool,
) -> Vec<TableSchema> {
    let new = |name: &str, dtype: DataType| Column::new(name, dtype).class(class).described(described(name, task));
    let mut first = vec![entity.clone()];
    let mut key = vec![entity.name.clone()];
    if !snapshots.is_empty() {
        first.push(Column::new(AS_OF, DataType::Date).described("the moment that it is said of"));
        key.push(AS_OF.to_owned());
    }
    let score = if is_probability { PROBABILITY } else { SCORE };
    let mut columns = first.clone();
    columns.extend(match task {
        Task::Number => vec![new(PREDICTION, DataType::Float64)],
        Task::Binary => vec![new(score, DataType::Float64)],
        Task::Classes => vec![new(PREDICTION, DataType::String), new(score, DataType::Float64)],
    });
    if task != Task::Classes {
        columns.push(new(PERCENTILE, DataType::Float64));
    }
    if task == Task::Binary {
        columns.push(new(DECISION, DataType::Boolean));
    }
    columns.extend((0..REASONS).map(|place| new(&reason(place), DataType::String)));
    columns.push(new(VERSION, DataType::String).class(Class::default()));
    let snapshots = snapshots.to_vec();
    let predictions = TableSchema { columns, key: key.clone(), snapshots: snapshots.clone(), ..TableSchema::default() };
    if !with_classes {
        return vec![predictions];
    }
    let mut columns = first;
    columns.extend([
        Column::new(CLASS, DataType::String).class(class),
        Column::new(score, DataType::Float64).class(class),
        Column::new(VERSION, DataType::String),
    ]);
    key.push(CLASS.to_owned());
    vec![predictions, TableSchema { columns, key, snapshots, ..TableSchema::default() }]
}

/// Tells of rows what a model says of them.
pub struct Teller<P: Predictor> {
    pub trained: Trained<P::Learned>,
    version: String,
    /// What scores are called.
    score: &'static str,
}

impl<P: Predictor> Teller<P> {
    pub fn new(trained: Trained<P::Learned>, version: &str, is_probability: bool) -> Self {
        let score = if is_probability { PROBABILITY } else { SCORE };
        Teller { trained, version: version.to_owned(), score }
    }

    /// The columns that say what rows are of.
    fn key(&self, rows: &DataFrame) -> Result<Vec<polars::prelude::Column>, Failure> {
        let subject = &self.trained.subject;
        let mut key = vec![rows.column(&subject.entity)?.clone()];
        // Other tables may have a column of that name.
        if subject.horizon_days.is_some() {
            key.push(rows.column(AS_OF)?.cast(&DataType::Date)?);
        }
        Ok(key)
    }

    /// What is expected of each row and why; `ranked` are the scores of all rows, ascending.
    pub fn predictions(
        &self,
        rows: &DataFrame,
        x: ArrayView2<'_, f64>,
        expected: &Array2<f64>,
        ranked: &[f64],
        context: &StageContext,
    ) -> Result<DataFrame, Failure> {
        let subject = &self.trained.subject;
        let reasons = reasons::of_rows::<P>(&self.trained, x, expected, context)?;
        let own = expected.column(0).to_vec();
        let mut columns = self.key(rows)?;
        let numbers = |name: &str, values: Vec<f64>| Series::new(name.into(), values).into_column();
        match subject.task {
            Task::Number => columns.push(numbers(PREDICTION, own.clone())),
            Task::Binary => columns.push(numbers(self.score, own.clone())),
            Task::Classes => {
                let best: Vec<usize> =
                    expected.rows().into_iter().map(|row| reasons::best(row.iter().copied())).collect();
                let names: Vec<&str> =
                    best.iter().map(|class| subject.classes.get(*class).map_or("", String::as_str)).collect();
                let own = best.iter().zip(expected.rows());
                let of: Vec<f64> = own.map(|(class, row)| row.get(*class).copied().unwrap_or(0.0)).collect();
                columns.extend([Series::new(PREDICTION.into(), names).into_column(), numbers(self.score, of)]);
            }
        }
        if subject.task != Task::Classes {
            columns.push(numbers(PERCENTILE, own.iter().map(|score| percentile(ranked, *score)).collect()));
        }
        if subject.task == Task::Binary {
            let threshold = self.trained.threshold.unwrap_or(0.5);
            let decided: Vec<bool> = own.iter().map(|score| *score >= threshold).collect();
            columns.push(Series::new(DECISION.into(), decided).into_column());
        }
        for place in 0..REASONS {
            let values: Vec<Option<&str>> =
                reasons.iter().map(|row| row.get(place).and_then(|reason| reason.as_deref())).collect();
            columns.push(Series::new(reason(place).into(), values).into_column());
        }
        columns.push(repeated(VERSION, &self.version, rows.height()));
        Ok(DataFrame::new(rows.height(), columns)?)
    }

    /// One row an entity and class.
    pub fn probabilities(&self, rows: &DataFrame, expected: &Array2<f64>) -> Result<DataFrame, Failure> {
        let Trained { subject, .. } = &self.trained;
        let binary = ["false".to_owned(), "true".to_owned()];
        let names: &[String] = if subject.task == Task::Binary { &binary } else { &subject.classes };
        let height = expected.nrows();
        let places: Vec<u32> = (0..height as u32).flat_map(|row| std::iter::repeat_n(row, names.len())).collect();
        let index = Series::new("".into(), places).cast(&DataType::UInt32)?;
        let mut columns = Vec::new();
        for key in self.key(rows)? {
            columns.push(key.take(&index.idx()?.clone())?);
        }
        let classes: Vec<&str> = (0..height).flat_map(|_| names.iter().map(String::as_str)).collect();
        let of = |row: usize, class: usize| match subject.task {
            Task::Binary => {
                let own = expected.get((row, 0)).copied().unwrap_or(0.0);
                match (class, self.score == PROBABILITY) {
                    (1, _) => own,
                    (_, true) => 1.0 - own,
                    (_, false) => -own,
                }
            }
            _ => expected.get((row, class)).copied().unwrap_or(0.0),
        };
        let values: Vec<f64> = (0..height)
            .flat_map(|row| (0..names.len()).map(move |class| (row, class)))
            .map(|(row, class)| of(row, class))
            .collect();
        columns.extend([
            Series::new(CLASS.into(), classes).into_column(),
            Series::new(self.score.into(), values).into_column(),
            repeated(VERSION, &self.version, height * names.len()),
        ]);
        Ok(DataFrame::new(height * names.len(), columns)?)
    }
}

/// The share of the values below one, and half of those equal to it, times 100. `ranked` is ascending.
fn percentile(ranked: &[f64], value: f64) -> f64 {
    let below = ranked.partition_point(|other| other.total_cmp(&value).is_lt());
    let up_to = ranked.partition_point(|other| other.total_cmp(&value).is_le());
    100.0 * (below as f64 + (up_to - below) as f64 / 2.0) / ranked.len().max(1) as f64
}

/// A column that says the same in every row.
fn repeated(name: &str, text: &str, rows: usize) -> polars::prelude::Column {
    Series::new(name.into(), vec![text; rows]).into_column()
}
