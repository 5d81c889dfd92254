//! Panics: caught at the boundaries of the runner, so that the user sees a typed failure and no panic.

use std::panic::{Location, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

/// Where the last panic happened.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Keeps quiet about panics, and remembers where they happen. Their messages are dropped, since they can hold values
/// of rows. Who sets `RUST_BACKTRACE` asks for all of it and gets it.
pub fn keep_quiet() {
    let loud = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = info.location().map(place);
        if loud {
            default(info);
        }
    }));
}

/// Where the last panic happened, such as `polars-io-0.55.2/src/csv.rs:12`. It is forgotten then.
pub fn take_place() -> Option<String> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// From the crate's folder on: what is before it is the builder's machine.
fn place(location: &Location<'_>) -> String {
    let mut from_crate: Vec<&str> = Vec::new();
    for part in location.file().rsplit(['/', '\\']) {
        let seen_source = from_crate.contains(&"src");
        from_crate.push(part);
        if seen_source {
            break;
        }
    }
    from_crate.reverse();
    format!("{}:{}", from_crate.join("/"), location.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_starts_with_the_crate() {
        let here = place(Location::caller());
        assert!(here.starts_with("src/observe/panics.rs:"), "{here}");
    }
}
