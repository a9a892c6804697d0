//! Many front ends at once: each takes the next line of the feed and acknowledges it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{AsyncConnectionConfig, Client};
use tokio::task::JoinSet;

use crate::accounting::reply_counts::ReplyCounts;
use crate::feed::delivery::Delivery;
use crate::feed::feed_counts::is_blank;
use crate::frontend::Front;

/// How long one reply may take, the wait of a redelivery for the first included.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Feeds `file` through `connections` connections and counts into `counts`.
pub async fn feed(
    file: &Path,
    url: &str,
    connections: u16,
    limit: &str,
    counts: &Arc<Mutex<ReplyCounts>>,
) -> Result<(), String> {
    let opened = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines = Arc::new(Mutex::new(BufReader::new(opened)));
    let client = Client::open(url).map_err(|error| error.to_string())?;
    let mut fronts = JoinSet::new();
    for _ in 0..connections {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| format!("front end: {error}"))?;
        let front = Front { connection, limit: limit.to_owned() };
        fronts.spawn(serve(front, lines.clone(), counts.clone()));
    }
    while let Some(served) = fronts.join_next().await {
        served.map_err(|error| format!("front end: {error}"))??;
    }
    Ok(())
}

async fn serve(
    mut front: Front,
    lines: Arc<Mutex<BufReader<File>>>,
    counts: Arc<Mutex<ReplyCounts>>,
) -> Result<(), String> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read =
            lock(&lines).read_until(b'\n', &mut line).map_err(|error| format!("deliveries: {error}"))?;
        if read == 0 {
            return Ok(());
        }
        if is_blank(&line) {
            continue;
        }
        match Delivery::read(&line) {
            Err(_) => lock(&counts).malformed(),
            Ok(delivery) => {
                let begun = Instant::now();
                let outcome = front.acknowledge(&delivery).await?;
                lock(&counts).answered(&delivery, outcome, begun.elapsed());
            }
        }
    }
}

/// A front end that panicked fails the demo by itself; its counts are still whole.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
