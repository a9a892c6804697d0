//! One answer of `/metrics`.

use std::fmt::Error;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use redis::Value;

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::metrics::family::{Families, Family};
use crate::serve::metrics::server_counters::Counters;
use crate::serve::metrics::{breakers, caches, format, queues};
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
    Ok(())
}

async fn of_server(view: &View, families: &mut Families) -> Result<(), Fault> {
    let stats = view.queues.all(&view.nodes, None).await?;
    queues::add(families, &stats);
    let mut counters = Counters::default();
    let mut rows: Vec<(String, Value)> = Vec::new();
    for node in view.nodes.primaries().await? {
        counters.add_node(&node).await?;
        match caches::of_node(&node).await {
            Ok(more) => merge(&mut rows, more),
            Err(fault @ Fault::Unreachable(_)) => return Err(fault),
            // This user may not ask.
            Err(_) => {}
        }
    }
    counters.add_to(families);
    caches::add(families, &rows);
    match view.breakers.look(&view.nodes).await {
        Ok(found) => breakers::add(families, &found.breakers),
        Err(fault @ Fault::Unreachable(_)) => return Err(fault),
        Err(_) => {}
    }
    Ok(())
}

/// Adds the numbers of policies of the same name.
fn merge(rows: &mut Vec<(String, Value)>, more: Vec<(String, Value)>) {
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
