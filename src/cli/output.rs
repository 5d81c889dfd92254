//! Results on stdout, complaints on stderr; neither can make the program panic.

use std::io::{self, ErrorKind, Write};

use super::complain;
use crate::problem::{Code, Exit};

/// Prints a result. A reader who has seen enough, such as `head`, is no error.
pub fn print(text: &str) -> Exit {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain::error(Code::LocalIo, &format!("failed to write to stdout: {error}"), None)
        }
        _ => Exit::Done,
    }
}

/// Prints a line on stderr; where that is closed there is nobody to tell.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
