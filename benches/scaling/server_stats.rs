//! What the server itself says of the calls: its slow log, its counts and its latencies.

use crate::support::resp::Connection;

/// A call that takes longer is one too many, in microseconds.
const SLOW: &[u8] = b"5000";

pub struct SlowCall {
    pub command: String,
    pub ms: f64,
}

/// All calls of one command.
pub struct Call {
    pub command: String,
    pub calls: u64,
    /// Microseconds: the mean, and a bound of all but one in a thousand.
    pub mean: f64,
    pub p999: f64,
}

pub fn begin(control: &mut Connection) -> Result<(), String> {
    control.call(&[b"CONFIG", b"SET", b"slowlog-log-slower-than", SLOW])?;
    control.call(&[b"SLOWLOG", b"RESET"])?;
    control.call(&[b"CONFIG", b"RESETSTAT"]).map(drop)
}

pub fn end(control: &mut Connection) -> Result<(Vec<SlowCall>, Vec<Call>), String> {
    let log = control.call(&[b"SLOWLOG", b"GET", b"-1"])?;
    let slow = (0..log.len()).map(|at| {
        let entry = log.at(at);
        SlowCall { command: entry.at(3).at(0).text(), ms: entry.at(2).int() as f64 / 1e3 }
    });
    Ok((slow.collect(), calls(control)?))
}

fn calls(control: &mut Connection) -> Result<Vec<Call>, String> {
    let counts = control.call(&[b"INFO", b"commandstats"])?.text();
    let latencies = control.call(&[b"INFO", b"latencystats"])?.text();
    let number = |text: &str, line: &str, field: &str| -> Option<f64> {
        let rest = text.lines().find_map(|one| one.strip_prefix(line))?;
        rest.split(',').find_map(|pair| pair.trim().strip_prefix(field)?.parse().ok())
    };
    let commands = counts.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split(':').next());
    let ours = commands.filter(|command| command.to_ascii_lowercase().starts_with("jobq."));
    let all = ours.map(|command| {
        let counted = format!("cmdstat_{command}:");
        let timed = format!("latency_percentiles_usec_{command}:");
        Some(Call {
            command: command.to_ascii_uppercase(),
            calls: number(&counts, &counted, "calls=")? as u64,
            mean: number(&counts, &counted, "usec_per_call=")?,
            p999: number(&latencies, &timed, "p99.9=")?,
        })
    });
    all.collect::<Option<_>>().ok_or_else(|| "INFO commandstats or latencystats lacks a field".into())
}
