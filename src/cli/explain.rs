//! `patronage explain`

use super::arguments::Explain;
use super::{complain, table};
use crate::problem::{Code, Exit, nearest};

pub fn run(command: &Explain) -> Exit {
    let Some(text) = &command.code else {
        let rows: Vec<Vec<String>> = Code::ALL
            .iter()
            .map(|code| vec![code.id().to_owned(), (code.exit() as u8).to_string(), code.title().to_owned()])
            .collect();
        print!("{}", table::render(&["code", "exit", "meaning"], &rows, &[1]));
        return Exit::Done;
    };
    match Code::parse(text) {
        Some(code) => {
            println!("{}: {}\n\n{}\n\nExit code: {}", code.id(), code.title(), code.explanation(), code.exit() as u8);
            Exit::Done
        }
        None => {
            let near = nearest(text, Code::ALL.iter().map(|code| code.id()));
            let help = near.map(|near| format!("did you mean {near}? `patronage explain` lists all"));
            complain::error(Code::BadArgument, &format!("there is no diagnostic code `{text}`"), help.as_deref())
        }
    }
}
