//! Does what was confirmed.

use redis::{Cmd, Value, cmd};

use super::action::{Action, Select};
use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::nodes::Nodes;

/// How many jobs one call moves or removes, and how many calls one action makes.
const JOBS_OF_ONE_CALL: u64 = 1_000;
const MOST_CALLS: usize = 100;

/// What came of it, in words.
pub async fn perform(nodes: &Nodes, action: &Action) -> Result<String, Fault> {
    match action {
        Action::Pause { queue, group, time, pushes } => {
            let mut command = of(queue, "JOBQ.PAUSE");
            if let Some(group) = group {
                command.arg("GROUP").arg(group);
            }
            if let Some(time) = time {
                command.arg("FOR").arg(time);
            }
            if *pushes {
                command.arg("PUSHES");
            }
            nodes.call(&command).await?;
            Ok("It is paused.".into())
        }
        Action::Resume { queue, group } => {
            let mut command = of(queue, "JOBQ.RESUME");
            if let Some(group) = group {
                command.arg("GROUP").arg(group);
            }
            nodes.call(&command).await?;
            Ok("It is resumed.".into())
        }
        Action::Purge { queue, state, select } => {
            let mut command = of(queue, "JOBQ.PURGE");
            command.arg(state);
            many(nodes, command, select, "removed").await
        }
        Action::Redrive { queue, select } => {
            many(nodes, of(queue, "JOBQ.REDRIVE"), select, "ready again").await
        }
        Action::RedriveJob { queue, id } => {
            // Of a done job too: whichever it is.
            for done in [false, true] {
                let mut command = of(queue, "JOBQ.REDRIVE");
                command.arg("IDS").arg(1).arg(id);
                if done {
                    command.arg("DONE");
                }
                if counts(&nodes.call(&command).await?)?.0 > 0 {
                    return Ok("It is ready again.".into());
                }
            }
            Err(Fault::refused("NOJOB", "the job is neither dead nor done".into()))
        }
        Action::Promote { queue, id } => {
            nodes.call(of(queue, "JOBQ.UPDATE").arg(id).arg("NOW")).await?;
            Ok("It is ready.".into())
        }
        Action::Cancel { queue, id } => {
            let answer = nodes.call(of(queue, "JOBQ.CANCEL").arg(id)).await?;
            match reply::array(&answer).and_then(|rows| reply::integer(rows.first()?)) {
                Some(1) => Ok("It is removed.".into()),
                Some(2) => Ok("Its worker is told to stop.".into()),
                Some(0) => Err(Fault::refused("NOJOB", "there is no such job, or it has ended".into())),
                _ => Err(Fault::unexpected("JOBQ.CANCEL", &answer)),
            }
        }
        Action::RunSchedule { queue, name } => {
            let answer = nodes.call(cmd("JOBQ.CRON").arg("RUN").arg(queue).arg(name)).await?;
            let row = reply::array(&answer).unwrap_or_default();
            let id = row.first().and_then(reply::bytes).map(super::shown::text).unwrap_or_default();
            match row.get(1).and_then(reply::text) {
                Some("DUP") => Ok(format!("Its last run, {id}, is not finished: no other was made.")),
                _ => Ok(format!("The job {id} was made.")),
            }
        }
        Action::SetLimits { name, limits } => {
            let mut command = cmd("RATELIMIT.POLICY");
            command.arg("SET").arg(name).arg(limits);
            everywhere(nodes, command).await
        }
        Action::SetCache { prefix, words } => {
            let mut command = cmd("CACHE.POLICY");
            command.arg("SET").arg(prefix).arg(words);
            everywhere(nodes, command).await
        }
    }
}

fn of(queue: &[u8], name: &str) -> Cmd {
    let mut command = cmd(name);
    command.arg(queue);
    command
}

/// Policies belong to a primary: all of them are told.
async fn everywhere(nodes: &Nodes, command: Cmd) -> Result<String, Fault> {
    for node in nodes.primaries().await? {
        node.call(&command).await?;
    }
    Ok("It is set.".into())
}

/// Calls again until no job is left.
async fn many(nodes: &Nodes, command: Cmd, select: &Select, done: &str) -> Result<String, Fault> {
    let mut command = command;
    for (word, value) in [("KIND", &select.kind), ("ERROR", &select.error)] {
        if let Some(value) = value {
            command.arg(word).arg(value);
        }
    }
    command.arg("LIMIT").arg(JOBS_OF_ONE_CALL);
    let (mut all, mut rest) = (0, 0);
    let mut at_first = None;
    for _ in 0..MOST_CALLS {
        let (now, left) = counts(&nodes.call(&command).await?)?;
        all += now;
        rest = left;
        // Jobs that come into the state meanwhile, by failing once more, are not meant.
        if now == 0 || left == 0 || all >= *at_first.get_or_insert(now + left) {
            break;
        }
    }
    let jobs = if all == 1 { "job is" } else { "jobs are" };
    let rest = if rest == 0 { String::new() } else { format!(" {rest} others are left in that state.") };
    Ok(format!("{all} {jobs} {done}.{rest}"))
}

fn counts(answer: &Value) -> Result<(u64, u64), Fault> {
    let count = |place: usize| reply::number(reply::array(answer)?.get(place)?).map(|count| count as u64);
    count(0).zip(count(1)).ok_or_else(|| Fault::unexpected("JOBQ", answer))
}
