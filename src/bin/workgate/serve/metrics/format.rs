//! The two text forms: OpenMetrics, as the crate writes it, and the classic form of Prometheus.

pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether who asks takes OpenMetrics, by its `Accept`.
pub fn takes_open_metrics(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_open_metrics =
            parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
        let is_refused = parts.any(|part| {
            part.strip_prefix("q=").and_then(|q| q.parse::<f64>().ok()).is_some_and(|q| q <= 0.0)
        });
        is_open_metrics && !is_refused
    })
}

/// Rewrites OpenMetrics into the classic form: a counter is described under the name that its rows
/// have, and there are neither units nor an end.
pub fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + open_metrics.len() / 16);
    let mut help: Option<(&str, &str)> = None;
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
            continue;
        }
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' ')) else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let (suffix, kind) = match kind {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "unknown" => ("", "untyped"),
            other => ("", other),
        };
        if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
            text.push_str(&format!("# HELP {name}{suffix} {words}\n"));
        }
        text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_under_the_name_of_their_rows() {
        let open = "# HELP a A thing.\n# TYPE a counter\na_total{x=\"# TYPE b counter\"} 1\n# HELP s_seconds T.\n\
                    # TYPE s_seconds gauge\n# UNIT s_seconds seconds\ns_seconds 2.5\n# EOF\n";
        let text = "# HELP a_total A thing.\n# TYPE a_total counter\na_total{x=\"# TYPE b counter\"} 1\n\
                    # HELP s_seconds T.\n# TYPE s_seconds gauge\ns_seconds 2.5\n";
        assert_eq!(classic(open), text);
    }

    #[test]
    fn open_metrics_is_for_those_who_take_it() {
        for (accept, takes) in [
            ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true),
            ("text/plain, Application/OpenMetrics-Text; q=0.2", true),
            ("application/openmetrics-text;q=0", false),
            ("text/plain", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(takes_open_metrics(accept), takes, "{accept}");
        }
    }
}
