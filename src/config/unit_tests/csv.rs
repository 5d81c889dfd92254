//! CSV as RFC 4180 has it: fields with commas, quotes or line breaks stand in quotes, and a quote is doubled there.

use super::{Written, WrittenRows};

/// The rows below the header. Spaces around a field that is not quoted are no part of it, so columns may be aligned.
pub fn rows(text: &str) -> Result<WrittenRows, String> {
    let mut records = records(text)?.into_iter();
    let Some(header) = records.next() else { return Err("expected a header, found nothing".to_owned()) };
    let mut names: Vec<String> = Vec::new();
    for name in header {
        match name {
            Some(name) if names.contains(&name) => return Err(format!("the column `{name}` is there twice")),
            Some(name) => names.push(name),
            None => return Err("the header has a column without a name".to_owned()),
        }
    }
    let mut rows = Vec::new();
    for (index, record) in records.enumerate() {
        if record.len() != names.len() {
            return Err(format!("row {} has {} fields, but the header has {}", index + 1, record.len(), names.len()));
        }
        rows.push(names.iter().cloned().zip(record.into_iter().map(Written::Csv)).collect());
    }
    Ok(rows)
}

/// Lines of fields; empty lines are skipped, and a field that is empty and not quoted is none.
fn records(text: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = Field::default();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if field.open && letters.peek() == Some(&'"') => {
                letters.next();
                field.text.push('"');
            }
            '"' if field.open => field.open = false,
            _ if field.open => field.text.push(letter),
            '"' if field.text.trim().is_empty() && !field.quoted => {
                field = Field { open: true, quoted: true, ..Field::default() };
            }
            '"' => return Err(format!("row {}: a quote inside a field that does not start with one", records.len())),
            ',' => record.push(std::mem::take(&mut field).done()),
            '\n' => end_line(&mut records, &mut record, &mut field),
            // What stands between the closing quote and the comma.
            '\r' | ' ' | '\t' if field.quoted => {}
            _ if field.quoted => return Err(format!("row {}: text after a closing quote", records.len())),
            '\r' if letters.peek() == Some(&'\n') => {}
            _ => field.text.push(letter),
        }
    }
    if field.open {
        return Err("a quote is not closed".to_owned());
    }
    end_line(&mut records, &mut record, &mut field);
    Ok(records)
}

fn end_line(records: &mut Vec<Vec<Option<String>>>, record: &mut Vec<Option<String>>, field: &mut Field) {
    let last = std::mem::take(field).done();
    if record.is_empty() && last.is_none() {
        return;
    }
    record.push(last);
    records.push(std::mem::take(record));
}

#[derive(Default)]
struct Field {
    text: String,
    /// Inside quotes.
    open: bool,
    quoted: bool,
}

impl Field {
    fn done(self) -> Option<String> {
        if self.quoted {
            return Some(self.text);
        }
        let text = self.text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<Vec<Option<String>>> {
        let value = |(_, written)| match written {
            Written::Csv(field) => field,
            Written::Yaml(_) => panic!("not a field"),
        };
        rows(text).unwrap().into_iter().map(|row| row.into_iter().map(value).collect()).collect()
    }

    #[test]
    fn fields_are_split_trimmed_and_unquoted() {
        let found = fields("id, name\n1,  gerda\r\n2,\"a, \"\"b\"\"\nc\" \n\n3,\n4,\"\"\n");
        let text = |text: &str| Some(text.to_owned());
        let expected = vec![
            vec![text("1"), text("gerda")],
            vec![text("2"), text("a, \"b\"\nc")],
            vec![text("3"), None],
            vec![text("4"), text("")],
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert_eq!(rows(""), Err("expected a header, found nothing".to_owned()));
        assert_eq!(rows("a,b\n1\n"), Err("row 1 has 1 fields, but the header has 2".to_owned()));
        assert_eq!(rows("a,a\n"), Err("the column `a` is there twice".to_owned()));
        assert_eq!(rows("a,\n"), Err("the header has a column without a name".to_owned()));
        assert_eq!(rows("a\n\"x\n"), Err("a quote is not closed".to_owned()));
        assert_eq!(rows("a\nx\"y\"\n"), Err("row 1: a quote inside a field that does not start with one".to_owned()));
        assert_eq!(rows("a\n\"x\"y\n"), Err("row 1: text after a closing quote".to_owned()));
    }
}
