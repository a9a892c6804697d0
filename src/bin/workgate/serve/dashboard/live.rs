//! Server-sent events: word to open pages that they have something new to show.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::request::Fields;
use crate::serve::view::View;

/// Pages that no events tell of look again that often; the others too, for what time alone changes.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often the list of all queues is looked at while a page shows it.
const LIST_EVERY: Duration = Duration::from_secs(2);

enum Source {
    Queue(watch::Receiver<u64>),
    /// All queues, and what they were when last looked at.
    List(Arc<View>, Option<u64>),
    Clock,
}

impl Source {
    /// Returns when there is something new to show.
    async fn next(&mut self) {
        match self {
            Source::Queue(changes) => {
                // Nobody counts any more when the server is away.
                if let Ok(Err(_)) = timeout(LOOK_AGAIN, changes.changed()).await {
                    sleep(LOOK_AGAIN).await;
                }
            }
            Source::List(view, last) => loop {
                sleep(LIST_EVERY).await;
                let Ok(queues) = view.queues.all(&view.nodes, None).await else { return };
                // Whatever happens in a queue is an event, and what waits grows older.
                let now = queues.iter().fold(queues.len() as u64, |sum, queue| {
                    let waits = u64::from(queue.oldest_ready_ms > 0);
                    sum.wrapping_mul(31)
                        .wrapping_add(queue.last_event)
                        .wrapping_add(waits * queue.oldest_ready_ms)
                });
                if last.replace(now) != Some(now) {
                    return;
                }
            },
            Source::Clock => sleep(LOOK_AGAIN).await,
        }
    }
}

/// `queue=KEY` follows one queue, `list` all of them; else a page is told to look again now and
/// then.
pub fn answer(view: &Arc<View>, query: &Fields) -> Response {
    let followed = query.bytes("queue").and_then(|queue| view.followers.follow(&view.nodes, queue));
    let source = match followed {
        Some(changes) => Source::Queue(changes),
        None if query.text("of") == Some("list") => Source::List(view.clone(), None),
        None => Source::Clock,
    };
    let stream = unfold((source, 0_u64), |(mut source, number)| async move {
        source.next().await;
        let event = Event::default().event("changed").data((number + 1).to_string());
        Some((Ok::<_, Infallible>(event), (source, number + 1)))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}
