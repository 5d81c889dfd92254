//! Who a run is in a trace. Ids are derived from the run's and the node's, so the log and the spans agree without
//! memory that they share.

use std::fmt::Write;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub type TraceId = [u8; 16];
pub type SpanId = [u8; 8];

/// Holds who started this process, as W3C's `traceparent` writes it.
const PARENT_VARIABLE: &str = "TRACEPARENT";
const STATE_VARIABLE: &str = "TRACESTATE";
/// So long a `tracestate` is passed on by everyone.
const STATE_CHARACTERS_MAX: usize = 512;

/// The trace that this process is told to be part of, if any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    pub parent: Option<Parent>,
}

/// The span that started this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    /// Whether it is recorded itself.
    pub sampled: bool,
    /// What others have noted in `tracestate`.
    pub state: String,
}

impl TraceContext {
    /// By the variables `TRACEPARENT` and `TRACESTATE`, read once. What cannot be read counts as not there.
    pub fn of_process() -> &'static TraceContext {
        static CONTEXT: OnceLock<TraceContext> = OnceLock::new();
        CONTEXT.get_or_init(|| {
            let parent = std::env::var(PARENT_VARIABLE).ok().and_then(|text| parse(text.trim()));
            let state = std::env::var(STATE_VARIABLE).unwrap_or_default();
            TraceContext { parent: parent.map(|parent| Parent { state: passed_on(&state), ..parent }) }
        })
    }

    /// That of the parent, else the run's UUID.
    pub fn trace_id(&self, run_id: &str) -> TraceId {
        self.parent.as_ref().map_or_else(|| uuid_of_run(run_id).into_bytes(), |parent| parent.trace_id)
    }
}

/// Warns of a `TRACEPARENT` that cannot be read.
pub fn check() {
    let given = std::env::var_os(PARENT_VARIABLE).is_some_and(|value| !value.is_empty());
    if given && TraceContext::of_process().parent.is_none() {
        tracing::warn!("{PARENT_VARIABLE} is no trace context as W3C defines it and is ignored");
    }
}

/// The id of a node's span; without a node, that of the run's.
pub fn span_id(run_id: &str, node: Option<&str>) -> SpanId {
    let mut id = [0; 8];
    for (byte, digest) in id.iter_mut().zip(digest(&["span", run_id, node.unwrap_or_default()])) {
        *byte = digest;
    }
    // All zeros are no id.
    if id == [0; 8] { 1_u64.to_be_bytes() } else { id }
}

/// The run's id as a UUID. A run id that is none gives one nevertheless.
pub fn uuid_of_run(run_id: &str) -> Uuid {
    Uuid::parse_str(run_id).ok().filter(|id| !id.is_nil()).unwrap_or_else(|| derived(&[run_id]))
}

/// The same UUID for the same parts: version 8 (RFC 9562), from SHA-256.
pub fn derived(parts: &[&str]) -> Uuid {
    let mut bytes = [0; 16];
    for (byte, digest) in bytes.iter_mut().zip(digest(parts)) {
        *byte = digest;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn digest(parts: &[&str]) -> impl IntoIterator<Item = u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads `00-<trace id>-<span id>-<flags>`. Later versions may have more behind it.
fn parse(text: &str) -> Option<Parent> {
    let mut parts = text.splitn(5, '-');
    let [version] = digits(parts.next()?)?;
    let (trace_id, span_id, [flags]) = (digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?);
    let more = parts.next().is_some();
    let known = version != 0xff && (version > 0 || !more);
    let parent = Parent { trace_id, span_id, sampled: flags & 1 == 1, state: String::new() };
    (known && parent.trace_id != [0; 16] && parent.span_id != [0; 8]).then_some(parent)
}

/// Bytes from exactly so many lower-case digits.
fn digits<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let valid = text.len() == 2 * BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; BYTES];
    for (place, byte) in bytes.iter_mut().enumerate().filter(|_| valid) {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    valid.then_some(bytes)
}

/// What may go on to others: a whole list of a sensible length, or nothing.
fn passed_on(state: &str) -> String {
    let state = state.trim();
    let valid = state.len() <= STATE_CHARACTERS_MAX && state.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if valid { state.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_parent_is_read_as_w3c_defines_it() {
        let parent = parse(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!((hex(&parent.trace_id), hex(&parent.span_id), parent.sampled), (TRACE.into(), SPAN.into(), true));
        assert!(!parse(&format!("00-{TRACE}-{SPAN}-02")).unwrap().sampled);
        assert!(parse(&format!("cc-{TRACE}-{SPAN}-01-what-comes")).is_some(), "a later version has more");
        for wrong in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01.what"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}é-{SPAN}-01"),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_are_those_of_the_run_and_the_parents() {
        let run = "019b0e5c-7d1a-7cc3-98c4-dc0c0c07398f";
        let alone = TraceContext::default();
        assert_eq!(hex(&alone.trace_id(run)), run.replace('-', ""));
        let told = TraceContext { parent: parse(&format!("00-{TRACE}-{SPAN}-01")) };
        assert_eq!(hex(&told.trace_id(run)), TRACE);
        let ids = [span_id(run, None), span_id(run, Some("stage.a")), span_id("other", Some("stage.a"))];
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && !ids.contains(&[0; 8]));
        assert_eq!(ids[1], span_id(run, Some("stage.a")));
    }

    #[test]
    fn a_run_id_that_is_no_uuid_still_gives_one() {
        assert_eq!(derived(&["a", "b"]), derived(&["a", "b"]));
        assert_ne!(derived(&["a", "b"]), derived(&["ab"]));
        assert_eq!(uuid_of_run("run").get_version_num(), 8);
        assert!(!uuid_of_run("00000000-0000-0000-0000-000000000000").is_nil());
    }

    #[test]
    fn only_a_sensible_state_is_passed_on() {
        assert_eq!(passed_on(" vendor=1,other=2 "), "vendor=1,other=2");
        assert_eq!(passed_on("a=ü"), "");
        assert_eq!(passed_on(&"a".repeat(513)), "");
    }
}
