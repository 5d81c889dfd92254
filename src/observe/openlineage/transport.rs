//! Where events go beside the run's own file, by the variables that OpenLineage's clients share.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};
use uuid::Uuid;

use super::facets;
use crate::observe::http::{Courier, Message, address};

/// A run that has ended does not wait longer for events that are still to be sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who else gets the events of a run.
#[derive(Default)]
pub struct Transport {
    to: To,
    /// The run that started this one, such as a task of Airflow.
    parent: Option<(String, Value)>,
    /// Instead of the namespace that goes without saying.
    namespace: Option<String>,
}

#[derive(Default)]
enum To {
    #[default]
    Nobody,
    Http {
        courier: Courier,
        url: Url,
        key: Option<String>,
    },
    File(Mutex<File>),
}

impl Transport {
    /// By the variables of the process: `OPENLINEAGE_URL`, `_ENDPOINT`, `_API_KEY`, `_NAMESPACE`, `_PARENT_ID`,
    /// `_DISABLED`, and `OPENLINEAGE__TRANSPORT__TYPE` with `__URL`, `__ENDPOINT`, `__AUTH` or `__LOG_FILE_PATH`.
    pub fn of_process() -> Transport {
        Transport::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Transport {
        if variable("OPENLINEAGE_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Transport::default();
        }
        let parent = variable("OPENLINEAGE_PARENT_ID").and_then(|id| parent(&id));
        Transport { to: to(&variable), parent, namespace: variable("OPENLINEAGE_NAMESPACE") }
    }

    /// The namespace of jobs, where the process is told one.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(super) fn parent(&self) -> Option<(String, Value)> {
        self.parent.clone()
    }

    pub(super) fn send(&self, events: &[Value]) {
        match &self.to {
            To::Nobody => {}
            To::Http { courier, url, key } => {
                for event in events {
                    let message = Message::post(url.clone(), "application/json", event.to_string().into_bytes());
                    courier.send(match key {
                        Some(key) => message.header("authorization", &format!("Bearer {key}")),
                        None => message,
                    });
                }
            }
            To::File(file) => {
                let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(error) = file.write_all(lines.as_bytes()) {
                    tracing::warn!(%error, "the file of OpenLineage's transport cannot be written");
                }
            }
        }
    }
}

fn to(variable: &impl Fn(&str) -> Option<String>) -> To {
    let kind = variable("OPENLINEAGE__TRANSPORT__TYPE").unwrap_or_else(|| "http".to_owned());
    match kind.as_str() {
        "http" => {
            let Some(text) = variable("OPENLINEAGE__TRANSPORT__URL").or_else(|| variable("OPENLINEAGE_URL")) else {
                return To::Nobody;
            };
            let Ok(mut url) = address(&text) else {
                tracing::warn!("the address of OpenLineage's transport cannot be read; no events are sent");
                return To::Nobody;
            };
            let endpoint = variable("OPENLINEAGE__TRANSPORT__ENDPOINT").or_else(|| variable("OPENLINEAGE_ENDPOINT"));
            let endpoint = endpoint.unwrap_or_else(|| "api/v1/lineage".to_owned());
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().extend(endpoint.split('/').filter(|part| !part.is_empty()));
            }
            let auth = variable("OPENLINEAGE__TRANSPORT__AUTH")
                .and_then(|json| serde_json::from_str::<Value>(&json).ok())
                .and_then(|auth| auth.get("apiKey").or_else(|| auth.get("api_key"))?.as_str().map(str::to_owned));
            let key = auth.or_else(|| variable("OPENLINEAGE_API_KEY"));
            To::Http { courier: Courier::start("OpenLineage events", PATIENCE), url, key }
        }
        "file" => {
            let Some(path) = variable("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH") else {
                tracing::warn!("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH is not set; no events are sent");
                return To::Nobody;
            };
            match OpenOptions::new().create(true).append(true).open(&path) {
                Ok(file) => To::File(Mutex::new(file)),
                Err(error) => {
                    tracing::warn!(%error, "the file of OpenLineage's transport cannot be opened: {path}");
                    To::Nobody
                }
            }
        }
        "console" | "noop" => To::Nobody,
        other => {
            tracing::warn!(
                "there is no OpenLineage transport `{other}`: `http` and `file` are known; no events are sent"
            );
            To::Nobody
        }
    }
}

/// `namespace/job/run id`, as Airflow's macro `lineage_parent_id` gives it.
fn parent(id: &str) -> Option<(String, Value)> {
    let (rest, run) = id.rsplit_once('/')?;
    let (namespace, job) = rest.rsplit_once('/')?;
    let run = Uuid::parse_str(run).ok()?;
    Some(facets::parent_of(&json!({"runId": run}), &json!({"namespace": namespace, "name": job})))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{Read, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn transport(variables: &[(&str, &str)]) -> Transport {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        Transport::of(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn events_are_posted_in_their_order_with_the_key() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/marquez/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut text = Vec::new();
                let mut part = [0; 4096];
                while !text.ends_with(b"}") {
                    let read = stream.read(&mut part).unwrap();
                    text.extend_from_slice(&part[..read]);
                }
                stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                heard.push(String::from_utf8(text).unwrap());
            }
            heard
        });
        let transport = transport(&[("OPENLINEAGE_URL", &url), ("OPENLINEAGE_API_KEY", "k3y")]);
        transport.send(&[json!({"n": 1}), json!({"n": 2})]);
        drop(transport);
        let heard = server.join().unwrap();
        for (place, request) in heard.iter().enumerate() {
            let request = request.to_lowercase();
            assert!(request.starts_with("post /marquez/api/v1/lineage http/1.1"), "{request}");
            assert!(request.contains("authorization: bearer k3y"), "{request}");
            assert!(request.ends_with(&format!("{{\"n\":{}}}", place + 1)), "{request}");
        }
    }

    #[test]
    fn a_file_is_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("all.ndjson");
        let path = file.to_str().unwrap();
        let variables = [("OPENLINEAGE__TRANSPORT__TYPE", "file"), ("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", path)];
        for number in 0..2 {
            transport(&variables).send(&[json!({"n": number})]);
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"n\":0}\n{\"n\":1}\n");
    }

    #[test]
    fn a_parent_is_read_as_airflow_writes_it() {
        let run = "0190a3c4-1111-7222-8333-444455556666";
        let transport = transport(&[("OPENLINEAGE_PARENT_ID", &format!("airflow/dag.task/{run}"))]);
        let (name, facet) = transport.parent().unwrap();
        assert_eq!(name, "parent");
        assert_eq!(facet["job"], json!({"namespace": "airflow", "name": "dag.task"}));
        assert_eq!(facet["run"]["runId"], run);
        assert!(parent("no parent").is_none());
    }
}
