//! What the tables must have, and what is read from them.

use chrono::{Days, NaiveDate};
use polars::prelude::{DataFrame, DataType, Expr, IdxCa, IntoLazy, NewChunkedArray, Series, TimeUnit, col, lit};
use sha2::{Digest, Sha256};

use super::choose::People;
use super::options::rule_path;
use super::{Actions, CONTACTS, OUTPUTS, RECOMMENDATIONS, SCORES};
use crate::problem::{Code, Problem, Step};
use crate::sql;
use crate::stages::contract::{Failure, InputSchemas, StageContext};
use crate::stages::ids::places;
use crate::stages::lineage::{self, Lineage, Origins, Reads, Use};
use crate::stages::ports::{self, Serves, of_run_date};
use crate::table::{AS_OF, Class, Column, Table, TableSchema, floats, midnight_us, type_name};

const RANK: &str = "rank";

impl Actions {
    /// What is wrong with the table of scores.
    pub fn score_problems(&self, scores: &TableSchema, run_date: NaiveDate) -> Vec<Problem> {
        let mut problems = Vec::new();
        let entity = ports::column(scores, SCORES, &self.entity, ports::ID).err();
        let entity = entity.or_else(|| ports::taken(&self.entity, &OUTPUTS));
        problems.extend(entity.map(|problem| problem.at(["with", "entity"])));
        problems.extend(ports::no_snapshot(scores, SCORES, run_date));
        for (place, rule) in self.rules.iter().enumerate() {
            problems.extend(condition(&rule.when, scores, &rule_path(place, "when")).err().into_iter().flatten());
            if let Some(name) = &rule.order_by {
                let is = |dtype: &DataType| dtype.is_numeric() || dtype.is_bool() || ports::is_time(dtype);
                let serves = Serves { is, needed: "customers are ordered by numbers, dates or truth" };
                let found = ports::column(scores, SCORES, name, serves).err();
                problems.extend(found.map(|problem| problem.at(rule_path(place, "order_by"))));
            }
        }
        if let Some(text) = &self.suppress {
            let path = [Step::from("with"), Step::from("suppress")];
            problems.extend(condition(text, scores, &path).err().into_iter().flatten());
        }
        for (name, channel) in &self.channels {
            if let Some(consent) = &channel.consent {
                let serves = Serves { is: DataType::is_bool, needed: "a consent is true or false" };
                let found = ports::column(scores, SCORES, consent, serves).err();
                problems.extend(found.map(|problem| problem.at(["with", "channels", name.as_str(), "consent"])));
            }
        }
        problems
    }

    /// The class of what actions tell of a customer: that of the strictest column that decides.
    pub fn told(&self, scores: &TableSchema) -> Class {
        let columns = self.deciding().into_iter();
        let classes = columns.filter_map(|name| scores.column(&name).map(|column| column.class));
        classes.max().unwrap_or_default()
    }

    /// The columns of scores that decide who gets what.
    fn deciding(&self) -> Vec<String> {
        let conditions = self.rules.iter().map(|rule| &rule.when).chain(&self.suppress);
        let in_conditions =
            conditions.filter_map(|text| sql::expression(text).ok()).flat_map(|tree| sql::told_by(&tree));
        let orders = self.rules.iter().filter_map(|rule| rule.order_by.clone());
        let consents = self.channels.values().filter_map(|channel| channel.consent.clone());
        in_conditions.chain(orders).chain(consents).collect()
    }

    /// What the table is made of: items are those recommended, and all else follows from who the customer is and what
    /// decides.
    pub fn lineage_of(&self, inputs: &InputSchemas, output: &TableSchema) -> Vec<Lineage> {
        let contacts = self.contacts.iter().map(|contacts| contacts.time.clone());
        let with_entity = |columns: Vec<String>| columns.into_iter().chain([self.entity.clone()]).collect();
        let columns = vec![
            (SCORES, with_entity(self.deciding())),
            (CONTACTS, with_entity(contacts.collect())),
            (RECOMMENDATIONS, with_entity(vec![])),
        ];
        let reads = Reads { columns, passed: Some(vec![(SCORES, self.entity.clone())]) };
        let mut all = lineage::of_reads(&reads, inputs, std::slice::from_ref(output));
        for (name, table) in inputs.many(RECOMMENDATIONS) {
            let item = table.columns.iter().find(|column| !table.key.contains(&column.name));
            let Some(item) = item.map(|column| Origins::one(name, &column.name, Use::Identity)) else { continue };
            for lineage in &mut all {
                let items = (1..=self.items()).map(|place| (format!("item_{place}"), item.clone()));
                lineage.fields.extend(items);
            }
        }
        all
    }

