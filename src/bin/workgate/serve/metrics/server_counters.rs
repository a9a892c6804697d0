//! What INFO counts: checks of limits, and each command of the module, those of IDEMP among them.

use std::collections::BTreeMap;

use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::metrics::family::{Families, Family};
use crate::serve::nodes::Node;

/// The first words of the module's commands.
const COMMANDS: [&str; 7] =
    ["ratelimit.", "idemp.", "jobq.", "cache.", "breaker.", "workgate.", "cl.throttle"];

/// What the servers of a cluster say, added up.
#[derive(Debug, Default)]
pub struct Counters {
    /// Fields of INFO, without `workgate_`.
    fields: BTreeMap<String, f64>,
    /// Calls, seconds, and calls that were refused or failed, by command.
    commands: BTreeMap<String, [f64; 3]>,
    /// Allowed, denied and locked by policy.
    policies: BTreeMap<String, [f64; 3]>,
}

impl Counters {
    pub async fn add_node(&mut self, node: &Node) -> Result<(), Fault> {
        let mut info = cmd("INFO");
        info.arg("workgate");
        let mut stats = cmd("INFO");
        stats.arg("commandstats");
        let mut list = cmd("RATELIMIT.POLICY");
        list.arg("LIST");
        let mut replies = node.call_all(&[info, stats, list]).await.into_iter();
        for (command, reply) in ["INFO", "INFO commandstats"].into_iter().zip(&mut replies) {
            match reply {
                Ok(reply) => {
                    let text = reply::text(&reply).map(str::to_owned).or(verbatim(&reply));
                    text.ok_or_else(|| Fault::unexpected(command, &reply))?
                        .lines()
                        .for_each(|line| self.read(line.trim_end()));
                }
                Err(fault @ Fault::Unreachable(_)) => return Err(fault),
                // This user may not ask.
                Err(_) => {}
            }
        }
        if let Some(Ok(list)) = replies.next() {
            self.add_policies(node, &list).await;
        }
        Ok(())
    }

    /// The checks of each policy that the list names.
    async fn add_policies(&mut self, node: &Node, list: &Value) {
        let names: Vec<&[u8]> =
            list.as_map_iter().into_iter().flatten().filter_map(|(name, _)| reply::bytes(name)).collect();
        let asked: Vec<_> = names.iter().map(|name| cmd("RATELIMIT.STATS").arg(*name).clone()).collect();
        for (name, stats) in names.iter().zip(node.call_all(&asked).await) {
            // It may have been deleted since the list was made.
            let Ok(stats) = stats else { continue };
            let row = self.policies.entry(name.escape_ascii().to_string()).or_default();
            for (place, field) in ["allowed", "denied", "locked"].into_iter().enumerate() {
                row[place] += reply::field(&stats, field).and_then(reply::number).unwrap_or(0.0);
            }
        }
    }

    fn read(&mut self, line: &str) {
        if let Some((name, value)) = line.strip_prefix("workgate_").and_then(|line| line.split_once(':'))
            && let Ok(value) = value.parse::<f64>()
        {
            *self.fields.entry(name.to_owned()).or_default() += value;
        }
        let Some((name, facts)) = line.strip_prefix("cmdstat_").and_then(|line| line.split_once(':')) else {
            return;
        };
        if !COMMANDS.iter().any(|of| name.starts_with(of)) || name.contains("._") {
            return;
        }
        let fact = |wanted: &str| {
            let value = facts.split(',').find_map(|fact| fact.strip_prefix(wanted)?.strip_prefix('='));
            value.and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
        };
        let row = self.commands.entry(name.replace('|', " ")).or_default();
        row[0] += fact("calls");
        row[1] += fact("usec") / 1_000_000.0;
        row[2] += fact("rejected_calls") + fact("failed_calls");
    }

    pub fn add_to(&self, families: &mut Families) {
        let mut checks = Family::counter("workgate_limit_checks", "Checks of limits by result");
        for (field, result) in [("allowed", "allowed"), ("denied", "denied")] {
            if let Some(count) = self.fields.get(field) {
                checks.push(vec![("result", result.to_owned())], *count);
            }
        }
        let mut by_policy =
            Family::counter("workgate_limit_policy_checks", "Checks of limits by policy and result");
        for (policy, counts) in &self.policies {
            for (result, count) in ["allowed", "denied", "locked"].into_iter().zip(counts) {
                by_policy.push(vec![("policy", policy.clone()), ("result", result.to_owned())], *count);
            }
        }
        let mut fenced = Family::counter("workgate_tokens_fenced", "Tokens that were refused as superseded");
        let mut blocked = Family::gauge("workgate_blocked_clients", "Clients that wait in a command (BLOCK)");
        let mut marks = Family::gauge(
            "workgate_cache_invalidation_marks",
            "Tags and prefixes whose invalidation is remembered",
        );
        let field = |family: &mut Family, name: &str| {
            if let Some(count) = self.fields.get(name) {
                family.push(Vec::new(), *count);
            }
        };
        field(&mut fenced, "fenced");
        field(&mut blocked, "blocked_clients");
        for (name, kind) in [("invalidated_tags", "tag"), ("invalidated_prefixes", "prefix")] {
            if let Some(count) = self.fields.get(name) {
                marks.push(vec![("kind", kind.to_owned())], *count);
            }
        }
        let mut calls = Family::counter("workgate_command_calls", "Calls of the module's commands");
        let mut seconds = Family::counter("workgate_command_seconds", "Time that the server spent in them");
        let mut failed = Family::counter("workgate_command_errors", "Calls that were refused or failed");
        for (command, counts) in &self.commands {
            for (family, count) in [&mut calls, &mut seconds, &mut failed].into_iter().zip(counts) {
                family.push(vec![("command", command.clone())], *count);
            }
        }
        families.0.extend([checks, by_policy, fenced, blocked, marks, calls, seconds, failed]);
    }
}

fn verbatim(reply: &Value) -> Option<String> {
    if let Value::VerbatimString { text, .. } = reply { Some(text.clone()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_servers_are_added_up() {
        let mut counters = Counters::default();
        for _ in 0..2 {
            counters.read("workgate_allowed:3");
            counters.read(
                "cmdstat_idemp.claim:calls=5,usec=1500,usec_per_call=3.0,rejected_calls=1,failed_calls=2",
            );
            counters.read(
                "cmdstat_jobq.config|get:calls=1,usec=2,usec_per_call=2.0,rejected_calls=0,failed_calls=0",
            );
            counters.read("cmdstat_get:calls=9,usec=9,usec_per_call=1.0,rejected_calls=0,failed_calls=0");
            counters
                .read("cmdstat_jobq._apply:calls=9,usec=9,usec_per_call=1.0,rejected_calls=0,failed_calls=0");
        }
        assert_eq!(counters.fields["allowed"], 6.0);
        assert_eq!(counters.commands["idemp.claim"], [10.0, 0.003, 6.0]);
        assert_eq!(counters.commands.keys().collect::<Vec<_>>(), ["idemp.claim", "jobq.config get"]);
    }
}
