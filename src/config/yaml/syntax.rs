//! What the parser says, in the words of someone who edits YAML.

use saphyr_parser::ScanError;

use super::node::Mark;
use super::parse::ParseFailure;
use super::source::Source;
use crate::problem::Code;

/// Part of the parser's message, ours, and how it is usually mended.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "a `:` where no key can be",
        "text with `: ` needs quotes; or the line is indented too far",
    ),
    ("mapping keys are not allowed", "a key where none can be", "check the indentation"),
    ("did not find expected key", "expected a key here", "check the indentation and the line above"),
    ("did not find expected '-'", "expected a list item (`- `) here", "the items of a list are indented alike"),
    (
        "block sequence entries are not allowed",
        "a list item (`- `) where none can be",
        "start the list on a line of its own",
    ),
    ("did not find expected ',' or '}'", "expected `,` or `}` here", "is a `{` above not closed?"),
    ("expected ',' or ']'", "expected `,` or `]` here", "is a `[` above not closed?"),
    ("found unexpected end of stream", "a quote is not closed", "close it, and double a quote within single quotes"),
    ("tab", "a tab where YAML wants spaces", "indent with spaces"),
    ("unknown anchor", "an alias to an anchor that does not exist", "define it above as `&name`"),
    (
        "unknown escape character",
        "an unknown escape in double quotes",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    ("wrongly indented line in block scalar", "a line of the block is indented less than its first", ""),
    ("invalid indentation", "a line that is not indented far enough", "indent it further than the line it belongs to"),
    ("invalid trailing content", "text behind a closing quote", "put the whole text in quotes"),
    ("did not find expected comment or line break", "text behind `|` or `>`", "start the text on the next line"),
    (
        "did not find expected <document start>",
        "text that belongs to nothing",
        "check the indentation and the line above",
    ),
    ("did not find expected node content", "expected a value here", "check for a stray `,`, `]` or `}`"),
    ("cannot start any token", "a character that no value can start with", "put the text in quotes"),
    ("unexpected character", "a character that no value can start with", "put the text in quotes"),
    ("illegal placement of ':'", "a `:` where no key can be", "text with `:` needs quotes"),
    ("simple key", "expected `:` behind the key", "check the indentation and the line above"),
];

/// A syntax error with its position.
pub(super) fn failure(error: &ScanError, source: &Source) -> ParseFailure {
    let mut mark = Mark::new(error.marker().line().max(1), error.marker().col() + 1);
    let opened = source.line(mark.line).get(mark.column - 1).copied();
    if error.info().contains("invalid indentation") && matches!(opened, Some('\'' | '"')) {
        let failure = ParseFailure::new(mark, Code::YamlSyntax, "a quote is not closed");
        return failure.help("close it, and double a quote within single quotes");
    }
    let known = WORDS.iter().find(|(theirs, ..)| error.info().contains(theirs));
    let (message, help) = known.map_or((error.info(), ""), |(_, ours, help)| (*ours, *help));
    // The parser stops behind the tab.
    let tab = source.line(mark.line).iter().position(|&c| c == '\t');
    if let (true, Some(tab)) = (message.starts_with("a tab"), tab) {
        mark.column = tab + 1;
    }
    let failure = ParseFailure::new(mark, Code::YamlSyntax, message);
    let line: String = source.line(mark.line).iter().collect();
    match help {
        _ if line.contains("${") && !message.starts_with("a tab") => {
            failure.help("inside `{…}` and `[…]`, a text that holds `${…}` needs quotes")
        }
        "" => failure,
        help => failure.help(help),
    }
}

/// The first character that YAML forbids. NUL above all: the parser takes it for the end.
pub(super) fn forbidden_character(text: &str, source: &Source) -> Option<ParseFailure> {
    let forbidden = |c: char| (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || c == '\u{feff}';
    let (index, character) = text.chars().enumerate().find(|(_, c)| forbidden(*c))?;
    let message = format!("the character U+{:04X} is not allowed in YAML", u32::from(character));
    Some(ParseFailure::new(source.mark(index), Code::YamlSyntax, message))
}
