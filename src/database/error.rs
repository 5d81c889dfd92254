//! What can go wrong with a database.

/// What kind of trouble it is, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The driver's library is not there or is none.
    Driver,
    /// It may go well later: no connection, a deadlock, no room.
    Transient,
    /// The server does not let us in or does not permit it.
    Denied,
    /// What is asked for makes no sense there: no such table, another type.
    Refused,
    /// The rows are against a rule of the table.
    Data,
    /// The file of the rows cannot be read.
    File,
    /// The run is to stop.
    Stopped,
}

/// Trouble with a database. The message completes "failed to …" and holds neither a row nor a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DatabaseError {
    pub kind: Kind,
    pub message: String,
}

impl DatabaseError {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> DatabaseError {
        DatabaseError { kind, message: message.into() }
    }
}

#[cfg(feature = "adbc")]
pub(super) use of_adbc::lost;

#[cfg(feature = "adbc")]
mod of_adbc {
    use adbc_core::error::{Error, Status};
    use arrow::error::ArrowError;

    use super::{DatabaseError, Kind};
    use crate::storage::redact;

    impl DatabaseError {
        /// What a driver says. `doing` completes "failed to …".
        pub(in crate::database) fn of(doing: &str, error: &Error) -> DatabaseError {
            DatabaseError::told(doing, error, |_| true)
        }

        /// What a driver says of a query of the user's as it is looked at: only what is known to be of the query itself
        /// is told.
        pub(in crate::database) fn of_query(doing: &str, error: &Error) -> DatabaseError {
            DatabaseError::told(doing, error, |kind| {
                let of_query = ["Parser", "Binder", "Catalog", "Permission"];
                let starts = |word: &str| error.message.starts_with(&format!("{word} Error:"));
                kind != Kind::Refused || sqlstate(error).starts_with("42") || of_query.iter().any(|word| starts(word))
            })
        }

        /// What a driver says of it as it is run: it may be of any value, and is not told.
        pub(in crate::database) fn of_rows(doing: &str, error: &Error) -> DatabaseError {
            DatabaseError::told(doing, error, |_| false)
        }

        fn told(doing: &str, error: &Error, may_be_told: impl Fn(Kind) -> bool) -> DatabaseError {
            let state = sqlstate(error);
            let found = connecting(&error.message).or_else(|| of_value(&error.message));
            let kind = found.unwrap_or_else(|| kind(error.status, &state));
            let told = match kind {
                // What a server says of a value repeats it.
                Kind::Data => REFUSED_VALUE.to_owned(),
                kind if may_be_told(kind) => redact(first_line(&error.message)),
                Kind::Transient => "the server gave the query up; its log says why".to_owned(),
                _ => "the server refuses the query; its log says why".to_owned(),
            };
            let state = if state.is_empty() { String::new() } else { format!(" (SQLSTATE {state})") };
            DatabaseError::new(kind, format!("{doing}: {told}{state}"))
        }
    }

    const REFUSED_VALUE: &str = "the server refuses a value; its log says which";

    /// What DuckDB says of a value. It gives no SQLSTATE.
    fn of_value(message: &str) -> Option<Kind> {
        let words = ["Conversion", "Invalid Input", "Out of Range", "Constraint", "Mismatch Type", "Cast", "Decimal"];
        words.iter().any(|word| message.starts_with(&format!("{word} Error:"))).then_some(Kind::Data)
    }

    /// Rows ended before their end. All that is left of why is a text, which may quote one and is not told.
    pub(in crate::database) fn lost(doing: &str, error: &ArrowError) -> DatabaseError {
        let text = error.to_string();
        let passing = [
            "cancel",
            "connection",
            "closed",
            "terminat",
            "timeout",
            "timed out",
            "deadline",
            "deadlock",
            "serialize",
            "memory",
            "space left",
            "file size",
            "unavailable",
            "reset",
            "eof",
            "shutting down",
        ];
        let text = text.to_lowercase();
        if text.contains("in a read-only transaction") {
            return DatabaseError::new(Kind::Refused, format!("{doing}: the query would change something there"));
        }
        if passing.iter().any(|word| text.contains(word)) {
            return DatabaseError::new(Kind::Transient, format!("{doing}: the rows ended before their end"));
        }
        let why = "the server or its driver refuses a value; its log says which";
        DatabaseError::new(Kind::Data, format!("{doing}: {why}"))
    }

    /// What libpq and DuckDB say of a connection that does not come about. They give no SQLSTATE, and only some of it
    /// passes.
    fn connecting(message: &str) -> Option<Kind> {
        if message.starts_with("IO Error: Could not set lock") {
            return Some(Kind::Transient);
        }
        let told = message.strip_prefix("[libpq] Failed to connect: ")?;
        let busy = ["starting up", "shutting down", "recovery", "too many clients", "connection slots"];
        let reached = told.contains("FATAL:") && !busy.iter().any(|word| told.contains(word));
        let sought = told.starts_with("connection to server") || told.starts_with("could not translate host name");
        Some(match (reached, sought) {
            (true, _) => Kind::Denied,
            (false, true) => Kind::Transient,
            (false, false) => Kind::Refused,
        })
    }

