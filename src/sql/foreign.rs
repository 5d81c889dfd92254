//! Queries in the SQL of a database, of which only the outline is known here.

use sqlparser::dialect::{BigQueryDialect, Dialect, GenericDialect, PostgreSqlDialect, SnowflakeDialect};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// A query that is one statement, without what may follow it: semicolons and comments.
///
/// # Errors
/// Why it is none. The first of the dialects counts that can read its texts, names and comments.
pub fn one_query(text: &str) -> Result<String, String> {
    let dialects: [&dyn Dialect; 4] = [&PostgreSqlDialect {}, &BigQueryDialect, &SnowflakeDialect, &GenericDialect {}];
    let mut why = String::new();
    for dialect in dialects {
        match Tokenizer::new(dialect, text).tokenize_with_location() {
            Ok(tokens) => return outline(&tokens).map(|end| before(text, end)),
            Err(error) if why.is_empty() => why = error.to_string(),
            Err(_) => {}
        }
    }
    Err(why)
}

/// Where the semicolon behind the query is, if there is one.
fn outline(tokens: &[TokenWithSpan]) -> Result<Option<Location>, String> {
    let (mut depth, mut end, mut is_empty) = (0_usize, None, true);
    for token in tokens {
        match token.token {
            Token::Whitespace(_) | Token::EOF => continue,
            Token::SemiColon => {
                end = end.or(Some(token.span.start));
                continue;
            }
            _ if end.is_some() => return Err("it is more than one statement".to_owned()),
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.checked_sub(1).ok_or("it closes a parenthesis that it has not opened")?;
            }
            _ => {}
        }
        is_empty = false;
    }
    match (is_empty, depth) {
        (true, _) => Err("it is empty".to_owned()),
        (false, 0) => Ok(end),
        (false, _) => Err("it does not close each parenthesis that it opens".to_owned()),
    }
}

/// The text before a place; all of it if there is none.
fn before(text: &str, end: Option<Location>) -> String {
    let Some(end) = end else { return text.to_owned() };
    let (mut line, mut column) = (1, 1);
    let is_before = |character: &char| {
        let is_before = (line, column) < (end.line, end.column);
        (line, column) = if *character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        is_before
    };
    text.chars().take_while(is_before).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_query_is_no_part_of_it() {
        for (given, query) in [
            ("SELECT 1", "SELECT 1"),
            ("SELECT ';)' -- all;\n", "SELECT ';)' -- all;\n"),
            ("SELECT größe\nFROM \"a;b\" ; -- all\n", "SELECT größe\nFROM \"a;b\" "),
            ("SELECT $$;)$$ /* ) */; ;", "SELECT $$;)$$ /* ) */"),
            ("SELECT `a;b` FROM `x-y.z` WHERE n = 'it\\'s;';", "SELECT `a;b` FROM `x-y.z` WHERE n = 'it\\'s;'"),
        ] {
            assert_eq!(one_query(given).as_deref(), Ok(query));
        }
    }

    #[test]
    fn what_is_no_query_is_none() {
        for (given, why) in [
            ("SELECT 1; DROP TABLE x", "more than one statement"),
            ("SELECT 1) x; DROP TABLE y; SELECT (2", "has not opened"),
            ("SELECT (1", "does not close"),
            (" -- nothing\n;", "is empty"),
            ("SELECT 'a", "Unterminated"),
        ] {
            let told = one_query(given).unwrap_err();
            assert!(told.contains(why), "{given}: {told}");
        }
    }
}
