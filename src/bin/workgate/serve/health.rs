//! `/healthz`: the program runs. `/readyz`: its server answers, and a worker takes jobs.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use redis::cmd;
use tokio::time::timeout;

use crate::serve::view::{SharedView, View};
use crate::shutdown::Phase;

/// Probes wait for a second by default.
const WITHIN: Duration = Duration::from_millis(900);

pub async fn healthz() -> &'static str {
    "ok\n"
}

pub async fn readyz(State(view): State<SharedView>) -> Response {
    match readiness(&view).await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn readiness(view: &View) -> Result<(), String> {
    let mut ask = cmd("JOBQ.QUEUES");
    ask.arg("COUNT").arg(1);
    if let Some(worker) = &view.worker {
        if worker.watch.now() != Phase::Running {
            return Err("the worker takes no more jobs".into());
        }
        // What a worker may ask in any case.
        ask = cmd("JOBQ.STATS");
        ask.arg(worker.queues.first().map_or("", String::as_str));
    }
    match timeout(WITHIN, view.nodes.call(&ask)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(fault)) => Err(format!("the server does not answer: {fault}")),
        Err(_) => Err(format!("the server does not answer within {WITHIN:?}")),
    }
}
