//! SQL text to a syntax tree, with the position of a mistake inside the text.

use sqlparser::ast::{Expr, Query, Statement};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::problem::{Code, Problem};

/// Deep enough for any query a person writes, shallow enough for the stack.
const DEPTH_MAX: usize = 60;

/// How many words and signs may stand between two commas or brackets: the tree of `a + b + c` is as deep as the
/// chain is long, which the parser's own limit does not see.
const CHAIN_MAX: usize = 1_000;

/// How many set operations (`UNION` and its like) a query may have, for the same reason.
const SETS_MAX: usize = 100;

const DIALECT: GenericDialect = GenericDialect {};

/// The words and signs of a text, if no tree that they make can be too deep.
fn tokens(text: &str, what: &str) -> Result<Vec<TokenWithSpan>, Problem> {
    let tokens = Tokenizer::new(&DIALECT, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| syntax(&error.into(), text, what))?;
    let (mut open, mut chain, mut sets) = (Vec::new(), 0, 0);
    for TokenWithSpan { token, span } in &tokens {
        let keyword = if let Token::Word(word) = token { word.keyword } else { Keyword::NoKeyword };
        match (token, keyword) {
            (Token::Whitespace(_), _) => {}
            (Token::LParen | Token::LBracket | Token::LBrace, _) | (_, Keyword::CASE) => {
                open.push(chain + 1);
                chain = 0;
            }
            (Token::RParen | Token::RBracket | Token::RBrace, _) | (_, Keyword::END) => {
                chain = open.pop().unwrap_or(chain);
            }
            (Token::Comma | Token::SemiColon, _) | (_, Keyword::WHEN | Keyword::THEN | Keyword::ELSE) => chain = 0,
            (_, keyword) => {
                chain += 1;
                sets += usize::from(matches!(keyword, Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT));
            }
        }
        let message = match (chain > CHAIN_MAX, sets > SETS_MAX) {
            (true, _) => format!("more than {CHAIN_MAX} words and signs stand here between two commas or brackets"),
            (_, true) => format!("the query has more than {SETS_MAX} set operations"),
            _ => continue,
        };
        let (line, column) = (span.start.line as usize, span.start.column as usize);
        let problem = Problem::new(Code::SqlSyntax, message).help("`x IN (…)` says many alternatives briefly");
        return Err(problem.within(line, column));
    }
    Ok(tokens)
}

/// Parses one scalar or aggregate expression.
pub fn expression(text: &str) -> Result<Expr, Problem> {
    let tokens = tokens(text, "expression")?;
    let mut parser = Parser::new(&DIALECT).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let expression = parser.parse_expr().map_err(|error| syntax(&error, text, "expression"))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let (line, column) = (rest.span.start.line as usize, rest.span.start.column as usize);
        let message = format!("expected the expression to end, found `{}`", rest.token);
        return Err(Problem::new(Code::SqlSyntax, message).within(line, column));
    }
    Ok(expression)
}

/// Parses one SELECT statement (CTEs and set operations included).
pub fn query(text: &str) -> Result<Query, Problem> {
    let tokens = tokens(text, "query")?;
    let mut parser = Parser::new(&DIALECT).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let statements = parser.parse_statements().map_err(|error| syntax(&error, text, "query"))?;
    let mut statements = statements.into_iter();
    match (statements.next(), statements.next()) {
        (Some(Statement::Query(query)), None) => Ok(*query),
        (None, _) => Err(Problem::new(Code::SqlSyntax, "the query is empty")),
        (Some(_), None) => Err(Problem::new(Code::SqlUnsupported, "expected a SELECT, found another statement")
            .help("a stage reads its inputs and gives one table; it changes nothing else")),
        (Some(_), Some(second)) => {
            let start = sqlparser::ast::Spanned::span(&second).start;
            let problem = Problem::new(Code::SqlUnsupported, "expected one SELECT, found several statements")
                .help("write one stage per query, or use WITH");
            Err(problem.within((start.line as usize).max(1), (start.column as usize).max(1)))
        }
    }
}

/// Turns the parser's error, which carries its position in its text, into a problem.
fn syntax(error: &ParserError, sql: &str, what: &str) -> Problem {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "the SQL is nested too deeply".to_owned(),
    };
    let (message, position) = split_position(&text);
    let problem = Problem::new(Code::SqlSyntax, in_our_words(message, what));
    let (line, column) = position.unwrap_or_else(|| end_of(sql));
    problem.within(line, column)
}

/// `Expected: x, found: y` becomes "expected x, found `y`".
fn in_our_words(message: &str, what: &str) -> String {
    let Some((expected, found)) = message.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: "))
    else {
        let mut letters = message.chars();
        let first = letters.next().map(|letter| letter.to_lowercase().to_string()).unwrap_or_default();
        return first + letters.as_str();
    };
    let expected = match expected {
        "end of statement" => "the end of the query".to_owned(),
        phrase if phrase.len() > 1 && phrase.chars().any(char::is_lowercase) => phrase.to_owned(),
        token => format!("`{token}`"),
    };
    let found = if found == "EOF" { format!("the end of the {what}") } else { format!("`{found}`") };
    format!("expected {expected}, found {found}")
}

/// The place behind the last character that is no space.
fn end_of(sql: &str) -> (usize, usize) {
    let sql = sql.trim_end();
    let line = sql.lines().last().unwrap_or_default();
    (sql.lines().count().max(1), line.chars().count() + 1)
}

/// Splits `"… at Line: 2, Column: 7"` into the message and the position.
fn split_position(text: &str) -> (&str, Option<(usize, usize)>) {
    let Some((message, position)) = text.rsplit_once(" at Line: ") else { return (text, None) };
    let Some((line, column)) = position.split_once(", Column: ") else { return (text, None) };
    let column = column.trim_end_matches(|c: char| !c.is_ascii_digit());
    match (line.parse(), column.parse()) {
        (Ok(line), Ok(column)) => (message, Some((line, column))),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_has_a_position() {
        let problem = expression("SUM(amount").unwrap_err();
        assert_eq!(problem.code, Code::SqlSyntax);
        let problem = query("SELECT a\nFROM t WHERE >").unwrap_err();
        assert_eq!(problem.place.within.map(|(line, _)| line), Some(2), "{problem:?}");
    }

    #[test]
    fn what_follows_an_expression_is_refused() {
        let problem = expression("SUM(a) b").unwrap_err();
        assert_eq!(problem.place.within, Some((1, 8)));
    }

    #[test]
    fn only_one_select_is_read() {
        assert_eq!(query("DROP TABLE t").unwrap_err().code, Code::SqlUnsupported);
        assert_eq!(query("SELECT 1; SELECT 2").unwrap_err().code, Code::SqlUnsupported);
        assert!(query("WITH x AS (SELECT a FROM t) SELECT a FROM x").is_ok());
        assert!(query("").is_err());
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        let text = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(expression(&text).is_err());
        assert!(expression(&format!("x IN ({})", "1, ".repeat(5_000) + "1")).is_ok());
        assert!(expression(&format!("CASE {} END", "WHEN a = 1 THEN 2 ".repeat(1_000))).is_ok());
        for chain in [" + 1", " + f(1, 2)", " IS NULL", "::bigint", " || CASE WHEN a THEN b END"] {
            let problem = expression(&format!("a{}", chain.repeat(5_000))).unwrap_err();
            assert!(problem.message.contains("more than 1000"), "{chain}: {problem:?}");
        }
        let union = |times| query(&format!("SELECT a, b FROM t{}", " UNION ALL SELECT a, b FROM t".repeat(times)));
        assert!(union(100).is_ok() && union(101).is_err());
    }
}
