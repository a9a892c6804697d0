//! `chasquimq URL JOBS [no-events]`: pushes jobs by chasquimq and runs them by a handler that does
//! nothing, with the defaults of its configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chasquimq::{Consumer, ConsumerConfig, Producer, ProducerConfig};
use tokio_util::sync::CancellationToken;
use workgate_rivals::{PAYLOAD_BYTES, arguments, print};

const BATCH: usize = 500;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let (url, jobs, words) = arguments();
    let config = ProducerConfig { queue_name: "bench".into(), ..ProducerConfig::default() };
    let producer = Producer::<String>::connect(&url, config).await.expect("a producer");
    let begun = Instant::now();
    for _ in 0..jobs / BATCH {
        producer.add_bulk(vec!["p".repeat(PAYLOAD_BYTES); BATCH]).await.expect("a push");
    }
    let pushing = begun.elapsed();
    let runs = Arc::new(AtomicUsize::new(0));
    let stop = CancellationToken::new();
    let config = ConsumerConfig {
        queue_name: "bench".into(),
        events_enabled: !words.iter().any(|word| word == "no-events"),
        ..ConsumerConfig::default()
    };
    let (counted, stopped) = (runs.clone(), stop.clone());
    let begun = Instant::now();
    Consumer::<String>::new(url, config)
        .run(
            move |_| {
                if counted.fetch_add(1, Ordering::Relaxed) + 1 == jobs {
                    // It acknowledges what has run before it ends.
                    stopped.cancel();
                }
                std::future::ready(Ok(bytes::Bytes::new()))
            },
            stop,
        )
        .await
        .expect("a consumer");
    print(pushing, begun.elapsed(), runs.load(Ordering::Relaxed));
}
