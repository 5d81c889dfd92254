//! What a run did and how good its models are, for people and for programs: `report.json`,
//! `report.html`, the summary that a run ends with, and JUnit XML on request.

pub mod diff;
pub mod html;
pub mod summary;

mod content;
mod junit;
#[cfg(test)]
pub(crate) mod sample;

pub use crate::format;
pub use content::{
    Change, CheckReport, DeliveryReport, Drift, Edge, ModelReport, NodeReport, NodeStatus, PortRows, ProfiledColumn,
    PublicationReport, Report, SetAside, SourceReport, TableProfile,
};
pub use junit::junit;
pub use summary::summary;

/// The whole report as pretty JSON, ending with a newline. Values that are not finite become null.
///
/// # Errors
/// What serialization says; a [`Report`] has nothing in it that cannot be serialized.
pub fn render_json(report: &Report) -> Result<String, serde_json::Error> {
    let mut json = serde_json::to_string_pretty(report)?;
    json.push('\n');
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::{Report, render_json, sample};

    #[test]
    fn json_reads_back_as_the_same_report() {
        for report in [sample::report(), sample::empty()] {
            let json = render_json(&report).unwrap();
            assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        }
    }

    #[test]
    fn json_has_the_names_that_readers_rely_on() {
        let json = render_json(&sample::report()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["run_date"], "2011-12-10");
        assert_eq!(value["nodes"][0]["status"], "success");
        assert_eq!(value["models"][0]["verdict"], "beats");
        assert_eq!(value["models"][1]["verdict"], "loses");
        assert_eq!(value["models"][0]["evaluation"]["charts"][0]["kind"], "lines");
        assert_eq!(value["checks"][1]["failed_rows"], 2517);
    }
}
