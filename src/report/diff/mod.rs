//! What changed between two runs, as text for a terminal, Markdown for a pull request, one HTML page,
//! or JSON. All say the same: [`outline`] puts the content into words once.

mod content;
mod markdown;
mod outline;
#[cfg(test)]
pub(super) mod sample;
mod text;
mod words;

pub use content::{
    Changed, CheckChange, ColumnChange, Diff, Entities, Flow, LevelMatrix, Migration, ModelChange, ModelFacts, Move,
    Mover, RunFacts, Score, Setting, Step, StepChange, TableChange,
};
pub use markdown::markdown;
pub use outline::{Grid, Head, Outline, Section, outline};
pub use text::text;

/// The comparison as pretty JSON, ending with a newline.
///
/// # Errors
/// What serialization says; a [`Diff`] has nothing in it that cannot be serialized.
pub fn render_json(diff: &Diff) -> Result<String, serde_json::Error> {
    let mut json = serde_json::to_string_pretty(diff)?;
    json.push('\n');
    Ok(json)
}
