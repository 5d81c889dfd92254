//! Telling others over HTTP. Whoever cannot be reached is told nothing, and nothing fails because of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

/// Nobody at 2 a.m. waits longer for a metric.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A request that is to be sent.
#[derive(Debug, Clone)]
pub struct Message {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub timeout: Duration,
}

impl Message {
    pub fn post(url: Url, content_type: &'static str, body: Vec<u8>) -> Message {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(content_type))].into_iter().collect();
        Message { method: Method::POST, url, headers, body, timeout: TIMEOUT }
    }

    /// With a header whose value is shown nowhere. Names and values that HTTP does not know are left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Message {
        if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }
}

/// Sends a message, from a thread that may block.
///
/// # Errors
/// Why it did not arrive; without the path of the address, which may be a secret.
pub fn send(message: Message) -> Result<(), String> {
    let work = move || {
        let (runtime, client) = engine()?;
        runtime.block_on(sent(&client, message))
    };
    // The caller may be inside of a runtime, which must not be blocked by another.
    std::thread::spawn(work).join().unwrap_or_else(|_| Err("the request was lost".to_owned()))
}

/// What sends. A machine without certificates has none.
fn engine() -> Result<(tokio::runtime::Runtime, reqwest::Client), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Whoever sends us elsewhere would get our headers there.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    Ok((
        runtime.map_err(|error| error.to_string())?,
        client.map_err(|_| "HTTP: no client can be made, perhaps for want of certificates".to_owned())?,
    ))
}

async fn sent(client: &reqwest::Client, message: Message) -> Result<(), String> {
    let host = message.url.host_str().unwrap_or_default().to_owned();
    let request = client.request(message.method, message.url).headers(message.headers).timeout(message.timeout);
    let answer = request.body(message.body).send().await.map_err(|error| {
        let why = match () {
            () if error.is_timeout() => "no answer in time",
            () if error.is_connect() => "no connection",
            () => "the request failed",
        };
        format!("{host}: {why}")
    })?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("{host} answered {status}")) }
}

/// Sends messages in their order, while the work that they tell of goes on.
pub struct Courier {
    what: &'static str,
    /// So long is waited at the end for what is still to be sent.
    patience: Duration,
    sender: Option<Sender<Message>>,
    /// Nobody waits any more.
    given_up: Arc<AtomicBool>,
    /// Closed once nothing more is sent.
    ended: Mutex<Receiver<()>>,
}

impl Courier {
    /// `what`: what is sent, for the warning if it does not arrive. After the first that does not, none is sent: whoever
    /// is away must not hold up the run.
    pub fn start(what: &'static str, patience: Duration) -> Courier {
        let (sender, receiver) = channel::<Message>();
        let (end, ended) = channel::<()>();
        let given_up = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&given_up);
        // What it warns of belongs to the run.
        let scope = tracing::Span::current();
        let work = move || {
            let _end = end;
            scope.in_scope(|| carry(what, &receiver, &over));
        };
        // Without a thread nothing is sent, as if the other side were away.
        if let Err(error) = std::thread::Builder::new().spawn(work) {
            tracing::warn!("failed to send {what}: {error}");
        }
        Courier { what, patience, sender: Some(sender), given_up, ended: Mutex::new(ended) }
    }

    pub fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            // Nobody receives any more after a failure, of which the log knows.
            let _ = sender.send(message);
        }
    }
}

/// Sends what comes until no more can come, one message does not arrive, or nobody waits.
fn carry(what: &str, messages: &Receiver<Message>, over: &AtomicBool) {
    let warn = |text: &str| {
        if !over.load(Ordering::SeqCst) {
            tracing::warn!("failed to send {what} {text}");
        }
    };
    let (runtime, client) = match engine() {
        Ok(engine) => engine,
        Err(error) => return warn(&format!("by {error}")),
    };
    for message in messages.iter().take_while(|_| !over.load(Ordering::SeqCst)) {
        if let Err(error) = runtime.block_on(sent(&client, message)) {
            return warn(&format!("to {error}; no more are sent"));
        }
    }
}

impl Drop for Courier {
    /// Waits until all have arrived, or one has not, or it takes too long.
    fn drop(&mut self) {
        self.sender.take();
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(self.patience) == Err(RecvTimeoutError::Timeout) {
            self.given_up.store(true, Ordering::SeqCst);
            tracing::warn!("failed to send the last {}: it takes too long", self.what);
        }
    }
}

/// Reads an address of `http` or `https`.
///
/// # Errors
/// What it should be.
pub fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| "expected an address such as `https://host/path`".to_owned())
}
