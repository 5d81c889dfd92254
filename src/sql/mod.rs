//! The dialect: SQL text to a checked syntax tree whose meaning does not hang on the engine.
//!
//! One SELECT per query, one expression per feature. The tree is checked against the columns that
//! exist, then rewritten so that any engine computes the same: `/` is float and x/0 is null,
//! counts and sums of integers are 64 bits wide.

mod bounds;
mod complaint;
mod condition;
mod derived;
mod foreign;
mod functions;
mod lineage;
mod names;
mod order;
mod origins;
mod parse;
mod planned;
mod refused;
mod rewrite;
mod shape;
mod walk;

pub use bounds::{Bound, Is, bounds};
pub use complaint::{complaint, complaint_at};
pub use condition::{Wide, condition, widened_text};
pub use foreign::one_query;
pub use functions::{Aggregate, is_aggregate};
pub use lineage::{Lineage, lineage, told_by};
pub use names::{check_expression, check_query, identifiers};
pub use order::{is_limited, order_wholly};
pub use origins::{Derived, Origins, Use, origins, origins_of_expression};
pub use parse::{expression, query};
pub use planned::planned;
pub use rewrite::portable;
pub use shape::{Shape, TableFacts, names_all_columns, shape};

pub use sqlparser::ast;
pub use sqlparser::tokenizer::Location;
