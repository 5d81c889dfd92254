use std::collections::HashMap;

use super::*;

fn read(variables: &[(&str, &str)]) -> (Read, Vec<String>) {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let mut warnings = Vec::new();
    let read = Settings::read(&|name| variables.get(name).map(|value| (*value).to_owned()), &mut warnings);
    (read, warnings)
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

#[track_caller]
fn with(variables: &[(&str, &str)]) -> Settings {
    let (read, warnings) = read(&[&[ENDPOINT], variables].concat());
    assert_eq!(warnings, Vec::<String>::new());
    read.unwrap().unwrap()
}

#[test]
fn nobody_is_asked_unless_a_variable_says_so() {
    for variables in [
        &[][..],
        &[("OTEL_TRACES_EXPORTER", "otlp")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
        &[ENDPOINT, ("OTEL_SDK_DISABLED", "True")],
        &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
    ] {
        assert_eq!(read(variables), (Ok(None), vec![]), "{variables:?}");
    }
    with(&[("OTEL_SDK_DISABLED", "yes"), ("OTEL_TRACES_EXPORTER", "console, otlp")]);
}

#[test]
fn the_address_of_all_signals_is_a_base_and_that_of_traces_is_not() {
    assert_eq!(with(&[]).endpoint.as_str(), "http://collector:4318/v1/traces");
    let base = with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a.example/otlp/?key=1")]);
    assert_eq!(base.endpoint.as_str(), "https://a.example/otlp/v1/traces?key=1");
    let own = with(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:9/api")]);
    assert_eq!(own.endpoint.as_str(), "http://traces:9/api");
}

#[test]
fn what_is_of_traces_stands_above_what_is_of_all_signals() {
    let settings = with(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "HTTP/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "general=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key = a%20b%2Cc , x=1=2,"),
    ]);
    assert_eq!((settings.encoding, settings.timeout), (Encoding::Json, Duration::from_millis(2500)));
    let wanted = [("api-key", "a b,c"), ("x", "1=2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(settings.headers, wanted);
    assert_eq!((with(&[]).encoding, with(&[]).timeout), (Encoding::Protobuf, TIMEOUT));
}

#[test]
fn a_service_has_its_name_and_version() {
    let resource = |variables: &[(&str, &str)]| {
        let resource = with(variables).resource;
        resource.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let version = concat!("service.version=", env!("CARGO_PKG_VERSION"));
    assert_eq!(resource(&[]), ["service.name=patronage", version]);
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,deployment.environment.name=prod%3D1");
    assert_eq!(resource(&[attributes]), ["service.name=shop", "deployment.environment.name=prod=1", version]);
    let named = [attributes, ("OTEL_SERVICE_NAME", "nights")];
    assert_eq!(resource(&named), ["deployment.environment.name=prod=1", "service.name=nights", version]);
}

#[test]
fn parents_decide_unless_a_sampler_does() {
    let parent = |sampled| Parent { trace_id: [1; 16], span_id: [1; 8], sampled, state: String::new() };
    for (sampler, wanted) in [
        ("", [true, true, false]),
        ("parentbased_always_on", [true, true, false]),
        ("parentbased_always_off", [false, true, false]),
        ("always_on", [true; 3]),
        ("ALWAYS_OFF", [false; 3]),
    ] {
        let settings = with(&[("OTEL_TRACES_SAMPLER", sampler)]);
        let samples = [None, Some(parent(true)), Some(parent(false))].map(|parent| settings.samples(parent.as_ref()));
        assert_eq!(samples, wanted, "{sampler}");
    }
}

#[test]
fn what_cannot_be_done_is_told_without_secrets() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cret:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "unix:///s3cret"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
    ] {
        let why = read(&[ENDPOINT, (name, value)]).0.unwrap_err();
        assert!(why.starts_with(name) && !why.contains("s3cret"), "{why}");
    }
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization: s3cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "k=s3cret%0A"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "k=%FFs3cret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "=s3cret"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
    ] {
        let (read, warnings) = read(&[ENDPOINT, (name, value)]);
        assert!(read.unwrap().unwrap().headers.is_empty(), "{name}");
        let [warning] = warnings.as_slice() else { panic!("{name}: {warnings:?}") };
        assert!(warning.starts_with(name) && !warning.contains("s3cret"), "{warning}");
    }
}
