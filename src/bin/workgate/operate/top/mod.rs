//! `workgate top`: queues, live, in a terminal.

mod choice;
mod screen;
mod snapshot;

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{MissedTickBehavior, interval};

use super::failure;
use crate::Failure;
use crate::cli::operate::TopArgs;
use crate::serve::nodes::Nodes;
use crate::serve::queue_stats::QueueBoard;
use choice::{Choice, Wish};
use snapshot::Snapshot;

pub async fn main(args: TopArgs) -> Result<ExitCode, Failure> {
    if !args.once && !args.json && !stdout().is_terminal() {
        return Err(Failure::usage("top draws on a terminal: give --once or --json where there is none"));
    }
    let source = Source::of(&args)?;
    match (args.once, args.json) {
        (true, true) => println!("{}", source.next(None).await?.json()),
        (true, false) => print!("{}", source.next(None).await?.table()),
        (false, true) => print_for_ever(&source, args.every).await?,
        (false, false) => {
            let mut terminal = ratatui::init();
            let ended = watch(&source, &args, &mut terminal).await;
            ratatui::restore();
            ended?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The server that is looked at.
struct Source {
    nodes: Nodes,
    queues: Option<Vec<String>>,
}

impl Source {
    fn of(args: &TopArgs) -> Result<Self, Failure> {
        let server = args.server.open().map_err(Failure::usage)?.with_maps();
        let queues = (!args.queues.is_empty()).then(|| args.queues.clone());
        Ok(Source { nodes: Nodes::of(server), queues })
    }

    /// As it is now; rates are counted from the snapshot before.
    async fn next(&self, before: Option<&Snapshot>) -> Result<Snapshot, Failure> {
        let board = QueueBoard::default();
        let queues = board.all(&self.nodes, self.queues.as_deref()).await.map_err(failure)?;
        Ok(Snapshot::of(queues.to_vec(), before))
    }
}

/// One JSON object a line.
async fn print_for_ever(source: &Source, every: Duration) -> Result<(), Failure> {
    let mut ticks = interval(every);
    let mut last: Option<Snapshot> = None;
    loop {
        ticks.tick().await;
        let snapshot = source.next(last.as_ref()).await?;
        println!("{}", snapshot.json());
        last = Some(snapshot);
    }
}

/// Draws until it is told to end. A server that goes away is told of and asked again.
async fn watch(source: &Source, args: &TopArgs, terminal: &mut DefaultTerminal) -> Result<(), Failure> {
    let mut keys = events();
    let mut ticks = interval(args.every);
    // After a pause there is no need to catch up.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut choice = Choice::default();
    let mut snapshot = Snapshot::default();
    let mut fault = None;
    let place = source.nodes.shown();
    loop {
        tokio::select! {
            _ = ticks.tick() => match source.next(Some(&snapshot)).await {
                Ok(next) => (snapshot, fault) = (next, None),
                Err(failure) => fault = Some(failure.text),
            },
            // Another size, say, is drawn anew.
            Some(event) = keys.recv() => {
                if let Event::Key(key) = event
                    && key.kind != KeyEventKind::Release
                    && choice.obey(key) == Wish::End
                {
                    return Ok(());
                }
            }
        }
        choice.arrange(&mut snapshot);
        let busy = match choice.chosen(&snapshot) {
            Some(queue) if fault.is_none() => snapshot::busy(&source.nodes, queue).await.unwrap_or_default(),
            _ => Vec::new(),
        };
        let view = screen::View {
            place: &place,
            snapshot: &snapshot,
            choice: &choice,
            busy: &busy,
            fault: fault.as_deref(),
        };
        terminal
            .draw(|frame| screen::draw(frame, &view))
            .map_err(|error| Failure::of(format!("the terminal: {error}")))?;
    }
}

/// What is typed. The thread that waits for it ends with the program.
fn events() -> UnboundedReceiver<Event> {
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if tell.send(event).is_err() {
                return;
            }
        }
    });
    told
}
