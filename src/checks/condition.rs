//! Conditions in SQL that every row satisfies.

use polars::prelude::{DataType, lit};

use super::Test;
use crate::config::checks::Condition;
use crate::problem::{Code, Problem};
use crate::sql;
use crate::table::{TableSchema, type_name};

/// True where the condition is false; false where it is true or null.
pub fn condition(condition: &Condition, schema: &TableSchema) -> Result<Test, Vec<Problem>> {
    let at = |problem: Problem| problem.under("sql");
    match sql::planned(&condition.sql, &schema.to_polars()) {
        Ok((expr, DataType::Boolean)) => Ok(Test::Row(expr.not().fill_null(lit(false)))),
        Ok((_, other)) => {
            let message = format!("expected a condition, found {}", type_name(&other));
            Err(vec![at(Problem::new(Code::SqlInvalid, message).within(1, 1))])
        }
        Err(problems) => Err(problems.into_iter().map(at).collect()),
    }
}
