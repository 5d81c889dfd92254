//! The few statements that are needed, as each database writes them.

use chrono::NaiveDate;

use super::{Order, OrderKind, Question, Target};

/// How a database writes SQL, where that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    BigQuery,
    /// Names in double quotes, `information_schema` and `current_schema()`: DuckDB, Snowflake and others.
    Standard,
}

impl Dialect {
    /// By what a driver says of its vendor.
    pub fn of(vendor: &str) -> Dialect {
        let vendor = vendor.to_lowercase();
        match () {
            () if vendor.contains("postgres") => Dialect::Postgres,
            () if vendor.contains("bigquery") => Dialect::BigQuery,
            () => Dialect::Standard,
        }
    }

    pub fn name(self, name: &str) -> String {
        match self {
            Dialect::BigQuery => format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    pub fn table(self, target: &Target) -> String {
        let schema = target.schema.iter().map(|schema| format!("{}.", self.name(schema)));
        format!("{}{}", schema.collect::<String>(), self.name(&target.table))
    }

    /// A text that the configuration gives; no row comes here.
    pub fn text(self, text: &str) -> String {
        match self {
            Dialect::BigQuery => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            _ => format!("'{}'", text.replace('\'', "''")),
        }
    }

    fn names(self, names: &[String], prefix: &str) -> String {
        names.iter().map(|name| format!("{prefix}{}", self.name(name))).collect::<Vec<_>>().join(", ")
    }

    /// The names of a table's columns in their order; no row if there is no such table.
    pub fn columns(self, target: &Target) -> String {
        let (catalog, schema) = match (&target.schema, self) {
            (Some(schema), Dialect::BigQuery) => (format!("{}.", self.name(schema)), String::new()),
            (Some(schema), _) => (String::new(), format!(" AND table_schema = {}", self.text(schema))),
            (None, Dialect::BigQuery) => (String::new(), String::new()),
            // Where a name without a schema leads to; current_schema() is where tables are made.
            (None, _) => (String::new(), " AND table_schema = current_schema()".to_owned()),
        };
        let table = self.text(&target.table);
        format!(
            "SELECT column_name FROM {catalog}information_schema.columns WHERE table_name = {table}{schema} ORDER BY ordinal_position"
        )
    }

    /// A query whose rows are those of another, and none of them.
    pub fn no_rows(self, query: &str) -> String {
        format!("SELECT * FROM {} WHERE 1 = 0", within(query))
    }

    /// The rows that a question asks for. A bare text is taken for what a time is compared with.
    pub fn asked(self, question: &Question) -> String {
        let (columns, from) = (self.names(&question.columns, ""), within(&question.query));
        let before = question.before.as_ref().map(|(time, day)| {
            let time = self.name(time);
            format!(" WHERE {time} < '{day}' OR {time} IS NULL")
        });
        let order: Vec<String> = question.order.iter().filter_map(|by| self.ordered(by)).collect();
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        format!("SELECT {columns} FROM {from}{}{order}", before.unwrap_or_default())
    }

    /// A column that decides about the order. PostgreSQL takes texts that are not the same for equal, by their
    /// collation; their bytes are what counts. BigQuery has no order of lists.
    fn ordered(self, by: &Order) -> Option<String> {
        let name = self.name(&by.column);
        match (self, by.kind) {
            (Dialect::Postgres, OrderKind::Text) => Some(format!("{name}::text COLLATE \"C\"")),
            (Dialect::BigQuery, OrderKind::List) => None,
            _ => Some(name),
        }
    }

    /// Statements without which a query could change something; none where there are none.
    pub fn only_read(self) -> Option<&'static str> {
        (self == Dialect::Postgres).then_some("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    }

    /// Lets others who deliver the same wait until the transaction ends; none where the database sees to it.
    pub fn wait_for_others(self, target: &Target) -> Option<String> {
        let key = self.text(&format!("patronage {target}"));
        (self == Dialect::Postgres).then(|| format!("SELECT pg_advisory_xact_lock(hashtext({key}))"))
    }

    pub fn delete_date(self, target: &Target, run_date: NaiveDate) -> String {
        format!("DELETE FROM {} WHERE {} = DATE '{run_date}'", self.table(target), self.name("run_date"))
    }

    /// Removes the rows whose key is among the staged ones, unless they are of a later date.
    pub fn delete_keys(self, target: &Target, staged: &Target, key: &[String], run_date: NaiveDate) -> String {
        let (table, staged, same) = (self.table(target), self.table(staged), self.same(key));
        let date = self.name("run_date");
        format!(
            "DELETE FROM {table} held WHERE held.{date} <= DATE '{run_date}' AND EXISTS (SELECT 1 FROM {staged} staged WHERE {same})"
        )
    }

    /// Takes the staged rows over. With a key, only those whose key is not there.
    pub fn insert(self, target: &Target, staged: &Target, columns: &[String], key: Option<&[String]>) -> String {
        let (table, staged) = (self.table(target), self.table(staged));
        let unless = key.map(|key| format!(" WHERE NOT EXISTS (SELECT 1 FROM {table} held WHERE {})", self.same(key)));
        let (into, from) = (self.names(columns, ""), self.names(columns, "staged."));
        format!("INSERT INTO {table} ({into}) SELECT {from} FROM {staged} staged{}", unless.unwrap_or_default())
    }

    fn same(self, key: &[String]) -> String {
        key.iter().map(|name| format!("held.{0} = staged.{0}", self.name(name))).collect::<Vec<_>>().join(" AND ")
    }
}

/// A query as a table of another. It may end with a comment.
fn within(query: &str) -> String {
    format!("(\n{}\n) patronage_source", query.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(column: &str, kind: OrderKind) -> Order {
        Order { column: column.to_owned(), kind }
    }

    #[test]
    fn a_query_is_asked_for_columns_and_times_in_an_order() {
        let question = Question {
            query: "SELECT * FROM orders -- all of them\n".to_owned(),
            columns: vec!["id".to_owned(), "at".to_owned()],
            before: Some(("at".to_owned(), NaiveDate::default())),
            order: vec![by("at", OrderKind::Other), by("id", OrderKind::Text), by("tags", OrderKind::List)],
        };
        let within = "(\nSELECT * FROM orders -- all of them\n) patronage_source";
        assert_eq!(
            Dialect::Postgres.asked(&question),
            format!(
                "SELECT \"id\", \"at\" FROM {within} WHERE \"at\" < '1970-01-01' OR \"at\" IS NULL ORDER BY \"at\", \"id\"::text COLLATE \"C\", \"tags\""
            )
        );
        assert!(Dialect::BigQuery.asked(&question).ends_with(" ORDER BY `at`, `id`"));
        let all = Question { before: None, order: vec![], ..question.clone() };
        assert_eq!(Dialect::BigQuery.asked(&all), format!("SELECT `id`, `at` FROM {within}"));
        assert_eq!(Dialect::Standard.no_rows(&question.query), format!("SELECT * FROM {within} WHERE 1 = 0"));
    }

    #[test]
    fn names_are_quoted_as_the_database_does() {
        let target = Target { schema: Some("a\"b".to_owned()), table: "t".to_owned() };
        assert_eq!(Dialect::Standard.table(&target), "\"a\"\"b\".\"t\"");
        assert_eq!(Dialect::of("Google BigQuery").table(&target), "`a\"b`.`t`");
        assert_eq!(Dialect::of("PostgreSQL"), Dialect::Postgres);
        assert_eq!(Dialect::Postgres.text("it's"), "'it''s'");
    }

    #[test]
    fn an_upsert_leaves_later_rows_alone() {
        let target = Target { schema: None, table: "t".to_owned() };
        let staged = target.beside("s");
        let (key, date) = (["a".to_owned(), "b".to_owned()], NaiveDate::default());
        assert_eq!(
            Dialect::Standard.delete_keys(&target, &staged, &key, date),
            "DELETE FROM \"t\" held WHERE held.\"run_date\" <= DATE '1970-01-01' AND EXISTS (SELECT 1 FROM \"s\" staged \
             WHERE held.\"a\" = staged.\"a\" AND held.\"b\" = staged.\"b\")"
        );
        assert_eq!(
            Dialect::Standard.insert(&target, &staged, &key, Some(&key[..1])),
            "INSERT INTO \"t\" (\"a\", \"b\") SELECT staged.\"a\", staged.\"b\" FROM \"s\" staged WHERE NOT EXISTS (SELECT 1 \
             FROM \"t\" held WHERE held.\"a\" = staged.\"a\")"
        );
    }
}
