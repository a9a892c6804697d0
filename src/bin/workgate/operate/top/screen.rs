//! What is drawn: the queues, what is busy in the chosen one, and the keys.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Row, Table, TableState};

use super::choice::Choice;
use super::snapshot::{HEADS, Snapshot};
use crate::serve::dashboard::job_row::JobRow;

/// The most rows that the busy jobs take.
const BUSY_ROWS: u16 = 10;

pub struct View<'a> {
    /// The server's address.
    pub place: &'a str,
    pub snapshot: &'a Snapshot,
    pub choice: &'a Choice,
    pub busy: &'a [JobRow],
    /// Why what is shown may be old.
    pub fault: Option<&'a str>,
}

pub fn draw(frame: &mut Frame, view: &View) {
    // With their frame and their heading.
    let busy = u16::try_from(view.busy.len()).unwrap_or(u16::MAX).clamp(1, BUSY_ROWS) + 2;
    let busy = if frame.area().height > busy + 6 { busy } else { 0 };
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(busy),
        Constraint::Length(1),
    ])
    .split(frame.area());
    frame.render_widget(head(view), areas[0]);
    let mut chosen = TableState::default().with_selected(Some(view.choice.place));
    frame.render_stateful_widget(queues(view), areas[1], &mut chosen);
    if busy > 0 {
        frame.render_widget(jobs(view), areas[2]);
    }
    let keys = format!("q ends   j k choose   s sorts by: {}", view.choice.order.name());
    frame.render_widget(Line::from(keys).dim(), areas[3]);
}

fn head<'a>(view: &View<'a>) -> Line<'a> {
    let mut spans = vec![Span::from("workgate ").bold(), Span::from(view.place)];
    match view.fault {
        Some(fault) => spans.push(Span::from(format!("  {fault}")).red().bold()),
        None => {
            let rows = &view.snapshot.rows;
            let sum = |state: usize| rows.iter().map(|row| row.stats.jobs[state]).sum::<u64>();
            spans.push(Span::from(format!(
                "  queues {}  ready {}  active {}  dead {}",
                rows.len(),
                sum(0),
                sum(2),
                sum(5)
            )));
        }
    }
    Line::from(spans)
}

fn queues<'a>(view: &View<'a>) -> Table<'a> {
    let rows = view.snapshot.rows.iter().map(|row| {
        let paused = if row.stats.is_paused { " (paused)" } else { "" };
        let name = Cell::from(format!("{}{paused}", row.name));
        let is_dead = |place: usize| place == 4 && row.stats.jobs[5] > 0;
        let cells = row.cells().into_iter().enumerate().map(|(place, text)| {
            let cell = Cell::from(Line::from(text).right_aligned());
            if is_dead(place) { cell.style(Style::new().fg(Color::Red)) } else { cell }
        });
        Row::new(std::iter::once(name).chain(cells))
    });
    let head = std::iter::once(Cell::from("queue"))
        .chain(HEADS.iter().map(|head| Cell::from(Line::from(*head).right_aligned())));
    let widths = std::iter::once(Constraint::Min(12)).chain(HEADS.iter().map(|_| Constraint::Length(8)));
    Table::new(rows, widths)
        .header(Row::new(head).style(Style::new().add_modifier(Modifier::REVERSED)))
        .row_highlight_style(Style::new().add_modifier(Modifier::BOLD).fg(Color::Cyan))
}

fn jobs<'a>(view: &View<'a>) -> Table<'a> {
    let chosen = view.snapshot.rows.get(view.choice.place).map_or("", |row| row.name.as_str());
    let rows = view.busy.iter().map(|job| {
        Row::new([
            job.id.text.clone(),
            job.worker.clone(),
            format!("{}/{}", job.attempt, job.retries + 1),
            job.at.relative.clone(),
        ])
    });
    let widths = [Constraint::Min(12), Constraint::Min(12), Constraint::Length(8), Constraint::Length(14)];
    Table::new(rows, widths)
        .header(Row::new(["job", "worker", "attempt", "lease ends"]).dim())
        .block(Block::new().borders(Borders::TOP).title(format!(" busy in {chosen} ")))
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::queue;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        let buffer = terminal.backend().buffer();
        (0..height)
            .map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned())
            .collect()
    }

    fn example() -> (Snapshot, Choice, Vec<JobRow>) {
        let mut queues = vec![queue("mails", [3, 1, 2, 0, 9, 1], [0; 3]), queue("reports", [0; 6], [0; 3])];
        queues[0].is_paused = true;
        let mut snapshot = Snapshot::of(queues, None);
        let mut choice = Choice::default();
        choice.arrange(&mut snapshot);
        let job = JobRow { worker: "web:7".into(), attempt: 1, retries: 3, ..JobRow::default() };
        (snapshot, choice, vec![job])
    }

    #[test]
    fn it_shows_queues_what_is_busy_and_the_keys() {
        let (snapshot, choice, busy) = example();
        let view =
            View { place: "127.0.0.1:6379", snapshot: &snapshot, choice: &choice, busy: &busy, fault: None };
        let lines = drawn(&view, 110, 20);
        assert!(
            lines[0].contains("127.0.0.1:6379") && lines[0].contains("queues 2  ready 3  active 2  dead 1")
        );
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&lines[1])[..3], ["queue", "ready", "delayed"]);
        assert_eq!(words(&lines[2]), ["mails", "(paused)", "3", "1", "2", "0", "1", "-", "-", "-", "-"]);
        assert!(lines[3].starts_with("reports"));
        let all = lines.join("\n");
        assert!(all.contains("busy in mails") && all.contains("web:7") && all.contains("1/4"), "{all}");
        assert!(lines[19].contains("sorts by: oldest"), "{all}");
    }

    #[test]
    fn a_server_that_is_away_is_told_and_any_size_can_be_drawn() {
        let (snapshot, choice, busy) = example();
        let fault = Some("connection refused");
        let view = View { place: "h:1", snapshot: &snapshot, choice: &choice, busy: &busy, fault };
        assert!(drawn(&view, 80, 24)[0].contains("connection refused"));
        for (width, height) in [(1, 1), (5, 2), (20, 4), (300, 100)] {
            drawn(&view, width, height);
        }
    }
}
