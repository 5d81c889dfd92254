//! `patronage explain`

use super::arguments::Explain;
use super::{complain, output, table};
use crate::problem::{Code, Exit, nearest};

pub fn run(command: &Explain) -> Exit {
    let Some(text) = &command.code else {
        let rows: Vec<Vec<String>> = Code::ALL
            .iter()
            .map(|code| vec![code.id().to_owned(), (code.exit() as u8).to_string(), code.title().to_owned()])
            .collect();
        return output::print(&table::render(&["code", "exit", "meaning"], &rows, &[1]));
    };
    match Code::parse(text) {
        Some(code) => {
            let (id, title, exit) = (code.id(), code.title(), code.exit() as u8);
            output::print(&format!("{id}: {title}\n\n{}\n\nExit code: {exit}\n", code.explanation()))
        }
        None => {
            let near = nearest(text, Code::ALL.iter().map(|code| code.id()));
            let help = near.map(|near| format!("did you mean {near}? `patronage explain` lists all"));
            complain::error(Code::BadArgument, &format!("there is no diagnostic code `{text}`"), help.as_deref())
        }
    }
}
