//! The grammar of `${…}`.

/// A text taken apart.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'t> {
    Literal(&'t str),
    /// `$$`.
    Dollar,
    Variable(Variable<'t>),
    /// A `${…}` that cannot be read, and why.
    Bad(&'static str),
}

#[derive(Debug, PartialEq)]
pub(super) enum Variable<'t> {
    /// `${name}`.
    Environment(&'t str),
    /// `${env.VAR}`, `${env.VAR:-default}`, `${env.VAR:?message}`.
    Process { name: &'t str, otherwise: Otherwise<'t> },
}

/// What to do when a variable of the process is unset or, for the last two, empty.
#[derive(Debug, PartialEq)]
pub(super) enum Otherwise<'t> {
    Fail,
    Default(&'t str),
    FailWith(&'t str),
}

/// Takes a text apart, each piece with the byte it starts at. A dollar before anything but `{`
/// and `$` is just a dollar.
pub(super) fn pieces(text: &str) -> Vec<(usize, Piece<'_>)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let (piece, length) = if rest.starts_with("$$") {
            (Piece::Dollar, 2)
        } else if let Some(inside) = rest.strip_prefix("${") {
            match inside.split_once('}') {
                Some((inside, _)) => (variable(inside), inside.len() + 3),
                None => (Piece::Bad("`${` without its `}`"), rest.len()),
            }
        } else {
            let length = literal_length(rest);
            (Piece::Literal(rest.get(..length).unwrap_or(rest)), length)
        };
        pieces.push((at, piece));
        rest = rest.get(length..).unwrap_or("");
    }
    pieces
}

/// Bytes up to the next `${` or `$$`; at least one character.
fn literal_length(text: &str) -> usize {
    let mut dollars = text.match_indices('$').map(|(at, _)| at);
    let special = |at: &usize| text.get(at + 1..).is_some_and(|behind| behind.starts_with(['{', '$']));
    dollars.find(special).unwrap_or(text.len())
}

fn variable(inside: &str) -> Piece<'_> {
    if inside.contains("${") {
        return Piece::Bad("a `${…}` within another");
    }
    let Some(process) = inside.strip_prefix("env.") else {
        return match inside {
            _ if is_name(inside) => Piece::Variable(Variable::Environment(inside)),
            "" => Piece::Bad("`${}` without a name"),
            _ if inside.contains(":-") || inside.contains(":?") => {
                Piece::Bad("only `${env.…}` takes a default or a message")
            }
            _ => Piece::Bad("a name has letters, digits, `_` and `-`, and starts with a letter"),
        };
    };
    let (name, otherwise) = match process.split_once(':') {
        None => (process, Otherwise::Fail),
        Some((name, tail)) => match (tail.strip_prefix('-'), tail.strip_prefix('?')) {
            (Some(default), _) => (name, Otherwise::Default(default)),
            (_, Some(message)) => (name, Otherwise::FailWith(message)),
            _ => {
                return Piece::Bad("`:` must be followed by `-` and a default or `?` and a message");
            }
        },
    };
    if !is_name(name) || name.contains('-') {
        return Piece::Bad("a variable of the process has letters, digits and `_`");
    }
    Piece::Variable(Variable::Process { name, otherwise })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::{Otherwise, Piece, Variable, pieces};

    fn process<'t>(name: &'t str, otherwise: Otherwise<'t>) -> Piece<'t> {
        Piece::Variable(Variable::Process { name, otherwise })
    }

    #[test]
    fn every_form_is_read() {
        let lake = || Piece::Variable(Variable::Environment("lake"));
        for (text, expected) in [
            ("", vec![]),
            ("a $ b $1 c$", vec![(0, Piece::Literal("a $ b $1 c$"))]),
            ("${lake}/é${lake}", vec![(0, lake()), (7, Piece::Literal("/é")), (10, lake())]),
            ("$${lake}", vec![(0, Piece::Dollar), (2, Piece::Literal("{lake}"))]),
            ("$$$", vec![(0, Piece::Dollar), (2, Piece::Literal("$"))]),
            ("${env.A}", vec![(0, process("A", Otherwise::Fail))]),
            ("${env.A:-}", vec![(0, process("A", Otherwise::Default("")))]),
            ("${env.A:-b:-c}", vec![(0, process("A", Otherwise::Default("b:-c")))]),
            ("${env.A:?set A}", vec![(0, process("A", Otherwise::FailWith("set A")))]),
        ] {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for text in [
            "${",
            "${a",
            "${}",
            "${ a}",
            "${a:-b}",
            "${env.}",
            "${env.A:b}",
            "${env.A-B}",
            "${1a}",
            "${a.b}",
            "${env.A:-${b}}",
        ] {
            assert!(matches!(pieces(text).first(), Some((0, Piece::Bad(_)))), "{text}");
        }
    }
}
