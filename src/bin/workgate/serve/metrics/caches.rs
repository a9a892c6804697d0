//! Caches: CACHE.STATS of each policy.

use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::metrics::family::{Families, Family, Labels};
use crate::serve::nodes::{Node, Nodes};

/// The fields of CACHE.STATS that count answers of reads, and what they are called.
const READS: [(&str, &str); 4] =
    [("hits", "hit"), ("stale", "stale"), ("absent", "absent"), ("misses", "miss")];

/// A policy's prefix, and CACHE.STATS of it.
pub type Row = (Vec<u8>, Value);

/// CACHE.STATS of each policy, the nodes of a cluster together; the empty prefix is what no policy
/// rules.
pub async fn of_all_nodes(nodes: &Nodes) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for node in nodes.primaries().await? {
        merge(&mut rows, of_node(&node).await?);
    }
    Ok(rows)
}

async fn of_node(node: &Node) -> Result<Vec<Row>, Fault> {
    let list = node.call(cmd("CACHE.POLICY").arg("LIST")).await?;
    let policies = list.as_map_iter().into_iter().flatten().filter_map(|(name, _)| reply::bytes(name));
    let mut prefixes: Vec<Vec<u8>> = policies.map(<[u8]>::to_vec).collect();
    if !prefixes.iter().any(Vec::is_empty) {
        prefixes.push(Vec::new());
    }
    let commands: Vec<_> = prefixes
        .iter()
        .map(|prefix| {
            let mut command = cmd("CACHE.STATS");
            command.arg(prefix);
            command
        })
        .collect();
    let mut rows = Vec::new();
    for (prefix, stats) in prefixes.into_iter().zip(node.call_all(&commands).await) {
        match stats {
            Ok(stats) => rows.push((prefix, stats)),
            // Deleted in between.
            Err(fault) if fault.is("NOPOLICY") => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(rows)
}

/// Adds the numbers of policies of the same name.
fn merge(rows: &mut Vec<Row>, more: Vec<Row>) {
    for (policy, stats) in more {
        let Some((_, known)) = rows.iter_mut().find(|(other, _)| *other == policy) else {
            rows.push((policy, stats));
            continue;
        };
        let sums = known.as_map_iter().into_iter().flatten().map(|(name, value)| {
            let other = reply::text(name).and_then(|name| reply::field(&stats, name));
            let sum = reply::number(value).unwrap_or(0.0) + other.and_then(reply::number).unwrap_or(0.0);
            (name.clone(), Value::Double(sum))
        });
        *known = Value::Map(sums.collect());
    }
}

/// One row for each policy.
pub fn add(families: &mut Families, rows: &[Row]) {
    let mut reads = Family::counter("workgate_cache_reads", "Reads of cached values by policy and result");
    let mut counters = [
        ("fills", Family::counter("workgate_cache_fills", "Readers that were told to load a value")),
        (
            "early",
            Family::counter(
                "workgate_cache_early_refreshes",
                "Fresh values that were loaded before their end",
            ),
        ),
        ("waits", Family::counter("workgate_cache_waits", "Reads that waited for another's load")),
        ("fenced", Family::counter("workgate_cache_fenced", "Loaded values that came too late to be stored")),
        (
            "invalidated",
            Family::counter("workgate_cache_invalidated", "Values that were met after their invalidation"),
        ),
    ];
    let mut gauges = [
        ("entries", Family::gauge("workgate_cache_entries", "Cached values that are there")),
        ("bytes", Family::gauge("workgate_cache_size_bytes", "What they take, without the names of keys")),
    ];
    let count = |stats: &Value, name| reply::field(stats, name).and_then(reply::number).unwrap_or(0.0);
    for (prefix, stats) in rows {
        let policy = prefix.escape_ascii().to_string();
        let labels = || -> Labels { vec![("policy", policy.clone())] };
        for (field, result) in READS {
            let labels = vec![("policy", policy.clone()), ("result", result.to_owned())];
            reads.push(labels, count(stats, field));
        }
        for (field, family) in counters.iter_mut().chain(&mut gauges) {
            family.push(labels(), count(stats, field));
        }
    }
    families.0.push(reads);
    families.0.extend(counters.into_iter().chain(gauges).map(|(_, family)| family));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_the_same_name_are_added_up() {
        let stats = |hits: i64| Value::Map(vec![(Value::BulkString(b"hits".to_vec()), Value::Int(hits))]);
        let mut rows = Vec::new();
        merge(&mut rows, vec![("a".into(), stats(1)), ("b".into(), stats(2))]);
        merge(&mut rows, vec![("a".into(), stats(4))]);
        let hits = |row: usize| reply::field(&rows[row].1, "hits").and_then(reply::number);
        assert_eq!((hits(0), hits(1)), (Some(5.0), Some(2.0)));
    }
}
