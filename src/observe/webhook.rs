//! A message when a run fails, for a chat or an incident system.

use reqwest::Url;
use serde_json::{Value, json};

use super::http::{Message, send};
use crate::report::Report;

/// So many failures are told, each so long: who wants more looks into the run.
const FAILURES_MAX: usize = 5;
const CHARACTERS_MAX: usize = 300;

/// Tells of a failure. Nothing of it is a row: failures name tables, columns, checks and counts.
pub fn tell(url: &Url, pipeline: &str, exit: u8, report: Option<&Report>, failures: &[String]) {
    let body = payload(pipeline, exit, report, failures).to_string().into_bytes();
    if let Err(error) = send(Message::post(url.clone(), "application/json", body)) {
        tracing::warn!("failed to tell the webhook of the failure: {error}");
    }
}

/// `text` is what chats show.
fn payload(pipeline: &str, exit: u8, report: Option<&Report>, failures: &[String]) -> Value {
    let told: Vec<String> = failures
        .iter()
        .take(FAILURES_MAX)
        .map(|failure| crate::report::format::clip(failure, CHARACTERS_MAX))
        .collect();
    let more = failures.len() - told.len();
    let date = report.map(|report| format!(" {}", report.run_date)).unwrap_or_default();
    let lines: Vec<String> = told.iter().map(|failure| format!("\n- {failure}")).collect();
    let rest = if more > 0 { format!("\n- and {more} more") } else { String::new() };
    json!({
        "text": format!("{pipeline}{date} failed with exit code {exit}{}{rest}", lines.concat()),
        "pipeline": pipeline,
        "run_date": report.map(|report| report.run_date),
        "run_id": report.map(|report| &report.run_id),
        "environment": report.map(|report| &report.environment),
        "exit_code": exit,
        "retry": exit == 75,
        "failures": told,
        "further_failures": more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_a_bound() {
        let failures: Vec<String> = (0..1000).map(|number| format!("{number} {}", "x".repeat(10_000))).collect();
        let payload = payload("shop", 65, None, &failures);
        assert!(payload.to_string().len() < 8 * 1024);
        assert_eq!((&payload["further_failures"], &payload["retry"]), (&995.into(), &false.into()));
        assert!(payload["text"].as_str().unwrap().starts_with("shop failed with exit code 65\n- 0 xxx"));
    }
}
