//! `/busy`: what is being worked on, by whom, for how long.

use askama::Template;
use axum::response::Response;
use redis::cmd;

use crate::redis::connection::Fault;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::job_row::{JobPage, JobRow, list};
use crate::serve::dashboard::latency::{Event, handed_out};
use crate::serve::dashboard::request::Fields;
use crate::serve::dashboard::shown::{self, Name};

/// How many queues, and how many jobs of each, are shown.
const MOST_QUEUES: usize = 20;
const MOST_JOBS: u64 = 100;

struct Row {
    job: JobRow,
    /// None where the queue's events do not go back so far.
    elapsed: Option<String>,
    elapsed_ms: u64,
    lease_left: String,
}

#[derive(Template)]
#[template(path = "busy.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    active: u64,
    workers: usize,
}

pub async fn page(asked: &Asked) -> Result<Response, Fault> {
    let queues = asked.view.queues.all(&asked.view.nodes, None).await?;
    let mut busy: Vec<_> = queues.iter().filter(|queue| queue.jobs[2] > 0).collect();
    busy.sort_by_key(|queue| std::cmp::Reverse(queue.jobs[2]));
    let active = busy.iter().map(|queue| queue.jobs[2]).sum();
    let mut rows = Vec::new();
    for queue in busy.into_iter().take(MOST_QUEUES) {
        let name = Name::of(&queue.key);
        let found = JobPage::read(
            &asked.call(&list(&queue.key, "active", MOST_JOBS, &Fields::default(), true)).await?,
        )?;
        let mut command = cmd("JOBQ.EVENTS");
        command.arg(&queue.key).arg(queue.last_event.saturating_sub(1_000)).arg("COUNT").arg(1_000);
        let events = Event::all(&asked.call(&command).await?);
        for job in &found.rows {
            let job = JobRow::read(&name, job, asked.now_ms);
            let since = handed_out(&events, &job.raw_id);
            let elapsed_ms = since.map_or(u64::MAX, |since| asked.now_ms.saturating_sub(since));
            rows.push(Row {
                lease_left: shown::duration(job.at_ms.saturating_sub(asked.now_ms)),
                elapsed: since.map(|_| shown::duration(elapsed_ms)),
                elapsed_ms,
                job,
            });
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.elapsed_ms));
    let mut workers: Vec<&str> = rows.iter().map(|row| row.job.worker.as_str()).collect();
    workers.sort_unstable();
    workers.dedup();
    let workers = workers.into_iter().filter(|worker| !worker.is_empty()).count();
    Ok(html(&Page { frame: asked.frame("busy", "Busy", "of=list"), rows, active, workers }))
}
