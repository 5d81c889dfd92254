//! A line of newline JSON: one object, whose numbers keep the digits that they are written with.

use std::borrow::Cow;
use std::collections::HashSet;

use super::raw::Raw;

/// Not one JSON object, or one with a key twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoObject;

/// Lists and objects within each other at most.
const DEPTH_MAX: usize = 64;

/// The keys and values of the object that the line is, in their order.
pub(super) fn object(line: &str) -> Result<Vec<(Cow<'_, str>, Raw<'_>)>, NoObject> {
    let mut reader = Reader { rest: line };
    let entries = reader.object(0)?;
    reader.skip_spaces();
    let is_whole = reader.rest.is_empty() && !has_twice(&entries);
    if is_whole { Ok(entries) } else { Err(NoObject) }
}

fn has_twice(entries: &[(Cow<'_, str>, Raw<'_>)]) -> bool {
    let mut seen = HashSet::with_capacity(entries.len());
    entries.iter().any(|(key, _)| !seen.insert(key))
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Takes the text, spaces before it included, if it is next.
    fn take(&mut self, text: &str) -> bool {
        self.skip_spaces();
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, text: &str) -> Result<(), NoObject> {
        if self.take(text) { Ok(()) } else { Err(NoObject) }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(Cow<'a, str>, Raw<'a>)>, NoObject> {
        self.expect("{")?;
        let mut entries = Vec::new();
        if self.take("}") {
            return Ok(entries);
        }
        loop {
            let key = self.string()?;
            self.expect(":")?;
            entries.push((key, self.value(depth + 1)?));
            if self.take("}") {
                return Ok(entries);
            }
            self.expect(",")?;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Raw<'a>, NoObject> {
        if depth > DEPTH_MAX {
            return Err(NoObject);
        }
        self.skip_spaces();
        match self.rest.bytes().next() {
            Some(b'"') => self.string().map(Raw::Text),
            Some(b'{') => self.object(depth).map(|_| Raw::Object),
            Some(b'[') => self.list(depth).map(Raw::List),
            Some(b'-' | b'0'..=b'9') => self.number().map(Raw::Number),
            _ if self.take("null") => Ok(Raw::Null),
            _ if self.take("true") => Ok(Raw::Truth(true)),
            _ if self.take("false") => Ok(Raw::Truth(false)),
            _ => Err(NoObject),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Raw<'a>>, NoObject> {
        self.expect("[")?;
        let mut values = Vec::new();
        if self.take("]") {
            return Ok(values);
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.take("]") {
                return Ok(values);
            }
            self.expect(",")?;
        }
    }

    fn number(&mut self) -> Result<&'a str, NoObject> {
        let is_part = |letter: char| letter.is_ascii_digit() || matches!(letter, '+' | '-' | '.' | 'e' | 'E');
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at_checked(end).ok_or(NoObject)?;
        self.rest = rest;
        let digits = number.strip_prefix('-').unwrap_or(number);
        let padded =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let is_number = digits.starts_with(|letter: char| letter.is_ascii_digit())
            && !digits.ends_with('.')
            && !digits.contains(".e")
            && !digits.contains(".E")
            && number.parse::<f64>().is_ok();
        if is_number && !padded { Ok(number) } else { Err(NoObject) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, NoObject> {
        self.skip_spaces();
        let whole = self.rest;
        self.expect("\"")?;
        let mut escaped = false;
        let mut has_escapes = false;
        for (index, byte) in self.rest.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => (escaped, has_escapes) = (true, true),
                b'"' => {
                    let text = self.rest.get(..index).ok_or(NoObject)?;
                    self.rest = self.rest.get(index + 1..).ok_or(NoObject)?;
                    if !has_escapes {
                        return Ok(Cow::Borrowed(text));
                    }
                    let quoted = whole.get(..index + 2).ok_or(NoObject)?;
                    return serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| NoObject);
                }
                0..0x20 => return Err(NoObject),
                _ => {}
            }
        }
        Err(NoObject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_what_is_written() {
        let line = r#" {"id": 9007199254740993, "p":-1.50e2,"t":"a\"\u00e4\n","x":null, "y":[1, [], "z"], "o":{"a":{}}, "b" : true} "#;
        let entries = object(line).unwrap();
        let names: Vec<&str> = entries.iter().map(|(key, _)| key.as_ref()).collect();
        assert_eq!(names, ["id", "p", "t", "x", "y", "o", "b"]);
        let text = |text: &'static str| Raw::Text(Cow::Borrowed(text));
        let values: Vec<Raw<'_>> = entries.into_iter().map(|(_, value)| value).collect();
        let list = Raw::List(vec![Raw::Number("1"), Raw::List(vec![]), text("z")]);
        let wanted = [Raw::Number("9007199254740993"), Raw::Number("-1.50e2"), text("a\"ä\n"), Raw::Null, list];
        assert_eq!(values[..5], wanted);
        assert_eq!(values[5..], [Raw::Object, Raw::Truth(true)]);
        assert_eq!(object("{}"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_object_is_found() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        for line in [
            "",
            "1",
            "[]",
            "{",
            "{}}",
            "{} {}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":1e}",
            "{\"a\":\"x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\t\"}",
            "{\"a\":nul}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":\"\\ud800\"}",
            &deep,
        ] {
            assert_eq!(object(line), Err(NoObject), "{line}");
        }
    }
}
