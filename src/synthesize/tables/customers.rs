//! `customers.parquet` and `consents.parquet`: who customers are, and what they agreed to.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};
use chrono::Datelike;
use parquet::errors::ParquetError;

use super::truth::BadRow;
use super::{customer_id, keyed, strings};
use crate::synthesize::defect::{self, Kind};
use crate::synthesize::history::History;
use crate::synthesize::people::{self, LANGUAGES, PURPOSES, People, STATUSES};
use crate::synthesize::sink::{Encoder, RowGroup, dictionary};
use crate::synthesize::world::{COUNTRIES, World};

/// Ids of consents whose customer is not in `customers` start here.
const UNKNOWN_CUSTOMER_FIRST: i64 = 9_000_000_000;

/// A status that is none.
const UNKNOWN_STATUS: &str = "yes";

/// The days from 0001-01-01 to 1970-01-01.
const EPOCH_DAYS_CE: i32 = 719_163;

pub fn customer_fields() -> Vec<Field> {
    vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, false),
        Field::new("email", DataType::Utf8, false),
        Field::new("birth_year", DataType::Int32, false),
        Field::new("country", dictionary(), false),
        Field::new("language", dictionary(), false),
        Field::new("signed_up_on", DataType::Date32, false),
    ]
}

pub fn consent_fields() -> Vec<Field> {
    vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("purpose", dictionary(), false),
        Field::new("status", dictionary(), false),
        Field::new("updated_on", DataType::Date32, false),
    ]
}

/// The strings that rows refer to by place.
#[derive(Debug)]
pub struct Names {
    people: People,
    countries: Arc<StringArray>,
    languages: Arc<StringArray>,
    purposes: Arc<StringArray>,
    statuses: Arc<StringArray>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            people: People::default(),
            countries: strings(COUNTRIES.iter().map(|(name, _)| *name)),
            languages: strings(LANGUAGES),
            purposes: strings(PURPOSES.iter().map(|(name, _)| *name)),
            statuses: strings(STATUSES.iter().copied().chain([UNKNOWN_STATUS])),
        }
    }
}

/// Days from 1970-01-01 to a day of the calendar.
pub fn date32(world: &World, day: usize) -> i32 {
    world.calendar.date(day).num_days_from_ce() - EPOCH_DAYS_CE
}

type Encoded = Result<(RowGroup, Vec<BadRow>), ParquetError>;

/// A row a customer, by id; who is there twice has another e-mail address the second time.
pub fn encode_customers(world: &World, names: &Names, encoder: &Encoder, history: &History) -> Encoded {
    let mut bad = Vec::new();
    let (mut ids, mut full_names, mut emails, mut years) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut countries, mut languages, mut dates) = (Vec::new(), Vec::new(), Vec::new());
    for (number, fate) in (history.first_customer..).zip(&history.fates) {
        let person = names.people.person(world, number);
        let has = |kind| defect::of_customer(world, kind, number);
        let twice = has(Kind::DuplicateCustomer);
        let malformed = !twice && has(Kind::MalformedEmail);
        for copy in 0..=usize::from(twice) {
            ids.push(customer_id(number));
            full_names.push(person.name.clone());
            emails.push(match (copy, malformed) {
                (0, false) => person.email.clone(),
                (0, true) => person.email.replace('@', " at "),
                _ => format!("new.{}", person.email),
            });
            years.push(person.birth_year);
            countries.push(fate.customer.country as i32);
            languages.push(person.language as i32);
            dates.push(date32(world, fate.customer.arrival as usize));
        }
        let kind = if twice { Some(Kind::DuplicateCustomer) } else { malformed.then_some(Kind::MalformedEmail) };
        bad.extend(kind.map(|kind| BadRow::of_customer(kind, ids.len() - 1, number)));
    }
    let columns: [ArrayRef; 7] = [
        Arc::new(Int64Array::from(ids)),
        strings(full_names),
        strings(emails),
        Arc::new(Int32Array::from(years)),
        keyed(countries, &names.countries)?,
        keyed(languages, &names.languages)?,
        Arc::new(Date32Array::from(dates)),
    ];
    Ok((encoder.encode(&columns)?, bad))
}

/// A row a customer and purpose, by id. The first of a customer's rows may be bad.
pub fn encode_consents(world: &World, names: &Names, encoder: &Encoder, history: &History) -> Encoded {
    let mut bad = Vec::new();
    let (mut ids, mut purposes, mut statuses, mut dates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (number, fate) in (history.first_customer..).zip(&history.fates) {
        let has = |kind| defect::of_customer(world, kind, number);
        let kind = [Kind::UnknownCustomer, Kind::UnknownStatus].into_iter().find(|kind| has(*kind));
        bad.extend(kind.map(|kind| BadRow::of_customer(kind, ids.len(), number)));
        for (purpose, consent) in people::consents(world, number, &fate.customer).into_iter().enumerate() {
            let kind = kind.filter(|_| purpose == 0);
            ids.push(match kind {
                Some(Kind::UnknownCustomer) => UNKNOWN_CUSTOMER_FIRST + i64::from(number),
                _ => customer_id(number),
            });
            purposes.push(purpose as i32);
            statuses.push(if kind == Some(Kind::UnknownStatus) { STATUSES.len() } else { consent.status } as i32);
            dates.push(date32(world, consent.updated_day));
        }
    }
    let columns: [ArrayRef; 4] = [
        Arc::new(Int64Array::from(ids)),
        keyed(purposes, &names.purposes)?,
        keyed(statuses, &names.statuses)?,
        Arc::new(Date32Array::from(dates)),
    ];
    Ok((encoder.encode(&columns)?, bad))
}
