//! Where spans are sent: `--otlp`, else what OpenTelemetry's own variables say.

use std::time::Duration;

use crate::Failure;
use crate::web_client;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const PATH: &str = "/v1/traces";

/// The one protocol that is spoken here.
const PROTOCOL: &str = "http/protobuf";

/// How long one export may take unless a variable says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// None where no spans are wanted.
pub fn endpoint(otlp: Option<&str>) -> Result<Option<String>, Failure> {
    let found = choose(otlp, |name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    found.map_err(Failure::usage)
}

/// OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, OTEL_EXPORTER_OTLP_TIMEOUT: milliseconds.
pub fn timeout() -> Duration {
    let read = |name| std::env::var(name).ok()?.parse().ok().map(Duration::from_millis);
    read("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
        .or_else(|| read("OTEL_EXPORTER_OTLP_TIMEOUT"))
        .unwrap_or(TIMEOUT)
}

fn choose(otlp: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    if let Some(url) = otlp {
        return of_signal("--otlp", url).map(Some);
    }
    let is_disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let is_for_others = variable("OTEL_TRACES_EXPORTER")
        .is_some_and(|list| list.split(',').all(|exporter| exporter.trim() != "otlp"));
    let found = match (variable(TRACES_ENDPOINT), variable(ENDPOINT)) {
        _ if is_disabled || is_for_others => return Ok(None),
        (Some(url), _) => checked(TRACES_ENDPOINT, url)?,
        (None, Some(url)) => of_signal(ENDPOINT, &url)?,
        (None, None) => return Ok(None),
    };
    let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        .or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"))
        .filter(|protocol| protocol != PROTOCOL);
    if let Some(protocol) = protocol {
        // It may be meant for handlers.
        tracing::warn!(
            "no spans are sent: the environment asks for OTLP by {protocol}, and this program speaks {PROTOCOL}"
        );
        return Ok(None);
    }
    Ok(Some(found))
}

/// The address of a collector, or of its traces.
fn of_signal(name: &str, url: &str) -> Result<String, String> {
    web_client::read_url(name, url)?;
    let base = url.trim_end_matches('/');
    let full = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
    checked(name, full)
}

fn checked(name: &str, url: String) -> Result<String, String> {
    let uri = web_client::read_url(name, &url)?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(format!(
            "{name}: a user in the address is not sent; put a header into OTEL_EXPORTER_OTLP_HEADERS"
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(otlp: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        choose(otlp, |name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_flag_names_a_collector_or_its_traces() {
        for url in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(chosen(Some(url), &[]), Ok(Some("http://c:4318/v1/traces".into())), "{url}");
        }
        let under_a_path = chosen(Some("https://c/otlp"), &[(ENDPOINT, "http://other:1")]);
        assert_eq!(under_a_path, Ok(Some("https://c/otlp/v1/traces".into())));
        for (url, says) in
            [("c:4318", "expected http"), ("grpc://c:1", "expected http"), ("http://u:p@c", "HEADERS")]
        {
            let error = chosen(Some(url), &[]).unwrap_err();
            assert!(error.starts_with("--otlp") && error.contains(says), "{url}: {error}");
        }
    }

    #[test]
    fn without_it_the_variables_count() {
        let both = [(ENDPOINT, "http://c:4318"), (TRACES_ENDPOINT, "http://t:9/x")];
        assert_eq!(chosen(None, &both), Ok(Some("http://t:9/x".into())));
        assert_eq!(chosen(None, &both[..1]), Ok(Some("http://c:4318/v1/traces".into())));
        assert_eq!(chosen(None, &[]), Ok(None));
        for (name, value, counts) in [
            ("OTEL_SDK_DISABLED", "true", false),
            ("OTEL_SDK_DISABLED", "false", true),
            ("OTEL_TRACES_EXPORTER", "none", false),
            ("OTEL_TRACES_EXPORTER", "console, otlp", true),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", false),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", true),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", false),
        ] {
            let found = chosen(None, &[both[0], (name, value)]).unwrap();
            assert_eq!(found.is_some(), counts, "{name}={value}");
        }
        assert!(chosen(None, &[(ENDPOINT, "nowhere")]).unwrap_err().starts_with(ENDPOINT));
    }
}
