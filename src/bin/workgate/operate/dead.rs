//! `workgate dead`: jobs that no run could do.

use std::collections::BTreeMap;
use std::process::ExitCode;

use redis::{Cmd, Value, cmd};
use serde_json::json;

use super::{failure, json, open};
use crate::Failure;
use crate::cli::operate::{DeadAction, DeadArgs, DeadQuery};
use crate::handler::verdict::beginning;
use crate::redis::connection::Fault;
use crate::redis::shared_connection::SharedConnection;
use crate::reply;

/// The most rows of one page, and the most ids of one REDRIVE.
const MOST_OF_ONE_CALL: usize = 1_000;

pub async fn main(args: DeadArgs) -> Result<ExitCode, Failure> {
    match args.action {
        DeadAction::List(query) => list(&query).await,
        DeadAction::Group(query) => group(&query).await,
        DeadAction::Redrive { query, ids } => redrive(&query, &ids).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn list(query: &DeadQuery) -> Result<(), Failure> {
    let server = open(&query.server).await?;
    let jobs = jobs(&server, query).await.map_err(failure)?;
    if query.json {
        println!("{}", jobs.iter().map(json::of).collect::<serde_json::Value>());
        return Ok(());
    }
    for job in &jobs {
        let text = |name| reply::field(job, name).and_then(reply::bytes).map(json::shown).unwrap_or_default();
        let attempts = reply::field(job, "attempt").and_then(reply::integer).unwrap_or_default();
        println!("{}\tattempts={attempts}\t{:?}", text("id"), text("error"));
    }
    Ok(())
}

async fn group(query: &DeadQuery) -> Result<(), Failure> {
    let server = open(&query.server).await?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for job in jobs(&server, query).await.map_err(failure)? {
        let text = |name| reply::field(&job, name).and_then(reply::bytes).map(json::shown);
        let group = text("kind").unwrap_or_else(|| beginning(&text("error").unwrap_or_default()));
        *counts.entry(group).or_default() += 1;
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    if query.json {
        let rows = counts.iter().map(|(kind, count)| json!({"kind": kind, "jobs": count}));
        println!("{}", rows.collect::<serde_json::Value>());
    } else {
        counts.iter().for_each(|(kind, count)| println!("{count:>9}  {kind:?}"));
    }
    Ok(())
}

async fn redrive(query: &DeadQuery, ids: &[String]) -> Result<(), Failure> {
    let server = open(&query.server).await?;
    let (mut moved, mut left) = (0, 0);
    let mut rest = u64::from(query.limit);
    let mut chunks = ids.chunks(MOST_OF_ONE_CALL);
    loop {
        let limit = rest.min(MOST_OF_ONE_CALL as u64);
        let mut command = cmd("JOBQ.REDRIVE");
        command.arg(&query.queue);
        if ids.is_empty() {
            select(&mut command, query);
            command.arg("LIMIT").arg(limit);
        } else {
            let Some(chunk) = chunks.next() else { break };
            command.arg("IDS").arg(chunk.len()).arg(chunk);
        }
        let answer = server.call(&command).await.map_err(failure)?;
        let counts: Option<Vec<i64>> =
            reply::array(&answer).and_then(|counts| counts.iter().map(reply::integer).collect());
        let Some([now, still, ..]) = counts.as_deref() else {
            return Err(failure(Fault::unexpected("JOBQ.REDRIVE", &answer)));
        };
        moved += now;
        left = *still;
        rest = rest.saturating_sub(now.unsigned_abs());
        if ids.is_empty() && (now.unsigned_abs() < limit || rest == 0) {
            break;
        }
    }
    if query.json {
        println!("{}", json!({"moved": moved, "left": left}));
    } else {
        println!("{moved} jobs are ready again, {left} are still dead");
    }
    Ok(())
}

/// Which of the dead jobs.
fn select(command: &mut Cmd, query: &DeadQuery) {
    for (word, value) in [("KIND", &query.kind), ("ERROR", &query.error)] {
        if let Some(value) = value {
            command.arg(word).arg(value);
        }
    }
}

/// Rows of JOBQ.LIST, page by page.
async fn jobs(server: &SharedConnection, query: &DeadQuery) -> Result<Vec<Value>, Fault> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut jobs = Vec::new();
    let mut cursor = b"0".to_vec();
    while jobs.len() < limit {
        let count = (limit - jobs.len()).min(MOST_OF_ONE_CALL);
        let mut command = cmd("JOBQ.LIST");
        command.arg(&query.queue).arg("dead").arg("CURSOR").arg(&cursor).arg("COUNT").arg(count);
        select(&mut command, query);
        let page = server.call(&command).await?;
        let read = reply::array(&page)
            .and_then(|page| Some((reply::bytes(page.first()?)?, reply::array(page.get(1)?)?)));
        let (next, rows) = read.ok_or_else(|| Fault::unexpected("JOBQ.LIST", &page))?;
        jobs.extend_from_slice(rows);
        if next == b"0" {
            break;
        }
        cursor = next.to_vec();
    }
    jobs.truncate(limit);
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_grouped_by_what_happened() {
        assert_eq!(beginning("exit 3: no route\nmore: text"), "exit 3");
        assert_eq!(beginning("timeout"), "timeout");
        assert_eq!(beginning(""), "");
    }
}
