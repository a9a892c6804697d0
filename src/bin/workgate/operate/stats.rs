//! `workgate stats`: the counts of queues.

use std::process::ExitCode;

use redis::{Value, cmd};

use super::{Calls, failure, json, open};
use crate::Failure;
use crate::cli::operate::StatsArgs;
use crate::redis::connection::{ANSWER_WITHIN, Fault};
use crate::redis::shared_connection::SharedConnection;
use crate::reply;

const STATES: [&str; 6] = ["ready", "delayed", "active", "blocked", "done", "dead"];

pub async fn main(args: StatsArgs) -> Result<ExitCode, Failure> {
    let server = open(&args.server).await?;
    let queues: Vec<Vec<u8>> = match &args.queues[..] {
        [] => all_queues(&server).await.map_err(failure)?,
        queues => queues.iter().map(|queue| queue.clone().into_bytes()).collect(),
    };
    let mut rows = Vec::new();
    for queue in queues {
        let stats = server.call(cmd("JOBQ.STATS").arg(&queue)).await.map_err(failure)?;
        rows.push((queue, stats));
    }
    if args.json {
        let rows = rows.iter().map(|(queue, stats)| {
            let mut row = json::of(stats);
            if let Some(row) = row.as_object_mut() {
                row.insert("queue".into(), json::shown(queue).into());
            }
            row
        });
        println!("{}", rows.collect::<serde_json::Value>());
    } else {
        print!("{}", table(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

/// The queues of one server, or of each primary of a cluster.
async fn all_queues(server: &SharedConnection) -> Result<Vec<Vec<u8>>, Fault> {
    let SharedConnection::Cluster(cluster) = server else { return queues_of(server).await };
    let mut all = Vec::new();
    for primary in cluster.primaries().await? {
        all.extend(queues_of(&primary.connect(Some(ANSWER_WITHIN)).await?).await?);
    }
    all.sort();
    Ok(all)
}

async fn queues_of(server: &impl Calls) -> Result<Vec<Vec<u8>>, Fault> {
    let mut queues = Vec::new();
    let mut cursor = b"0".to_vec();
    loop {
        let page = server.call(cmd("JOBQ.QUEUES").arg("CURSOR").arg(&cursor).arg("COUNT").arg(1_000)).await?;
        let read = reply::array(&page).and_then(|page| {
            let names = reply::array(page.get(1)?)?.iter().map(reply::bytes).collect::<Option<Vec<_>>>()?;
            Some((reply::bytes(&page[0])?, names))
        });
        let (next, names) = read.ok_or_else(|| Fault::unexpected("JOBQ.QUEUES", &page))?;
        queues.extend(names.into_iter().map(<[u8]>::to_vec));
        if next == b"0" {
            return Ok(queues);
        }
        cursor = next.to_vec();
    }
}

fn table(rows: &[(Vec<u8>, Value)]) -> String {
    let count = |stats: &Value, name: &str| reply::field(stats, name).and_then(reply::integer);
    let names: Vec<String> = rows.iter().map(|(queue, _)| queue.escape_ascii().to_string()).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).max("queue".len());
    let heads: String = STATES.iter().map(|state| format!(" {state:>9}")).collect();
    let mut text = format!("{:width$}{heads}\n", "queue");
    for (name, (_, stats)) in names.iter().zip(rows) {
        let counts: String = STATES
            .iter()
            .map(|state| format!(" {:>9}", count(stats, state).map_or("-".into(), |count| count.to_string())))
            .collect();
        text.push_str(&format!("{name:width$}{counts}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_queue() {
        let name = |name: &str| Value::BulkString(name.as_bytes().to_vec());
        let stats = Value::Map(vec![(name("ready"), Value::Int(7)), (name("dead"), Value::Int(1))]);
        let text = table(&[(b"a-long-queue".to_vec(), stats)]);
        let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["queue", "ready", "delayed", "active", "blocked", "done", "dead"]);
        assert_eq!(words[1], ["a-long-queue", "7", "-", "-", "-", "-", "1"]);
    }
}
