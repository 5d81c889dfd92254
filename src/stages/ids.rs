//! Ids as whole numbers from zero on, in their order.

use std::collections::HashMap;

use polars::prelude::{DataFrame, DataType, PolarsError, Series, SortOptions};

use super::contract::Failure;

/// For each value the place among these ids, which are distinct; `None` for what is not there.
pub fn places(values: &Series, ids: &Series) -> Result<Vec<Option<u32>>, Failure> {
    let is_narrow = |series: &Series| series.dtype().is_integer() && *series.dtype() != DataType::UInt64;
    if is_narrow(values) && is_narrow(ids) {
        let (values, ids) = (values.cast(&DataType::Int64)?, ids.cast(&DataType::Int64)?);
        let index: HashMap<i64, u32> = ids.i64()?.iter().flatten().zip(0..).collect();
        return Ok(values.i64()?.iter().map(|id| id.and_then(|id| index.get(&id).copied())).collect());
    }
    let (values, ids) = (values.cast(&DataType::String)?, ids.cast(&DataType::String)?);
    let index: HashMap<&str, u32> = ids.str()?.iter().flatten().zip(0..).collect();
    Ok(values.str()?.iter().map(|id| id.and_then(|id| index.get(id).copied())).collect())
}

/// The distinct values of a column and of further ids, ascending, and for each row the index of its value.
pub fn numbered(frame: &DataFrame, name: &str, more: Vec<Series>) -> Result<(Series, Vec<u32>), Failure> {
    let series = frame.column(name)?.as_materialized_series();
    let mut all = series.unique()?;
    for further in more {
        all.append(&further.drop_nulls().cast(series.dtype())?.with_name(all.name().clone()))?;
    }
    let distinct = all.unique()?.sort(SortOptions::default())?;
    let codes = match series.dtype() {
        DataType::String => {
            let index: HashMap<&str, u32> = distinct.str()?.iter().flatten().zip(0..).collect();
            series.str()?.iter().map(|id| id.and_then(|id| index.get(id).copied()).unwrap_or(0)).collect()
        }
        // Half of them are beyond what an int64 holds.
        DataType::UInt64 => {
            let index: HashMap<u64, u32> = distinct.u64()?.iter().flatten().zip(0..).collect();
            series.u64()?.iter().map(|id| id.and_then(|id| index.get(&id).copied()).unwrap_or(0)).collect()
        }
        dtype if dtype.is_integer() => whole_codes(series, &distinct)?,
        other => {
            let message = format!("`{name}` ids are {other}, neither whole numbers nor text");
            return Err(PolarsError::InvalidOperation(message.into()).into());
        }
    };
    Ok((distinct, codes))
}

/// Ids that lie close together are looked up by their distance from the least, others by their hash.
fn whole_codes(series: &Series, distinct: &Series) -> Result<Vec<u32>, Failure> {
    let (rows, wide) = (series.cast(&DataType::Int64)?, distinct.cast(&DataType::Int64)?);
    let (rows, wide) = (rows.i64()?, wide.i64()?);
    let (least, most) = (wide.iter().flatten().next().unwrap_or(0), wide.iter().flatten().last().unwrap_or(0));
    let span = most.checked_sub(least).and_then(|span| usize::try_from(span).ok());
    if let Some(span) = span.filter(|span| *span <= 4 * wide.len() + 1024) {
        let mut places = vec![0_u32; span + 1];
        for (id, place) in wide.iter().flatten().zip(0..) {
            if let Some(slot) = places.get_mut((id - least) as usize) {
                *slot = place;
            }
        }
        let code = |id: Option<i64>| id.and_then(|id| places.get((id - least) as usize).copied()).unwrap_or(0);
        return Ok(rows.iter().map(code).collect());
    }
    let index: HashMap<i64, u32> = wide.iter().flatten().zip(0..).collect();
    Ok(rows.iter().map(|id| id.and_then(|id| index.get(&id).copied()).unwrap_or(0)).collect())
}

#[cfg(test)]
mod tests {
    use polars::df;
    use polars::prelude::NamedFrom;

    use super::*;

    #[test]
    fn every_id_has_a_number_of_its_own_however_large() {
        let number = |frame: DataFrame| numbered(&frame, "id", vec![]).unwrap();
        let ids = [1_u64 << 63, 7, u64::MAX, 7, (1 << 63) + 1];
        let (distinct, codes) = number(df!("id" => ids).unwrap());
        assert_eq!((distinct.len(), codes), (4, vec![1, 0, 3, 0, 2]));
        let (_, codes) = number(df!("id" => [-5_i32, 9, -5]).unwrap());
        assert_eq!(codes, [0, 1, 0]);
        let (_, codes) = number(df!("id" => [i64::MIN, i64::MAX, 0]).unwrap());
        assert_eq!(codes, [0, 2, 1]);
        let (distinct, codes) = number(df!("id" => Vec::<i64>::new()).unwrap());
        assert_eq!((distinct.len(), codes), (0, vec![]));
    }

    #[test]
    fn further_ids_are_numbered_too() {
        let frame = df!("id" => ["b", "d"]).unwrap();
        let more = Series::new("other".into(), [Some("a"), None, Some("d")]);
        let (distinct, codes) = numbered(&frame, "id", vec![more]).unwrap();
        assert_eq!(distinct.str().unwrap().iter().flatten().collect::<Vec<_>>(), ["a", "b", "d"]);
        assert_eq!(codes, [1, 2]);
        assert_eq!(places(&Series::new("".into(), ["d", "c"]), &distinct).unwrap(), [Some(2), None]);
        let numbers = Series::new("".into(), [7_u64, u64::MAX]);
        let texts = Series::new("".into(), [Some("18446744073709551615"), None, Some("7")]);
        assert_eq!(places(&texts, &numbers).unwrap(), [Some(1), None, Some(0)]);
    }
}
