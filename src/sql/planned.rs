//! Expressions over single rows as polars computes them.

use polars::prelude::{DataFrame, DataType, Expr, IntoLazy, PolarsResult, Schema};
use polars::sql::sql_expr;

use super::{Wide, complaint_at, condition, widened_text};
use crate::problem::Problem;

/// What an expression over the columns of one row is computed by, and its type; places are inside the text. Narrow numbers
/// are widened first.
pub fn planned(text: &str, schema: &Schema) -> Result<(Expr, DataType), Vec<Problem>> {
    let names: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
    let tree = condition(text, &names)?;
    let wide = |name: &str| match schema.get(name)? {
        DataType::Int64 => None,
        narrow if narrow.is_integer() => Some(Wide::Integer),
        DataType::Float32 => Some(Wide::Float),
        _ => None,
    };
    let text = widened_text(&tree, wide);
    let plan = || -> PolarsResult<(Expr, DataType)> {
        let expr = sql_expr(&text)?;
        // Not its schema alone: which types can be compared is found only when a plan is made whole.
        let empty = DataFrame::empty_with_schema(schema).lazy();
        let found = empty.select([expr.clone().alias("_condition")]).collect()?;
        Ok((expr, found.column("_condition")?.dtype().clone()))
    };
    plan().map_err(|error| vec![complaint_at(&error.to_string(), &tree)])
}
