//! SQL text to a syntax tree, with the position of a mistake inside the text.

use sqlparser::ast::{Expr, Query, Statement};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::problem::{Code, Problem};

/// Deep enough for any query a person writes, shallow enough for the stack.
const DEPTH_MAX: usize = 60;

/// How many operators may stand between two commas, brackets or clauses: the tree of `a + b + c` is as deep as the
/// chain is long, which the parser's own limit does not see. With 490 the engine overflows a thread's stack of 2 MiB.
const CHAIN_MAX: usize = 100;

/// How many set operations (`UNION` and its like) a query may have, for the same reason.
const SETS_MAX: usize = 100;

/// How many forms such as `CASE` and `CAST(…)` may stand in one another. Where there is a mistake inside, the parser
/// tries each of them twice, `POSITION(…)` thrice: with 12 that takes milliseconds, with 25 a minute.
const FORMS_MAX: usize = 12;

const DIALECT: GenericDialect = GenericDialect {};

/// The words and signs of a text, if no tree that they make can be too deep.
fn tokens(text: &str, what: &str) -> Result<Vec<TokenWithSpan>, Problem> {
    let tokens = Tokenizer::new(&DIALECT, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| syntax(&error.into(), text, what))?;
    let (mut open, mut chain, mut sets, mut forms) = (Vec::new(), 0, 0, 0);
    let mut before = Keyword::NoKeyword;
    for TokenWithSpan { token, span } in &tokens {
        let keyword = if let Token::Word(word) = token { word.keyword } else { Keyword::NoKeyword };
        match (token, keyword) {
            (Token::Whitespace(_), _) => continue,
            (Token::LParen | Token::LBracket | Token::LBrace, _) | (_, Keyword::CASE) => {
                let form = tries(if keyword == Keyword::CASE { keyword } else { before });
                open.push((chain + 1, form, keyword == Keyword::CASE));
                chain = 0;
                forms += form;
            }
            (Token::RParen | Token::RBracket | Token::RBrace, _) | (_, Keyword::END) => {
                // A column may be called `end`.
                let by_word = keyword == Keyword::END;
                if let Some((outer, form, _)) = open.pop_if(|(.., is_case)| *is_case == by_word) {
                    chain = outer;
                    forms -= form;
                }
            }
            (Token::Comma | Token::SemiColon, _) | (_, Keyword::WHEN | Keyword::THEN | Keyword::ELSE) => chain = 0,
            // None of them can stand inside a chain, unlike FROM (`IS DISTINCT FROM`).
            (_, Keyword::SELECT | Keyword::WHERE | Keyword::JOIN | Keyword::ON | Keyword::HAVING | Keyword::BY) => {
                chain = 0
            }
            // What stands between operators, or goes with one.
            (Token::Word(_), Keyword::NoKeyword | Keyword::NULL | Keyword::NOT | Keyword::TRUE | Keyword::FALSE)
            | (Token::Number(..) | Token::SingleQuotedString(_) | Token::Period, _) => {}
            (_, keyword) => {
                chain += 1;
                sets += usize::from(matches!(keyword, Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT));
            }
        }
        before = keyword;
        let (message, help) = if chain > CHAIN_MAX {
            let message = format!("more than {CHAIN_MAX} operators stand here in one chain");
            (message, "brackets split a chain; `x IN (…)` says many alternatives briefly")
        } else if sets > SETS_MAX {
            (format!("the query has more than {SETS_MAX} set operations"), "split it over several stages")
        } else if forms > FORMS_MAX {
            let message = format!("more than {FORMS_MAX} forms such as CASE and CAST stand in one another here");
            (message, "one CASE can have many WHENs; WITH names a part of a query")
        } else {
            continue;
        };
        let (line, column) = (span.start.line as usize, span.start.column as usize);
        return Err(Problem::new(Code::SqlSyntax, message).help(help).within(line, column));
    }
    Ok(tokens)
}

/// How much more often what is inside of a form is tried, as a power of two.
fn tries(form: Keyword) -> usize {
    use Keyword::{
        ARRAY, CASE, CAST, CEIL, CONVERT, CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP, EXTRACT, FLOOR, LOCALTIME,
        LOCALTIMESTAMP, NOT, OVERLAY, POSITION, SAFE_CAST, SUBSTR, SUBSTRING, TRIM, TRY_CAST, TRY_CONVERT,
    };
    match form {
        POSITION => 2,
        ARRAY | CASE | CAST | CEIL | CONVERT | CURRENT_DATE | CURRENT_TIME | CURRENT_TIMESTAMP | EXTRACT | FLOOR
        | LOCALTIME | LOCALTIMESTAMP | NOT | OVERLAY | SAFE_CAST | SUBSTR | SUBSTRING | TRIM | TRY_CAST
        | TRY_CONVERT => 1,
        _ => 0,
    }
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
        for chain in
            [" + COALESCE(end, 1, 2)", " + 1", " + f(1, 2)", " IS NULL", "::bigint", " || CASE WHEN a THEN b END"]
        {
            let problem = expression(&format!("a{}", chain.repeat(5_000))).unwrap_err();
            assert!(problem.message.contains("more than 100 operators"), "{chain}: {problem:?}");
        }
        for form in ["CASE WHEN TRUE THEN ", "CAST(", "POSITION(", "x + ARRAY[", "SUBSTRING(CASE WHEN a THEN "] {
            let problem = query(&format!("SELECT {}1 FROM t", form.repeat(30))).unwrap_err();
            assert!(problem.message.contains("stand in one another"), "{form}: {problem:?}");
        }
        let nested = format!("{}1{}", "CASE WHEN a THEN CAST(".repeat(6), " AS INT) END".repeat(6));
        assert!(expression(&format!("{nested} + {nested}")).is_ok());
        let union = |times| query(&format!("SELECT a, b FROM t{}", " UNION ALL SELECT a, b FROM t".repeat(times)));
        assert!(union(100).is_ok() && union(101).is_err());
    }
}
