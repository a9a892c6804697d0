//! One answer of `/metrics`.

use std::fmt::Error;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

use crate::redis::connection::Fault;
use crate::serve::metrics::family::{Families, Family};
use crate::serve::metrics::server_counters::Counters;
use crate::serve::metrics::{breakers, caches, format, names, queues};
use crate::serve::view::{SharedView, View};

pub async fn answer(State(view): State<SharedView>, headers: HeaderMap) -> Response {
    let families = families(&view).await;
    let Ok(text) = written(&view, families) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n").into_response();
    };
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if format::takes_open_metrics(accept) {
        ([(CONTENT_TYPE, format::OPEN_METRICS)], text).into_response()
    } else {
        ([(CONTENT_TYPE, format::CLASSIC)], format::classic(&text)).into_response()
    }
}

/// What the server says; when it does not answer, that.
async fn families(view: &View) -> Families {
    let mut families = Families::default();
    let read = match view.worker {
        Some(_) => of_worker(view, &mut families).await,
        None => of_server(view, &mut families).await,
    };
    if let Err(fault) = &read {
        tracing::warn!("metrics without the server's part: {fault}");
        families = Families::default();
    }
    let mut up = Family::gauge("workgate_up", "1 if the server answered, else 0");
    up.push(Vec::new(), f64::from(u8::from(read.is_ok())));
    let mut build = Family::gauge("workgate_build_info", "The version of this program");
    build.push(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0);
    families.0.extend([up, build]);
    families
}

/// The queues of the worker alone: with many workers the rest would be asked for many times.
async fn of_worker(view: &View, families: &mut Families) -> Result<(), Fault> {
    let keys = view.worker.as_ref().map(|worker| &worker.queues[..]);
    let stats = view.queues.all(&view.nodes, keys).await?;
    queues::add(families, &stats);
    names::add(families, &view.nodes, &stats).await
}

async fn of_server(view: &View, families: &mut Families) -> Result<(), Fault> {
    let stats = view.queues.all(&view.nodes, None).await?;
    queues::add(families, &stats);
    let mut counters = Counters::default();
    for node in view.nodes.primaries().await? {
        counters.add_node(&node).await?;
    }
    counters.add_to(families);
    match caches::of_all_nodes(&view.nodes).await {
        Ok(rows) => caches::add(families, &rows),
        Err(fault @ Fault::Unreachable(_)) => return Err(fault),
        // This user may not ask.
        Err(_) => {}
    }
    match view.breakers.look(&view.nodes).await {
        Ok(found) => breakers::add(families, &found.breakers),
        Err(fault @ Fault::Unreachable(_)) => return Err(fault),
        Err(_) => {}
    }
    Ok(())
}

fn written(view: &View, families: Families) -> Result<String, Error> {
    let mut text = String::new();
    if let Some(worker) = &view.worker {
        encode_registry(&mut text, &worker.metrics.registry)?;
    }
    let mut registry = Registry::default();
    registry.register_collector(Box::new(families));
    encode_registry(&mut text, &registry)?;
    encode_eof(&mut text)?;
    Ok(text)
}
