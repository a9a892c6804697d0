//! `bullmq URL JOBS`: pushes jobs by BullMQ's Rust package and runs them by a handler that does
//! nothing, 100 at once, and removes those that are done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bullmq::options::{QueueOptions, RedisConnectionOptions, WorkerOptions};
use bullmq::queue::BulkJob;
use bullmq::types::RemoveOnFinish;
use bullmq::worker::CancellationToken;
use bullmq::{Job, Queue, Worker};
use tokio::sync::Notify;
use workgate_rivals::{PAYLOAD_BYTES, arguments, print};

const BATCH: usize = 500;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let (url, jobs, _) = arguments();
    let connection = || RedisConnectionOptions::new().url(url.clone());
    let options = QueueOptions { connection: connection(), ..QueueOptions::default() };
    let queue = Queue::with_options("bench", options).await.expect("a queue");
    let begun = Instant::now();
    for _ in 0..jobs / BATCH {
        let batch = (0..BATCH).map(|_| BulkJob::new("bench", "p".repeat(PAYLOAD_BYTES)));
        queue.add_bulk(batch.collect()).await.expect("a push");
    }
    let pushing = begun.elapsed();
    let runs = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(Notify::new());
    let options = WorkerOptions {
        connection: connection(),
        concurrency: 100,
        remove_on_complete: Some(RemoveOnFinish::Bool(true)),
        ..WorkerOptions::default()
    };
    let (counted, told) = (runs.clone(), done.clone());
    let begun = Instant::now();
    let handler = move |_: Job, _: CancellationToken| {
        if counted.fetch_add(1, Ordering::Relaxed) + 1 == jobs {
            told.notify_one();
        }
        std::future::ready(Ok(serde_json::Value::Null))
    };
    let worker = Worker::with_options("bench", handler, options).await.expect("a worker");
    done.notified().await;
    // It acknowledges what has run before it ends.
    worker.close(5_000).await.expect("an end");
    print(pushing, begun.elapsed(), runs.load(Ordering::Relaxed));
}
