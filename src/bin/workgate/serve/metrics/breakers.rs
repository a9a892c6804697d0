//! Breakers: the state of each, and the calls of its window.

use crate::reply;
use crate::serve::breaker_search::Breaker;
use crate::serve::metrics::family::{Families, Family};

const STATES: [&str; 4] = ["closed", "open", "half-open", "disabled"];

pub fn add(families: &mut Families, breakers: &[Breaker]) {
    let mut states = Family::gauge("workgate_breaker_state", "1 for the state that a breaker is in, else 0");
    let mut calls = Family::gauge("workgate_breaker_window_calls", "Calls of a breaker's window by result");
    for Breaker { key, facts } in breakers {
        let name = key.escape_ascii().to_string();
        let now = reply::field(facts, "state").and_then(reply::text).unwrap_or_default();
        let now = now.replace('_', "-");
        for state in STATES {
            let labels = vec![("breaker", name.clone()), ("state", state.to_owned())];
            states.push(labels, f64::from(u8::from(now == state)));
        }
        let count = |name| reply::field(facts, name).and_then(reply::number).unwrap_or(0.0);
        let failed = count("failed");
        for (result, count) in [("ok", count("calls") - failed), ("failed", failed)] {
            calls.push(vec![("breaker", name.clone()), ("result", result.to_owned())], count);
        }
    }
    families.0.extend([states, calls]);
}