    /// Further lines hold details, which quote rows.
    fn first_line(message: &str) -> &str {
        let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
        line.split(" Query was:").next().unwrap_or(line)
    }

    /// Five letters and digits, or nothing.
    fn sqlstate(error: &Error) -> String {
        let letters: String = error.sqlstate.iter().map(|letter| char::from(letter.cast_unsigned())).collect();
        let is_one = letters.chars().all(|letter| letter.is_ascii_alphanumeric()) && letters != "00000";
        if is_one { letters } else { String::new() }
    }

    fn kind(status: Status, state: &str) -> Kind {
        match state.get(..2) {
            Some("08" | "40" | "53" | "55" | "57" | "58") => return Kind::Transient,
            Some("28") => return Kind::Denied,
            Some("22" | "23") => return Kind::Data,
            Some("42") if state == "42501" => return Kind::Denied,
            Some("42") => return Kind::Refused,
            _ => {}
        }
        match status {
            Status::IO | Status::Timeout | Status::Cancelled => Kind::Transient,
            Status::Unauthenticated | Status::Unauthorized => Kind::Denied,
            Status::InvalidData | Status::Integrity => Kind::Data,
            _ => Kind::Refused,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn error(message: &str, status: Status, state: &[u8; 5]) -> Error {
            let mut error = Error::with_message_and_status(message, status);
            error.sqlstate = state.map(u8::cast_signed);
            error
        }

        #[test]
        fn no_row_is_told() {
            let duplicate = error("duplicate key\nDETAIL: Key (email)=(ann@example.org)", Status::Integrity, b"23505");
            let text = error("invalid input syntax for type integer: \"ann\"", Status::InvalidArguments, b"22P02");
            for one in [duplicate, text] {
                let told = DatabaseError::of("deliver", &one);
                assert!(told.kind == Kind::Data && !told.message.contains("ann"), "{told}");
            }
            for told in [
                "Conversion Error: Could not convert string 'ann' to INT32",
                "Constraint Error: Duplicate key \"x: ann\" violates primary key constraint.",
            ] {
                let told = DatabaseError::of("deliver", &error(told, Status::InvalidArguments, b"\0\0\0\0\0"));
                assert!(told.kind == Kind::Data && !told.message.contains("ann"), "{told}");
            }
            let strange = DatabaseError::of_query("read", &error("bad: ann", Status::Unknown, b"\0\0\0\0\0"));
            assert!(strange.kind == Kind::Refused && !strange.message.contains("ann"), "{strange}");
            let misspelt = error("Parser Error: near FORM\n…", Status::Internal, b"\0\0\0\0\0");
            assert_eq!(DatabaseError::of_query("read", &misspelt).message, "read: Parser Error: near FORM");
            let rows = |text: &str| lost("read", &ArrowError::CDataInterface(text.to_owned()));
            let value = rows("Producer error: ERROR: invalid input syntax for type bigint: \"ann\"");
            assert!(value.kind == Kind::Data && !value.message.contains("ann"), "{value}");
            assert_eq!(rows("ERROR: canceling statement due to conflict: ann").kind, Kind::Transient);
            assert_eq!(rows("server closed the connection unexpectedly").kind, Kind::Transient);
            assert_eq!(rows("ERROR: temporary file size exceeds temp_file_limit (1024kB)").kind, Kind::Transient);
            assert_eq!(rows("expected array lower bound of 1 but got 5").kind, Kind::Data);
            let folded = error("ERROR: relation \"ann\" does not exist", Status::Unknown, b"42P01");
            let told = DatabaseError::of_rows("read", &folded);
            assert!(told.message.ends_with("its log says why (SQLSTATE 42P01)"), "{told}");
            let missing = DatabaseError::of("read", &error("no such table\nLINE 1: …", Status::Unknown, b"42P01"));
            assert_eq!(missing.message, "read: no such table (SQLSTATE 42P01)");
        }

        #[test]
        fn who_is_not_let_in_need_not_try_again() {
            let of = |told: &str| connecting(&format!("[libpq] Failed to connect: {told}"));
            let server = "connection to server at \"db\", port 5432 failed:";
            assert_eq!(of(&format!("{server} Connection refused")), Some(Kind::Transient));
            assert_eq!(of(&format!("{server} FATAL:  the database system is starting up")), Some(Kind::Transient));
            assert_eq!(of(&format!("{server} FATAL:  password authentication failed for user")), Some(Kind::Denied));
            assert_eq!(of("invalid port number"), Some(Kind::Refused));
            assert_eq!(connecting("IO Error: Could not set lock on file \"wh.duckdb\""), Some(Kind::Transient));
            assert_eq!(connecting("no such table"), None);
        }

        #[test]
        fn what_may_pass_is_tried_again() {
            let of = |status, state| DatabaseError::of("x", &error("y", status, state)).kind;
            assert_eq!(of(Status::IO, b"\0\0\0\0\0"), Kind::Transient);
            assert_eq!(of(Status::Unknown, b"40P01"), Kind::Transient);
            assert_eq!(of(Status::Unknown, b"28P01"), Kind::Denied);
            assert_eq!(of(Status::Unknown, b"42501"), Kind::Denied);
            assert_eq!(of(Status::InvalidArguments, b"00000"), Kind::Refused);
        }
    }
}