    /// What is wrong with the table of contacts.
    pub fn contact_problems(&self, inputs: &InputSchemas) -> Vec<Problem> {
        let table = inputs.many(CONTACTS).first().map(|(_, table)| table);
        let (Some(contacts), Some(table)) = (&self.contacts, table) else {
            return match (&self.contacts, table) {
                (Some(_), None) => {
                    let message = format!("there is no table at `{CONTACTS}`");
                    vec![Problem::new(Code::MissingInput, message).at(["with", "contacts"])]
                }
                (None, Some(_)) => {
                    let problem = Problem::new(Code::MissingKey, format!("the table at `{CONTACTS}` has no use"));
                    let help = "say how it is read: `contacts: {time: contacted_at, within: 14d}`";
                    vec![problem.help(help).at(["inputs", CONTACTS])]
                }
                _ => vec![],
            };
        };
        let time = Serves { is: ports::is_time, needed: "a time is a date or a datetime" };
        let time = ports::column(table, CONTACTS, &contacts.time, time).err();
        let entity = ports::column(table, CONTACTS, &self.entity, ports::ID).err();
        let time = time.map(|problem| problem.at(["with", "contacts", "time"]));
        time.into_iter().chain(entity.map(|problem| problem.at(["with", "entity"]))).collect()
    }

