//! What the columns of a dataset hold, for people: `_dictionary.md`, made of the commit alone.

use std::fmt::Write;

use serde_json::Value;

use super::commit::Commit;

/// The page; none where no column says what it holds.
pub(super) fn page(commit: &Commit) -> Option<String> {
    let text = |column: &Value, key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if commit.schema.iter().all(|column| text(column, "description").is_empty()) {
        return None;
    }
    let mut page = format!(
        "# Columns\n\nOf {}.\n\n| column | type | class | what it holds |\n|---|---|---|---|\n",
        commit.run_date
    );
    for column in &commit.schema {
        let key = if column.get("key") == Some(&Value::Bool(true)) { " (key)" } else { "" };
        // What would end a cell of the table.
        let description = text(column, "description").replace('|', "\\|").replace(['\n', '\r'], " ");
        let _ = writeln!(
            page,
            "| `{}`{key} | {} | {} | {description} |",
            text(column, "name"),
            text(column, "type"),
            text(column, "class")
        );
    }
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_with_their_descriptions() {
        let commit = |schema: Value| -> Commit {
            serde_json::from_value(serde_json::json!({
                "version": 1, "run_id": "a", "run_date": "2024-01-02", "sequence": 1, "key": "k",
                "created_at": "2024-01-02T00:00:00Z", "schema": schema, "files": [], "replaces": []
            }))
            .unwrap()
        };
        let column = serde_json::json!({"name": "id", "type": "int64", "class": "direct_id", "key": true});
        assert_eq!(page(&commit(serde_json::json!([column]))), None);
        let described = serde_json::json!({"name": "clv", "type": "float64", "class": "behavioral", "key": false, "description": "a | b"});
        let page = page(&commit(serde_json::json!([column, described]))).unwrap();
        assert!(
            page.contains("| `id` (key) | int64 | direct_id |  |\n| `clv` | float64 | behavioral | a \\| b |\n"),
            "{page}"
        );
    }
}
