//! A producer that pushes each of its jobs until the server has it.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::{Client, DEADLINE, cmd};

/// Where the server is at the moment.
pub type Port = std::sync::Arc<std::sync::atomic::AtomicU16>;

/// Pushes jobs of these ids into the queue, one after the other, and sends one again whose answer
/// it has not seen. With `replicas` a job counts as pushed when as many replicas have it.
pub fn push_all(port: Port, queue: &str, jobs: usize, replicas: usize, pause: Duration) -> JoinHandle<()> {
    let queue = queue.to_owned();
    std::thread::spawn(move || {
        let mut client: Option<Client> = None;
        for id in 0..jobs {
            let begun = Instant::now();
            loop {
                assert!(begun.elapsed() < 2 * DEADLINE, "the job {id} cannot be pushed");
                let at = port.load(std::sync::atomic::Ordering::SeqCst);
                let Some(open) = client.take().or_else(|| Client::connect(at).ok()) else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                if push(&open, &queue, id, replicas) {
                    client = Some(open);
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(pause);
        }
    })
}

/// Whether it is known to be pushed.
fn push(client: &Client, queue: &str, id: usize, replicas: usize) -> bool {
    let push = cmd!["JOBQ.PUSH", queue, "p", "ID", id.to_string()];
    if !client.try_call(push).is_ok_and(|reply| !reply.is_error()) {
        return false;
    }
    replicas == 0
        || client
            .try_call(cmd!["WAIT", replicas.to_string(), "500"])
            .is_ok_and(|reply| !reply.is_error() && reply.int() >= replicas as i64)
}
