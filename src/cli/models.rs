//! `patronage models`

use super::arguments::{Global, Models};
use super::{complain, output, project, table};
use crate::format;
use crate::problem::{Code, Exit, nearest};
use crate::run::artifacts_root;
use crate::run::models::{PromoteError, Version};
use crate::run::state::State;

pub fn run(command: &Models, global: &Global) -> Exit {
    let (loaded, plan) = match project::plan(&command.target, global) {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let state = State { root: artifacts_root(&loaded), pipeline: plan.pipeline };
    match change(command, &state) {
        Ok(()) => output::print(&listed(&state, command.stage.as_deref())),
        Err(exit) => exit,
    }
}

/// Promotes, rolls back or follows, as asked.
fn change(command: &Models, state: &State) -> Result<(), Exit> {
    for asked in &command.promote {
        let Some((stage, version)) = asked.split_once('=') else {
            let message = format!("--promote: expected STAGE=VERSION, found `{asked}`");
            return Err(complain::error(Code::BadArgument, &message, None));
        };
        let promoted = state.promote(stage, version).map_err(|error| refuse(&error, state))?;
        output::tell(&format!("{stage} serves {promoted} from now on"));
    }
    for stage in &command.rollback {
        let promoted = state.roll_back(stage).map_err(|error| refuse(&error, state))?;
        output::tell(&format!("{stage} serves {promoted} again"));
    }
    for stage in &command.follow {
        let followed = state.follow(stage).map_err(|error| refuse(&error.into(), state))?;
        let said = if followed { "serves its newest version again" } else { "served its newest version already" };
        output::tell(&format!("{stage} {said}"));
    }
    Ok(())
}

fn refuse(error: &PromoteError, state: &State) -> Exit {
    let code = match error {
        PromoteError::Storage(error) if error.kind() == crate::storage::Kind::Corrupt => Code::CorruptFile,
        PromoteError::Storage(_) => Code::LocalIo,
        _ => Code::ModelMissing,
    };
    let help = match error {
        PromoteError::Missing { stage, version } => {
            let versions = state.versions();
            let mine: Vec<&str> =
                versions.iter().filter(|one| one.stage == *stage).map(|one| one.version.as_str()).collect();
            let near = match mine.is_empty() {
                true => nearest(stage, versions.iter().map(|one| one.stage.as_str())),
                false => nearest(version, mine),
            };
            near.map(|near| format!("did you mean `{near}`?"))
        }
        _ => None,
    };
    complain::error(code, &error.to_string(), help.as_deref())
}

fn listed(state: &State, stage: Option<&str>) -> String {
    let versions: Vec<Version> =
        state.versions().into_iter().filter(|one| stage.is_none_or(|stage| one.stage == stage)).collect();
    if versions.is_empty() {
        return "no model was fitted yet\n".to_owned();
    }
    let row = |version: &Version| {
        let mark = match (version.served, version.promoted) {
            (true, true) => "promoted",
            (true, false) => "newest",
            (false, _) => "",
        };
        let measure = version.headline.as_ref().map(|measure| {
            let baseline = measure.baseline.map(|baseline| format!(" (baseline {})", format::number(baseline.value)));
            format!("{} {}{}", measure.name, format::number(measure.model.value), baseline.unwrap_or_default())
        });
        vec![
            version.stage.clone(),
            version.version.clone(),
            mark.to_owned(),
            measure.unwrap_or_else(|| "-".to_owned()),
            version.committed_at.map_or_else(|| "damaged".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string()),
        ]
    };
    let rows: Vec<Vec<String>> = versions.iter().map(row).collect();
    table::render(&["stage", "version", "served", "measured when fitted", "fitted at (UTC)"], &rows, &[])
}
