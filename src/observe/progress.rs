//! A live line per running node on a terminal: rows, rate and time. Nothing where it would not be read.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::events::{Event, Listener};
use crate::report::format::{clip, count, duration, one_line, thousands};

/// Redraws in a second, at most.
const REDRAWS_HZ: u8 = 10;
/// Characters of a node's name; longer ones are cut, so that columns line up.
const NAME_MAX: usize = 26;

/// The live lines, and the way past them for whoever else writes to stderr.
#[derive(Clone)]
pub struct Live {
    lines: MultiProgress,
}

impl Live {
    /// Live lines on stderr if it is a terminal that can move its cursor; `None` otherwise.
    pub fn on_stderr() -> Option<Live> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        let target = || ProgressDrawTarget::stderr_with_hz(REDRAWS_HZ);
        let shown = std::io::stderr().is_terminal() && !dumb;
        shown.then(|| Live { lines: MultiProgress::with_draw_target(target()) })
    }

    /// A writer to stderr that takes the lines away while it writes.
    pub fn writer(&self) -> BesideLines {
        BesideLines(self.clone())
    }
}

/// Draws what run events say.
pub struct ProgressListener {
    live: Live,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl ProgressListener {
    pub fn new(live: Live) -> ProgressListener {
        ProgressListener { live, bars: Mutex::default() }
    }

    fn draw(&self, node: &str, rows: Option<u64>, elapsed: Duration) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(node.to_owned()).or_insert_with(|| {
            let bar = self.live.lines.add(ProgressBar::no_length());
            // What does not fit the terminal is cut off by the template, not wrapped.
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style);
            bar
        });
        bar.set_message(line(node, rows, elapsed));
    }

    fn end(&self, node: &str) {
        let bar = self.bars.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.live.lines.remove(&bar);
        }
    }
}

impl Listener for ProgressListener {
    fn on_event(&self, event: &Event) {
        match event {
            Event::NodeStarted { node } => self.draw(&node.id, None, Duration::ZERO),
            Event::NodeProgress { node, rows, elapsed } => self.draw(&node.id, *rows, *elapsed),
            Event::NodeFinished { node, .. } | Event::NodeFailed { node, .. } | Event::NodeSkipped { node, .. } => {
                self.end(&node.id);
            }
            Event::RunFinished { .. } => {
                self.bars.lock().unwrap_or_else(PoisonError::into_inner).clear();
                // A terminal that is gone cannot be cleaned up.
                let _ = self.live.lines.clear();
            }
            Event::RunStarted { .. } | Event::NodeBlocked { .. } | Event::Warning { .. } => {}
        }
    }
}

/// `stage.customers  12.4 s  1,204,332 rows  97,123 rows/s`: the time first, since it is always known and
/// the end of the line is what a narrow terminal cuts off.
fn line(node: &str, rows: Option<u64>, elapsed: Duration) -> String {
    let node = clip(&one_line(node), NAME_MAX);
    let time = duration(elapsed.as_secs_f64());
    let rows = rows.map(|rows| {
        let rate = super::rate(rows, elapsed).map(|rate| format!("  {} rows/s", thousands(rate)));
        format!("  {:>15}{}", count(rows, "row", "rows"), rate.unwrap_or_default())
    });
    format!("{node:<NAME_MAX$} {time:>9}{}", rows.unwrap_or_default())
}

/// Writes to stderr between the live lines and what was there before.
#[derive(Clone)]
pub struct BesideLines(Live);

impl Write for BesideLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lines.suspend(|| std::io::stderr().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for BesideLines {
    type Writer = BesideLines;

    fn make_writer(&'a self) -> BesideLines {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known() {
        let ten = Duration::from_secs(10);
        assert_eq!(line("stage.sales", None, ten), "stage.sales                   10.0 s");
        let wanted = "stage.sales                   10.0 s      52,000 rows  5,200 rows/s";
        assert_eq!(line("stage.sales", Some(52_000), ten), wanted);
        let start = line("stage.sales", Some(52_000), Duration::ZERO);
        assert!(start.ends_with("0.00 s      52,000 rows"), "no rate is made up: {start}");
        assert!(line("stage.a_name_that_is_unusually_long", None, ten).starts_with("stage.a_name_that_is_unus… "));
    }
}
