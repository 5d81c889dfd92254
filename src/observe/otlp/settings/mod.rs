//! Where traces go, by the variables that all exporters of OpenTelemetry share. An empty one counts as not set.

#[cfg(test)]
mod tests;

use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use crate::observe::http::address;
use crate::observe::trace_context::Parent;

/// As the specification has it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What a timeout of zero stands for: none.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What is asked for and is not to be had; without it, sending would fail or be less safe than was wanted.
const UNKNOWN: [&str; 3] = ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"];

/// Where to and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    pub endpoint: Url,
    pub encoding: Encoding,
    /// They may hold secrets.
    pub headers: Pairs,
    /// Of one request.
    pub timeout: Duration,
    /// Attributes of who is traced.
    pub resource: Pairs,
    sampler: Sampler,
}

/// What was read, or why nothing is sent; none: nobody asks for traces.
pub type Read = Result<Option<Settings>, String>;

pub type Pairs = Vec<(String, String)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

/// Which runs are traced, of those without a parent and of those with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sampler {
    Always(bool),
    /// As the parent is; those without one if this is true.
    Parent(bool),
}

impl Settings {
    /// Reads them; what can be passed over is put into `warnings`.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>, warnings: &mut Vec<String>) -> Read {
        let variables = Variables(variable);
        let Some((name, text)) = variables.of_traces("ENDPOINT").filter(|_| !variables.is("OTEL_SDK_DISABLED", "true"))
        else {
            return Ok(None);
        };
        if !variables.exporter()? {
            return Ok(None);
        }
        let encoding = variables.encoding(warnings)?;
        let mut endpoint =
            address(&text).map_err(|_| format!("{name} is no address such as `http://collector:4318`"))?;
        // The address of all signals is the base of each one's.
        if let (false, Ok(mut path)) = (name.contains("TRACES"), endpoint.path_segments_mut()) {
            path.pop_if_empty().extend(["v1", "traces"]);
        }
        let unknown = UNKNOWN.iter().filter_map(|what| variables.of_traces(what));
        warnings.extend(unknown.map(|(name, _)| format!("{name} has no effect: certificates are those of the system")));
        Ok(Some(Settings {
            endpoint,
            encoding,
            headers: variables.headers(warnings),
            timeout: variables.timeout(warnings),
            resource: variables.resource(warnings),
            sampler: variables.sampler(warnings),
        }))
    }

    /// Whether a run with this parent is traced.
    pub fn samples(&self, parent: Option<&Parent>) -> bool {
        match (self.sampler, parent) {
            (Sampler::Always(traced), _) | (Sampler::Parent(traced), None) => traced,
            (Sampler::Parent(_), Some(parent)) => parent.sampled,
        }
    }
}

struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    /// What is set for traces, else for all signals, and the name of its variable.
    fn of_traces(&self, what: &str) -> Option<(String, String)> {
        let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    /// Whether traces go out by OTLP.
    fn exporter(&self) -> Result<bool, String> {
        let Some(value) = self.get("OTEL_TRACES_EXPORTER") else { return Ok(true) };
        let names: Vec<String> = value.split(',').map(|name| name.trim().to_lowercase()).collect();
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        match (has("otlp"), has("none")) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            (false, false) => Err(format!("OTEL_TRACES_EXPORTER is `{value}`, and only `otlp` and `none` are known")),
        }
    }

    fn encoding(&self, warnings: &mut Vec<String>) -> Result<Encoding, String> {
        let Some((name, value)) = self.of_traces("PROTOCOL") else { return Ok(Encoding::Protobuf) };
        match value.to_lowercase().as_str() {
            "http/protobuf" => Ok(Encoding::Protobuf),
            "http/json" => Ok(Encoding::Json),
            "grpc" => Err(format!(
                "{name} is `grpc`, and only `http/protobuf` and `http/json` are spoken, mostly on port 4318"
            )),
            _ => {
                warnings.push(format!("{name} is no protocol of OTLP; traces are sent by `http/protobuf`"));
                Ok(Encoding::Protobuf)
            }
        }
    }

    fn timeout(&self, warnings: &mut Vec<String>) -> Duration {
        let Some((name, value)) = self.of_traces("TIMEOUT") else { return TIMEOUT };
        match value.parse() {
            Ok(0) => TIMEOUT_MAX,
            Ok(milliseconds) => Duration::from_millis(milliseconds).min(TIMEOUT_MAX),
            Err(_) => {
                warnings.push(format!("{name} is no number of milliseconds and is ignored"));
                TIMEOUT
            }
        }
    }

    /// Headers that HTTP knows.
    fn headers(&self, warnings: &mut Vec<String>) -> Pairs {
        let Some((name, value)) = self.of_traces("HEADERS") else { return vec![] };
        let known = |(name, value): &(String, String)| {
            HeaderName::try_from(name.as_str()).is_ok() && HeaderValue::try_from(value.as_str()).is_ok()
        };
        pairs(&value).filter(|pairs| pairs.iter().all(known)).unwrap_or_else(|| {
            warnings
                .push(format!("{name} is no list such as `name=value,name=value`; traces are sent without headers"));
            vec![]
        })
    }

    /// Who is traced. What is set there stands above what goes without saying.
    fn resource(&self, warnings: &mut Vec<String>) -> Pairs {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let set = self.get(NAME).map(|value| pairs(&value));
        if let Some(None) = set {
            warnings.push(format!("{NAME} is no list such as `name=value,name=value` and is ignored"));
        }
        let mut resource = set.flatten().unwrap_or_default();
        let has = |resource: &Pairs, wanted: &str| resource.iter().any(|(name, _)| name == wanted);
        if let Some(service) = self.get("OTEL_SERVICE_NAME") {
            resource.retain(|(name, _)| name != "service.name");
            resource.push(("service.name".to_owned(), service));
        }
        for (name, value) in [("service.name", "patronage"), ("service.version", env!("CARGO_PKG_VERSION"))] {
            if !has(&resource, name) {
                resource.push((name.to_owned(), value.to_owned()));
            }
        }
        resource
    }

    fn sampler(&self, warnings: &mut Vec<String>) -> Sampler {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        match self.get(NAME).unwrap_or_default().to_lowercase().as_str() {
            "always_on" => Sampler::Always(true),
            "always_off" => Sampler::Always(false),
            "" | "parentbased_always_on" => Sampler::Parent(true),
            "parentbased_always_off" => Sampler::Parent(false),
            _ => {
                warnings.push(format!("{NAME} is ignored: of a nightly run, a share cannot be traced"));
                Sampler::Parent(true)
            }
        }
    }
}

/// `name=value,name=value`, values in percent encoding, as W3C's baggage has it. None if it is something else. Of a name
/// that comes again, the last counts.
fn pairs(text: &str) -> Option<Pairs> {
    let mut pairs = Pairs::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        let name = name.trim();
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned();
        if name.is_empty() {
            return None;
        }
        pairs.retain(|(earlier, _)| earlier != name);
        pairs.push((name.to_owned(), value));
    }
    Some(pairs)
}
