//! `workgate.policy-file`: policies that are set when a server starts.
//!
//! The module reads the file when it loads. A wrong line fails the load. After the server has
//! loaded its data, the module runs the lines once, as if a client had sent them. So they replace
//! saved policies of the same names, keep other policies, and reach the replicas. A server that
//! starts as a replica ignores the file: it takes the policies of its primary.

use std::path::Path;

use crate::domain::global_state::Table;
use crate::domain::ratelimit;
use crate::domain::ratelimit::LimitPolicies;
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::context::{Ctx, Level};
use crate::module_api::main_thread::MainThread;
use crate::module_api::replication::write_gate::{Gate, may_write};
use crate::module_api::timer;

use crate::runtime::global_tables;
use crate::runtime::settings::POLICY_FILE;

/// The lines to run after the server has loaded its data.
static PENDING_LINES: MainThread<Vec<PolicyLine>> = MainThread::new(Vec::new());

/// `RATELIMIT.POLICY SET name limit [limit …]`
#[derive(Debug, PartialEq, Eq)]
struct PolicyLine {
    name: Vec<u8>,
    limits: Vec<Vec<u8>>,
}

/// Reads the file, if one is set. Returns false and logs the reason if a line is wrong.
pub fn read(ctx: Ctx<'_>) -> bool {
    let path = POLICY_FILE.get();
    if path.is_empty() {
        return true;
    }
    let path = Path::new(&path);
    let lines = std::fs::read(path).map_err(|error| error.to_string()).and_then(|text| parse_file(&text));
    match lines {
        Ok(lines) => {
            PENDING_LINES.with(|waiting| *waiting = lines);
            timer::start(ctx, 0, apply_lines);
            true
        }
        Err(fault) => {
            ctx.log(Level::Warning, &format!("workgate: policy file {}: {fault}", path.display()));
            false
        }
    }
}

fn apply_lines(ctx: Ctx<'_>) {
    match may_write(ctx) {
        _ if ctx.is_loading() => drop(timer::start(ctx, timer::PAUSED_RETRY_MS, apply_lines)),
        Gate::Later => drop(timer::start(ctx, timer::PAUSED_RETRY_MS, apply_lines)),
        Gate::Never => PENDING_LINES.with(Vec::clear),
        Gate::Open => {
            for line in PENDING_LINES.with(std::mem::take) {
                // The lines were parsed without an error, so only a full table refuses them.
                if let Err(refusal) = line.set(ctx) {
                    ctx.log(Level::Warning, &format!("workgate: policy file: {}", refusal.text));
                }
            }
        }
    }
}

impl PolicyLine {
    fn limits(&self) -> Vec<&[u8]> {
        self.limits.iter().map(Vec::as_slice).collect()
    }

    fn set(&self, ctx: Ctx<'_>) -> Result<(), Refusal> {
        global_tables::write::<LimitPolicies, _>(ctx, |policies, _, _| {
            ratelimit::decide_set_policy(policies, &self.name, &self.limits())
        })
    }
}

/// Parses a file: a command in words on each line, `#` begins a comment. The error names the line.
fn parse_file(text: &[u8]) -> Result<Vec<PolicyLine>, String> {
    let mut lines = Vec::new();
    let mut policies = LimitPolicies::default();
    for (number, text) in text.split(|&byte| byte == b'\n').enumerate() {
        let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        if words.first().is_none_or(|word| word[0] == b'#') {
            continue;
        }
        let line = parse_line(&words, &mut policies);
        lines.push(line.map_err(|refusal| format!("line {}: {}", number + 1, refusal.text))?);
    }
    Ok(lines)
}

/// Parses one line, and sets its policy in `policies` to check it.
fn parse_line(words: &[&[u8]], policies: &mut LimitPolicies) -> Result<PolicyLine, Refusal> {
    let is = |at: usize, word: &str| {
        words.get(at).is_some_and(|given| given.eq_ignore_ascii_case(word.as_bytes()))
    };
    if !is(0, "RATELIMIT.POLICY") || !is(1, "SET") || words.len() < 4 {
        let given = shown(&words.join(&b' '));
        return Err(Refusal::err(format!("expected RATELIMIT.POLICY SET name limit ..., found '{given}'")));
    }
    let (name, limits) = (words[2], &words[3..]);
    if let Some(effect) = ratelimit::decide_set_policy(policies, name, limits)?.effect {
        policies.apply(effect);
    }
    Ok(PolicyLine { name: name.to_vec(), limits: limits.iter().map(|limit| limit.to_vec()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_commands_comments_and_empty_lines() {
        let read = parse_file(
            b"# tiers\n\nRATELIMIT.POLICY SET ai/free ai=10/1m\r\n  ratelimit.policy set x 1/1s 2/1h",
        )
        .unwrap();
        let line = |name: &str, limits: &[&str]| PolicyLine {
            name: name.into(),
            limits: limits.iter().map(|limit| limit.as_bytes().to_vec()).collect(),
        };
        assert_eq!(read, [line("ai/free", &["ai=10/1m"]), line("x", &["1/1s", "2/1h"])]);
        assert_eq!(parse_file(b""), Ok(vec![]));
    }

    #[test]
    fn the_error_names_the_line() {
        for (text, fault) in [
            (&b"\nRATELIMIT.POLICY SET ai 10"[..], "line 2: invalid limit '10'"),
            (b"RATELIMIT.POLICY SET ai", "line 1: expected RATELIMIT.POLICY SET name limit ..., found"),
            (b"# a\n# b\nFLUSHALL", "line 3: expected RATELIMIT.POLICY SET name limit ..., found 'FLUSHALL'"),
            (b"RATELIMIT.POLICY SET a#b 1/1s", "line 1: policy name 'a#b'"),
        ] {
            let found = parse_file(text).unwrap_err();
            assert!(found.starts_with(fault), "{found}");
        }
    }
}
