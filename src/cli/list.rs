//! `patronage list`

use super::arguments::List;
use super::{complain, output, reference, table};
use crate::problem::{Code, Exit, nearest};
use crate::stages;

pub fn run(command: &List) -> Exit {
    if let Some(directory) = &command.pages {
        return match reference::write_pages(directory) {
            Ok(()) => Exit::Done,
            Err(error) => {
                complain::error(Code::LocalIo, &format!("failed to write {}: {error}", directory.display()), None)
            }
        };
    }
    let Some(name) = &command.kind else {
        let rows: Vec<Vec<String>> = stages::KINDS
            .iter()
            .map(|kind| vec![kind.name.to_owned(), kind.family.to_owned(), reference::first_sentence(kind)])
            .collect();
        let kinds = table::render(&["kind", "family", "what it does"], &rows, &[]);
        return output::print(&format!("{kinds}\n`patronage list KIND` documents one.\n"));
    };
    match stages::kind(name) {
        Some(kind) => output::print(&reference::page(kind)),
        None => {
            let near = nearest(name, stages::KINDS.iter().map(|kind| kind.name));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            complain::error(Code::BadArgument, &format!("there is no stage kind `{name}`"), help.as_deref())
        }
    }
}
