//! Items as vectors, out of the columns of a table.

use std::collections::BTreeMap;

use ndarray::Array2;
use polars::prelude::{DataFrame, DataType};

use super::super::beside::{self, AsOf};
use super::super::recommender::Scene;
use super::Content;
use crate::algorithms::content::{Block, Content as Says, Items};
use crate::algorithms::sparse::{Csr, Duplicates};
use crate::algorithms::text::{TextError, Vocabulary};
use crate::problem::{Code, Problem, Step};
use crate::stages::contract::Failure;
use crate::table::{TableSchema, floats, type_name};

/// Steps between the least and the greatest number, each with as many items, at most; and how many items make one.
const STEPS: usize = 32;
const ITEMS_A_STEP: usize = 8;

/// What items are like.
pub struct Described {
    pub items: Items,
    pub vocabulary: Option<Vocabulary>,
}

impl Content {
    /// Columns that are not there, or of a type that says nothing.
    pub(super) fn column_problems(&self, schema: &TableSchema) -> Vec<Problem> {
        type Fits = fn(&DataType) -> bool;
        let is_text: Fits = |dtype| *dtype == DataType::String;
        let is_category: Fits = |dtype| match dtype {
            DataType::List(inner) => **inner == DataType::String || inner.is_integer(),
            other => *other == DataType::String || *other == DataType::Boolean || other.is_integer(),
        };
        let is_number: Fits = |dtype| dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..));
        let is_vector: Fits = |dtype| matches!(dtype, DataType::List(inner) if inner.is_primitive_numeric());
        let all = [
            ("text", &self.text, is_text, "text"),
            ("category", &self.category, is_category, "text, a whole number, true or false, or a list of these"),
            ("number", &self.number, is_number, "a number"),
            ("vector", &self.vector, is_vector, "a list of numbers"),
        ];
        let mut problems = Vec::new();
        for (option, columns, fits, expected) in all {
            for (index, name) in columns.iter().enumerate() {
                let place = [Step::from("with"), Step::from(option), Step::from(index)];
                let problem = match schema.column(name) {
                    None => {
                        let message = format!("the table at `{}` has no column `{name}`", beside::ITEMS);
                        Problem::new(Code::UnknownColumn, message).nearest(name, schema.names())
                    }
                    Some(column) if !fits(&column.dtype) => {
                        let message = format!("`{name}` is {}; `{option}` takes {expected}", type_name(&column.dtype));
                        Problem::new(Code::WrongColumnType, message)
                    }
                    Some(_) => continue,
                };
                problems.push(problem.at(place));
            }
        }
        problems
    }

    /// Learns the terms of the texts as of a moment; `None` where nothing is read, or no term is within the limits of
    /// frequency, as with the only item of a shop. Items without a text, who may come later, do not count.
    pub(super) fn learn(&self, scene: &Scene<'_>) -> Result<Option<Vocabulary>, Failure> {
        if self.text.is_empty() || self.weights.text <= 0.0 {
            return Ok(None);
        }
        let (frame, places) = self.rows(scene)?;
        let read = self.texts(frame, &places, scene.interactions.items.len())?;
        let told = read.iter().filter(|text| text.is_some()).map(Option::as_deref);
        match Vocabulary::fit(told, &self.terms.to_kernel()) {
            Ok(vocabulary) => Ok(Some(vocabulary)),
            Err(TextError::NoTerms { .. }) => Ok(None),
            Err(error) => Err(Failure::data(format!("failed to {error}"))),
        }
    }

    /// The table of the items, and which item each row is of.
    fn rows<'a>(&self, scene: &'a Scene<'_>) -> Result<(&'a DataFrame, Vec<Option<u32>>), Failure> {
        let frame = scene.as_of.items.as_ref();
        let frame = frame.ok_or_else(|| Failure::bug(format!("the input `{}` was not handed over", beside::ITEMS)))?;
        Ok((frame, AsOf::rows_of(frame, &self.item, &scene.interactions.items)?))
    }

    /// Describes the items as of a moment.
    pub(super) fn describe(&self, scene: &Scene<'_>, vocabulary: Option<Vocabulary>) -> Result<Described, Failure> {
        let (frame, places) = self.rows(scene)?;
        let items = scene.interactions.items.len();
        let of_texts = |vocabulary: &Vocabulary| -> Result<Csr, Failure> {
            let read = self.texts(frame, &places, items)?;
            let rows = vocabulary.transform(read.iter().map(Option::as_deref));
            rows.map_err(|error| Failure::data(format!("failed to {error}")))
        };
        let texts = vocabulary.as_ref().map(of_texts).transpose()?;
        let categories = (!self.category.is_empty()).then(|| self.categories(frame, &places, items)).transpose()?;
        let numbers = (!self.number.is_empty()).then(|| self.numbers(frame, &places, items)).transpose()?;
        let vectors: Vec<Array2<f32>> =
            self.vector.iter().map(|name| vectors(frame, name, &places, items)).collect::<Result<_, _>>()?;
        let mut blocks: Vec<Block<'_>> = Vec::new();
        blocks.extend(texts.as_ref().map(|rows| Block { weight: self.weights.text, content: Says::Sparse(rows) }));
        blocks.extend(
            categories.as_ref().map(|rows| Block { weight: self.weights.category, content: Says::Sparse(rows) }),
        );
        blocks.extend(numbers.as_ref().map(|values| Block {
            weight: self.weights.number,
            content: Says::Numbers { values, steps: (frame.height() / ITEMS_A_STEP).clamp(1, STEPS) },
        }));
        let each = self.weights.vector / vectors.len().max(1) as f64;
        blocks.extend(vectors.iter().map(|values| Block { weight: each, content: Says::Vectors(values) }));
        let empty = Csr::empty(items, 1);
        if blocks.is_empty() {
            blocks.push(Block { weight: 1.0, content: Says::Sparse(&empty) });
        }
        let items = Items::new(&blocks).map_err(|error| Failure::data(format!("failed to {error}")))?;
        Ok(Described { items, vocabulary })
    }

    /// The texts of each item, one after the other.
    fn texts(&self, frame: &DataFrame, places: &[Option<u32>], items: usize) -> Result<Vec<Option<String>>, Failure> {
        let mut texts: Vec<Option<String>> = vec![None; items];
        for name in &self.text {
            for (place, value) in places.iter().zip(frame.column(name)?.str()?.iter()) {
                let (Some(place), Some(value)) = (place, value) else { continue };
                if let Some(slot) = texts.get_mut(*place as usize) {
                    let text = slot.get_or_insert_with(String::new);
                    if !text.is_empty() {
                        // No term reaches from one column into the next.
                        text.push('\n');
                    }
                    text.push_str(value);
                }
            }
        }
        Ok(texts)
    }

    /// Items × levels of all columns, 1 where an item has a level.
    fn categories(&self, frame: &DataFrame, places: &[Option<u32>], items: usize) -> Result<Csr, Failure> {
        let mut levels: BTreeMap<(usize, String), u32> = BTreeMap::new();
        let mut found: Vec<(u32, usize, String)> = Vec::new();
        for (index, name) in self.category.iter().enumerate() {
            let column = frame.column(name)?;
            if !matches!(column.dtype(), DataType::List(_)) {
                let levels = column.cast(&DataType::String)?;
                let told = places.iter().zip(levels.str()?.iter());
                found.extend(told.filter_map(|(place, level)| Some(((*place)?, index, level?.to_owned()))));
                continue;
            }
            for (place, list) in places.iter().zip(column.list()?.amortized_iter()) {
                let (Some(place), Some(list)) = (place, list) else { continue };
                let levels = list.as_ref().cast(&DataType::String)?;
                found.extend(levels.str()?.iter().flatten().map(|level| (*place, index, level.to_owned())));
            }
        }
        for (_, index, level) in &found {
            levels.entry((*index, level.clone())).or_insert(0);
        }
        for (number, slot) in (0_u32..).zip(levels.values_mut()) {
            *slot = number;
        }
        let triples = found
            .into_iter()
            .filter_map(|(place, index, level)| levels.get(&(index, level)).map(|column| (place, *column, 1.0)));
        Csr::from_triples(items, levels.len().max(1), triples.collect(), Duplicates::Once)
            .map_err(|error| Failure::data(format!("failed to {error}")))
    }

    fn numbers(&self, frame: &DataFrame, places: &[Option<u32>], items: usize) -> Result<Array2<f64>, Failure> {
        let mut numbers = Array2::from_elem((items, self.number.len()), f64::NAN);
        for (index, name) in self.number.iter().enumerate() {
            for (place, value) in places.iter().zip(floats(frame, name)?) {
                if let Some(slot) = place.and_then(|place| numbers.get_mut((place as usize, index))) {
                    *slot = value;
                }
            }
        }
        Ok(numbers)
    }
}

/// Items × dimensions; items without a vector have zeros.
fn vectors(frame: &DataFrame, name: &str, places: &[Option<u32>], items: usize) -> Result<Array2<f32>, Failure> {
    let lists = frame.column(name)?.cast(&DataType::List(Box::new(DataType::Float32)))?;
    let lists = lists.list()?;
    let mut vectors: Option<Array2<f32>> = None;
    for (place, list) in places.iter().zip(lists.amortized_iter()) {
        let (Some(place), Some(list)) = (place, list) else { continue };
        let list = list.as_ref().f32()?;
        if list.is_empty() {
            continue;
        }
        let vectors = vectors.get_or_insert_with(|| Array2::zeros((items, list.len())));
        if vectors.ncols() != list.len() {
            let message = format!(
                "the vectors of `{name}` have {} and {} numbers; they need as many each",
                vectors.ncols(),
                list.len()
            );
            return Err(Failure::data(message));
        }
        let mut row = vectors.row_mut(*place as usize);
        row.iter_mut().zip(list.iter()).for_each(|(slot, value)| *slot = value.unwrap_or(f32::NAN));
    }
    Ok(vectors.unwrap_or_else(|| Array2::zeros((items, 1))))
}
