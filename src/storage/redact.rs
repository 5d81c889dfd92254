//! Removes credentials from error texts: S3 servers and HTTP clients quote requests back.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

const LONGEST: usize = 600;
const SECRETS: [&str; 6] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
];
const SIGNED: [&str; 3] = ["X-Amz-Signature=", "X-Amz-Credential=", "X-Amz-Security-Token="];

/// Every secret that was read from a file or another variable. It is common to the process, because whatever error
/// quotes one must not show it, whoever it belongs to.
static READ: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A secret: its `Debug` shows nothing of it, and neither does any error of storage.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(secret: String) -> Hidden {
        READ.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.clone());
        Hidden(secret)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `text` on one line, at most 600 characters, S3's XML cut to code and message, credentials starred out.
pub(crate) fn redact(text: &str) -> String {
    let variables = SECRETS.iter().filter_map(|name| std::env::var(name).ok());
    let read = READ.lock().unwrap_or_else(PoisonError::into_inner).clone();
    redact_with(text, variables.chain(read))
}

fn redact_with(text: &str, secrets: impl Iterator<Item = String>) -> String {
    let mut text = shorten_xml(text);
    // One may be the beginning of another.
    let mut secrets: Vec<String> = secrets.filter(|secret| secret.len() >= 4).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        text = text.replace(&secret, "***");
    }
    for marker in SIGNED {
        text = star_values(&text, marker);
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Paths keep their inner spaces: only line breaks and overlong texts are worth rewriting.
    let text = if text.contains('\n') { line } else { text };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// S3 answers a bad signature with the access key and the string it signed: keep code and message only.
fn shorten_xml(text: &str) -> String {
    let start = text.find("<?xml").or_else(|| text.find("<Error>"));
    let Some((before, xml)) = start.and_then(|start| text.split_at_checked(start)) else {
        return text.to_owned();
    };
    let code = element(xml, "Code").unwrap_or("an error");
    let message = element(xml, "Message").unwrap_or_default();
    format!("{before}{code}: {message}").trim_end_matches([':', ' ']).to_owned()
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inner, _)| inner)
}

fn star_values(text: &str, marker: &str) -> String {
    let mut pieces = text.split(marker);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(['&', ' ', '"', ')']).unwrap_or(piece.len());
        out.push_str(marker);
        out.push_str("***");
        out.push_str(piece.get(end..).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_signatures_vanish() {
        let text = "PUT http://s3/b?X-Amz-Signature=abc123&x=1 with hunter22 failed";
        let out = redact_with(text, ["hunter22".to_owned()].into_iter());
        assert_eq!(out, "PUT http://s3/b?X-Amz-Signature=***&x=1 with *** failed");
    }

    #[test]
    fn a_secret_that_begins_like_another_leaves_none_of_it() {
        let secrets = ["test-", "test-secret"].map(str::to_owned).into_iter();
        assert_eq!(redact_with("GET with test-secret", secrets), "GET with ***");
    }

    #[test]
    fn secrets_that_were_read_are_known() {
        let secret = Hidden::new("read-from-a-file".to_owned());
        assert_eq!(redact("GET with read-from-a-file failed"), "GET with *** failed");
        assert_eq!(format!("{secret:?}"), "***");
    }

    #[test]
    fn xml_is_cut_to_code_and_message() {
        let text = "403: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code>\
                    <Message>no</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        assert_eq!(redact_with(text, std::iter::empty()), "403: SignatureDoesNotMatch: no");
    }

    #[test]
    fn long_texts_are_cut_on_a_character() {
        let out = redact_with(&"é".repeat(LONGEST + 5), std::iter::empty());
        assert_eq!(out.chars().count(), LONGEST + 1);
    }
}