    /// The column of items of the table of recommendations, where there is one.
    pub fn recommended(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Option<Column>, Vec<Problem>> {
        let Some((_, table)) = inputs.many(RECOMMENDATIONS).first() else {
            return match self.items {
                Some(_) => {
                    let message = format!("there is no table at `{RECOMMENDATIONS}`");
                    Err(vec![Problem::new(Code::MissingInput, message).at(["with", "items"])])
                }
                None => Ok(None),
            };
        };
        let at = |problem: Problem| problem.at(["inputs", RECOMMENDATIONS]);
        let keyed = table.key.iter().map(String::as_str).filter(|name| *name != AS_OF).collect::<Vec<_>>();
        if keyed != [self.entity.as_str(), RANK] {
            let message = format!("the table at `{RECOMMENDATIONS}` is not keyed by `{}` and `{RANK}`", self.entity);
            return Err(vec![at(Problem::new(Code::BadValue, message).help("feed it the output of a recommender"))]);
        }
        if let Some(problem) = ports::no_snapshot(table, RECOMMENDATIONS, run_date) {
            return Err(vec![problem]);
        }
        match table.columns.iter().find(|column| !table.key.contains(&column.name)) {
            Some(item) => Ok(Some(item.clone())),
            None => Err(vec![at(Problem::new(
                Code::UnknownColumn,
                format!("the table at `{RECOMMENDATIONS}` has no items"),
            ))]),
        }
    }

    /// What is known of everyone that decides.
    pub fn people(
        &self,
        scores: &DataFrame,
        ids: &Series,
        contacted: Option<Table>,
        context: &StageContext,
    ) -> Result<People, Failure> {
        let schema = columns_of(scores);
        let holds = |text: &str| -> Result<Vec<bool>, Failure> {
            let found = condition(text, &schema, &[]).map_err(|problems| {
                Failure::bug(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
            })?;
            let frame = scores.clone().lazy().select([found.alias("holds")]).collect()?;
            let values = frame.column("holds")?.bool()?.clone();
            // A condition without a column has one value for all.
            if values.len() == 1 && scores.height() != 1 {
                return Ok(vec![values.get(0) == Some(true); scores.height()]);
            }
            Ok(values.iter().map(|value| value == Some(true)).collect())
        };
        let matches = self.rules.iter().map(|rule| holds(&rule.when)).collect::<Result<Vec<_>, _>>()?;
        let suppressed = self.suppress.as_deref().map(holds).transpose()?;
        let contacted = contacted.map(|table| self.contacted(table, ids, context.run_date)).transpose()?;
        let consent = |column: &String| -> Result<Vec<bool>, Failure> {
            Ok(scores.column(column)?.bool()?.iter().map(|value| value == Some(true)).collect())
        };
        let of_rule = |rule: &super::Rule| {
            let channel = rule.channel.as_ref().and_then(|channel| self.channels.get(channel));
            channel.and_then(|channel| channel.consent.as_ref()).map(consent).transpose()
        };
        let consents = self.rules.iter().map(of_rule).collect::<Result<Vec<_>, _>>()?;
        let order = |rule: &super::Rule| rule.order_by.as_ref().map(|name| Ok(floats(scores, name)?)).transpose();
        let orders = self.rules.iter().map(order).collect::<Result<Vec<Option<Vec<f64>>>, Failure>>()?;
        let (chance, control) = draws(ids, context.seed)?;
        Ok(People {
            count: ids.len(),
            matches,
            suppressed,
            contacted,
            consents,
            orders,
            chance,
            control: control.into_iter().map(|draw| draw < self.control_share).collect(),
        })
    }

    /// Who was contacted so short a time ago.
    fn contacted(&self, table: Table, ids: &Series, run_date: NaiveDate) -> Result<Vec<bool>, Failure> {
        let mut contacted = vec![false; ids.len()];
        let Some(contacts) = &self.contacts else { return Ok(contacted) };
        let from = run_date.checked_sub_days(Days::new(u64::from(contacts.within.in_days()))).unwrap_or(run_date);
        let time = col(contacts.time.as_str()).cast(DataType::Datetime(TimeUnit::Microseconds, None)).to_physical();
        let within = time.clone().gt_eq(lit(midnight_us(from))).and(time.lt(lit(midnight_us(run_date))));
        let frame = table.frame.filter(within).select([col(self.entity.as_str())]).unique(None, Default::default());
        let frame = frame.collect()?;
        for place in places(frame.column(&self.entity)?.as_materialized_series(), ids)?.into_iter().flatten() {
            if let Some(slot) = contacted.get_mut(place as usize) {
                *slot = true;
            }
        }
        Ok(contacted)
    }

    /// The first items of each customer, a column a rank.
    pub fn item_columns(&self, table: Table, ids: &Series, run_date: NaiveDate) -> Result<Vec<Series>, Failure> {
        let item = table.schema.columns.iter().find(|column| !table.schema.key.contains(&column.name));
        let item = item.map(|column| column.name.clone()).unwrap_or_default();
        let most = self.items();
        let frame = of_run_date(table, run_date)
            .filter(col(RANK).lt_eq(lit(most as i64)))
            .select([col(self.entity.as_str()), col(RANK).cast(DataType::Int64), col(item.as_str()).alias("item")])
            .collect()?;
        let of = places(frame.column(&self.entity)?.as_materialized_series(), ids)?;
        let ranks = frame.column(RANK)?.i64()?.clone();
        let mut rows: Vec<Vec<Option<u32>>> = vec![vec![None; ids.len()]; most];
        for (row, (place, rank)) in (0_u32..).zip(of.into_iter().zip(ranks.iter())) {
            let rank = rank.and_then(|rank| usize::try_from(rank - 1).ok());
            let slot = rank
                .and_then(|rank| rows.get_mut(rank))
                .zip(place)
                .and_then(|(own, place)| own.get_mut(place as usize));
            if let Some(slot) = slot {
                *slot = Some(row);
            }
        }
        let items = frame.column("item")?.as_materialized_series();
        let named = |(place, rows): (usize, Vec<Option<u32>>)| -> Result<Series, Failure> {
            let rows = IdxCa::from_iter_options("".into(), rows.into_iter());
            Ok(items.take(&rows)?.with_name(format!("item_{}", place + 1).into()))
        };
        rows.into_iter().enumerate().map(named).collect()
    }
}

/// A condition over the columns of scores.
fn condition(text: &str, scores: &TableSchema, path: &[Step]) -> Result<Expr, Vec<Problem>> {
    let at = |problem: Problem| problem.at(path.to_vec());
    match sql::planned(text, &scores.to_polars()) {
        Ok((expr, DataType::Boolean)) => Ok(expr),
        Ok((_, other)) => {
            let message = format!("expected a condition, found {}", type_name(&other));
            Err(vec![at(Problem::new(Code::SqlInvalid, message).within(1, 1))])
        }
        Err(problems) => Err(problems.into_iter().map(at).collect()),
    }
}

/// The columns of a frame, as a schema.
fn columns_of(frame: &DataFrame) -> TableSchema {
    let columns = frame.columns().iter().map(|column| Column::new(column.name().as_str(), column.dtype().clone()));
    TableSchema { columns: columns.collect(), ..TableSchema::default() }
}

/// Two numbers of each customer, from 0 to 1, of the id and the seed alone: what decides where nothing else does, and
/// whether the customer is left alone.
fn draws(ids: &Series, seed: u64) -> Result<(Vec<u64>, Vec<f64>), Failure> {
    let texts = ids.cast(&DataType::String)?;
    let of = |id: Option<&str>| {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(id.unwrap_or_default().as_bytes());
        let digest = hash.finalize();
        let number =
            |from: usize| digest.iter().skip(from).take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        // 53 bits are what a float holds.
        (number(0), (number(8) >> 11) as f64 / (1_u64 << 53) as f64)
    };
    Ok(texts.str()?.iter().map(of).unzip())
}
