//! Telling others over HTTP. Whoever cannot be reached is told nothing, and nothing fails because of it.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

/// Nobody at 2 a.m. waits longer for a metric.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Nor does a run that has ended wait longer for messages that are still to be sent.
const PATIENCE: Duration = Duration::from_secs(30);

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
    let client = reqwest::Client::builder().build();
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
    sender: Option<Sender<Message>>,
    /// Since when no more can come.
    ended: Arc<OnceLock<Instant>>,
    thread: Option<JoinHandle<()>>,
}

impl Courier {
    /// `what`: what is sent, for the warning if it does not arrive. After the first that does not, none is sent: whoever
    /// is away must not hold up the run.
    pub fn start(what: &'static str) -> Courier {
        let (sender, receiver) = channel::<Message>();
        let ended = Arc::new(OnceLock::new());
        let over = Arc::clone(&ended);
        let work = move || {
            let engine = engine().inspect_err(|error| tracing::warn!("failed to send {what} by {error}"));
            let Ok((runtime, client)) = engine else { return };
            for message in receiver {
                if over.get().is_some_and(|since: &Instant| since.elapsed() > PATIENCE) {
                    tracing::warn!("failed to send the last {what}: it takes too long");
                    break;
                }
                if let Err(error) = runtime.block_on(sent(&client, message)) {
                    tracing::warn!("failed to send {what} to {error}; no more are sent");
                    break;
                }
            }
        };
        Courier { sender: Some(sender), ended, thread: std::thread::Builder::new().spawn(work).ok() }
    }

    pub fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            // Nobody receives any more after a failure, of which the log knows.
            let _ = sender.send(message);
        }
    }
}

impl Drop for Courier {
    /// Waits until all have arrived, or one has not, or it takes too long.
    fn drop(&mut self) {
        let _ = self.ended.set(Instant::now());
        self.sender.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
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
