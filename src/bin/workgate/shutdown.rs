//! Stopping, in phases that only move forward, and the signals that begin them.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

const QUIET: &str = "SIGUSR1";

/// How far stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Jobs are taken.
    Running,
    /// No more jobs are taken, until the worker is told to stop.
    Quiet,
    /// No more jobs are taken; handlers run on.
    Draining,
    /// The grace is over: handlers are stopped and their jobs given back.
    Stopping,
    /// Handlers are killed; their jobs come back when their leases run out.
    Killing,
}

/// Moves the phase forward.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: watch::Sender<Phase>,
}

/// Sees the phase.
#[derive(Debug, Clone)]
pub struct Watch {
    phase: watch::Receiver<Phase>,
}

impl Shutdown {
    pub fn new() -> Self {
        Shutdown { phase: watch::Sender::new(Phase::Running) }
    }

    pub fn watch(&self) -> Watch {
        Watch { phase: self.phase.subscribe() }
    }

    /// Never moves back.
    pub fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let later = to > *phase;
            *phase = to.max(*phase);
            later
        });
    }

    /// SIGUSR1 quiets. The first other signal drains, the end of the grace stops, a second signal
    /// kills.
    pub async fn obey(self, mut signals: mpsc::Receiver<&'static str>, grace: Duration) {
        let name = loop {
            match signals.recv().await {
                Some(QUIET) => {
                    tracing::info!("{QUIET}: taking no more jobs; handlers go on, and so does the worker");
                    self.advance(Phase::Quiet);
                }
                Some(name) => break name,
                None => return,
            }
        };
        tracing::info!(
            "{name}: taking no more jobs, handlers may finish for {grace:?}; once more kills them"
        );
        self.advance(Phase::Draining);
        tokio::select! {
            () = tokio::time::sleep(grace) => {
                tracing::warn!("grace is over, stopping handlers and giving their jobs back");
                self.advance(Phase::Stopping);
            }
            name = stopped(&mut signals) => return self.kill(name),
        }
        let name = stopped(&mut signals).await;
        self.kill(name);
    }

    fn kill(&self, name: &str) {
        tracing::warn!("{name} again: killing handlers; their jobs return when their leases run out");
        self.advance(Phase::Killing);
    }
}

impl Watch {
    pub fn now(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until this phase or a later one.
    pub async fn reached(&mut self, phase: Phase) {
        if self.phase.wait_for(|now| *now >= phase).await.is_err() {
            // No sender is left to change the phase.
            std::future::pending::<()>().await;
        }
    }
}

/// The next signal that is not SIGUSR1.
async fn stopped(signals: &mut mpsc::Receiver<&'static str>) -> &'static str {
    loop {
        match signals.recv().await {
            Some(QUIET) => {}
            Some(name) => return name,
            None => std::future::pending().await,
        }
    }
}

/// SIGTERM, SIGINT and SIGUSR1, as they come.
pub fn signals() -> std::io::Result<mpsc::Receiver<&'static str>> {
    let (tell, told) = mpsc::channel(4);
    for (kind, name) in [
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::user_defined1(), QUIET),
    ] {
        let mut stream = signal(kind)?;
        let tell = tell.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if tell.send(name).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_only_move_forward() {
        let shutdown = Shutdown::new();
        let watch = shutdown.watch();
        shutdown.advance(Phase::Stopping);
        shutdown.advance(Phase::Draining);
        assert_eq!(watch.now(), Phase::Stopping);
    }

    #[tokio::test]
    async fn one_signal_drains_and_the_end_of_the_grace_stops() {
        let shutdown = Shutdown::new();
        let mut watch = shutdown.watch();
        let (tell, told) = mpsc::channel(4);
        tokio::spawn(shutdown.clone().obey(told, Duration::from_millis(50)));
        tell.send("SIGTERM").await.unwrap();
        watch.reached(Phase::Draining).await;
        assert_eq!(watch.now(), Phase::Draining);
        watch.reached(Phase::Stopping).await;
        assert_eq!(watch.now(), Phase::Stopping);
        tell.send("SIGTERM").await.unwrap();
        watch.reached(Phase::Killing).await;
    }

    #[tokio::test]
    async fn a_second_signal_kills_without_waiting_for_the_grace() {
        let shutdown = Shutdown::new();
        let mut watch = shutdown.watch();
        let (tell, told) = mpsc::channel(4);
        tokio::spawn(shutdown.clone().obey(told, Duration::from_secs(3_600)));
        tell.send("SIGINT").await.unwrap();
        tell.send("SIGTERM").await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), watch.reached(Phase::Killing)).await.unwrap();
    }

    #[tokio::test]
    async fn sigusr1_quiets_and_does_not_count_as_a_stop() {
        let shutdown = Shutdown::new();
        let mut watch = shutdown.watch();
        let (tell, told) = mpsc::channel(4);
        tokio::spawn(shutdown.clone().obey(told, Duration::from_secs(3_600)));
        for _ in 0..2 {
            tell.send(QUIET).await.unwrap();
        }
        watch.reached(Phase::Quiet).await;
        tell.send("SIGTERM").await.unwrap();
        watch.reached(Phase::Draining).await;
        tell.send(QUIET).await.unwrap();
        tell.send("SIGTERM").await.unwrap();
        watch.reached(Phase::Killing).await;
    }
}
