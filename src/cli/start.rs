//! The log and the live lines, before a command starts.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;

use super::arguments::{Format, Global, Level, Progress};
use super::complain;
use crate::observe::{log, progress};
use crate::problem::{Code, Exit};

/// Live lines, where they are wanted and can be drawn.
pub fn live(global: &Global) -> Option<progress::Live> {
    // Whoever asks for JSON has a program read it, which live lines would confuse.
    let wanted = global.progress == Progress::Auto && matches!(global.log_format, Format::Text);
    wanted.then(progress::Live::on_stderr).flatten()
}

/// Starts the log; above the live lines where there are any.
pub fn log(global: &Global, live: Option<&progress::Live>) -> Result<(), Exit> {
    let level = match global.log_level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let format = match global.log_format {
        Format::Text => log::Format::Text,
        Format::Json => log::Format::Json,
    };
    let color = std::io::stderr().is_terminal();
    let started = match live {
        Some(live) => log::init(level, format, color, live.writer()),
        None => log::init(level, format, color, std::io::stderr),
    };
    started.map_err(|error| complain::error(Code::BadArgument, &format!("failed to {error}"), None))
}
