//! What is told of a panic: where in the code it happened, and nothing that could be a row of data.

use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// Where the newest panic of the process happened.
static NEWEST: Mutex<Option<String>> = Mutex::new(None);

/// Keeps panics from printing their message, which may quote data; whoever catches one tells its [`place`]. Who sets
/// `RUST_BACKTRACE` asks for all of it and gets it.
pub fn install() {
    let loud = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        *NEWEST.lock().unwrap_or_else(PoisonError::into_inner) = panic.location().map(readable);
        if loud {
            default(panic);
        }
    }));
}

/// ` at src/x.rs:12:3` of the newest panic, which is forgotten then; nothing where no place is known.
pub fn place() -> String {
    let newest = NEWEST.lock().unwrap_or_else(PoisonError::into_inner).take();
    newest.map(|place| format!(" at {place}")).unwrap_or_default()
}

/// Of a library the crate's name and version instead of the path on the machine that built it.
fn readable(location: &Location<'_>) -> String {
    let file = location.file();
    let within = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    format!("{}:{}:{}", within.map_or(file, |(_, file)| file), location.line(), location.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_ours_is_a_path_in_the_repository() {
        let text = readable(Location::caller());
        assert!(text.starts_with("src/crash.rs:"), "{text}");
    }

    #[test]
    fn a_panic_is_told_by_its_place_alone() {
        install();
        let caught = std::panic::catch_unwind(|| panic!("ann@example.org"));
        let told = place();
        let _ = std::panic::take_hook(); // other tests of the process want to be heard
        assert!(caught.is_err() && told.starts_with(" at src/crash.rs:") && !told.contains("ann"), "{told}");
    }
}
