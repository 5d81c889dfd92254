//! Conditions in SQL that every row satisfies.

use polars::prelude::{DataFrame, DataType, IntoLazy, PolarsResult, lit};
use polars::sql::sql_expr;

use super::Test;
use crate::config::checks::Condition;
use crate::problem::{Code, Problem};
use crate::sql::{self, Wide};
use crate::table::{TableSchema, type_name};

/// True where the condition is false; false where it is true or null.
pub fn condition(condition: &Condition, schema: &TableSchema) -> Result<Test, Vec<Problem>> {
    let at = |problem: Problem| problem.under("sql");
    let tree = sql::condition(&condition.sql, &schema.names())
        .map_err(|problems| problems.into_iter().map(at).collect::<Vec<_>>())?;
    let wide = |name: &str| match schema.column(name).map(|column| &column.dtype)? {
        DataType::Int64 => None,
        narrow if narrow.is_integer() => Some(Wide::Integer),
        DataType::Float32 => Some(Wide::Float),
        _ => None,
    };
    let text = sql::widened_text(&tree, wide);
    let plan = || -> PolarsResult<(polars::prelude::Expr, DataType)> {
        let expr = sql_expr(&text)?;
        let empty = DataFrame::empty_with_schema(&schema.to_polars()).lazy();
        // Not its schema alone: which types can be compared is found only when a plan is made whole.
        let found = empty.select([expr.clone().alias("_condition")]).collect()?;
        Ok((expr, found.column("_condition")?.dtype().clone()))
    };
    match plan() {
        Ok((expr, DataType::Boolean)) => Ok(Test::Row(expr.not().fill_null(lit(false)))),
        Ok((_, other)) => {
            let message = format!("expected a condition, found {}", type_name(&other));
            Err(vec![at(Problem::new(Code::SqlInvalid, message).within(1, 1))])
        }
        Err(error) => Err(vec![at(sql::complaint_at(&error.to_string(), &tree))]),
    }
}
