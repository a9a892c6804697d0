//! What whoever looks has chosen: the order, and one queue.

use std::cmp::Reverse;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::snapshot::{Row, Snapshot};

/// Which queue stands first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Whose oldest job has waited longest.
    #[default]
    Oldest,
    /// With the most jobs that wait.
    Depth,
    /// Which does the most.
    Done,
    Dead,
    Name,
}

/// What a key asks of the program.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    Draw,
    End,
}

#[derive(Debug, Default)]
pub struct Choice {
    pub order: Order,
    /// Its place in the present order.
    pub place: usize,
    /// Its key: it stays chosen wherever it moves.
    queue: Option<Vec<u8>>,
}

impl Order {
    pub fn name(self) -> &'static str {
        match self {
            Order::Oldest => "oldest",
            Order::Depth => "depth",
            Order::Done => "done/s",
            Order::Dead => "dead",
            Order::Name => "name",
        }
    }

    fn next(self) -> Self {
        match self {
            Order::Oldest => Order::Depth,
            Order::Depth => Order::Done,
            Order::Done => Order::Dead,
            Order::Dead => Order::Name,
            Order::Name => Order::Oldest,
        }
    }

    /// Rows are sorted by this and then by name.
    fn rank(self, row: &Row) -> Reverse<u64> {
        let [ready, delayed, _, blocked, _, dead] = row.stats.jobs;
        Reverse(match self {
            Order::Oldest => row.stats.oldest_ready_ms,
            Order::Depth => ready + delayed + blocked,
            // In thousandths.
            Order::Done => row.rates.map_or(0, |rates| (rates.done * 1e3) as u64),
            Order::Dead => dead,
            Order::Name => 0,
        })
    }
}

impl Choice {
    pub fn obey(&mut self, key: KeyEvent) -> Wish {
        let is_control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Wish::End,
            _ if is_control_c => return Wish::End,
            KeyCode::Char('s') => self.order = self.order.next(),
            KeyCode::Char('j') | KeyCode::Down => self.go_to(self.place.saturating_add(1)),
            KeyCode::Char('k') | KeyCode::Up => self.go_to(self.place.saturating_sub(1)),
            KeyCode::Home => self.go_to(0),
            KeyCode::End => self.go_to(usize::MAX),
            _ => {}
        }
        Wish::Draw
    }

    fn go_to(&mut self, place: usize) {
        self.place = place;
        // Which one stands there is told by the rows.
        self.queue = None;
    }

    /// Sorts the rows and finds the chosen one among them.
    pub fn arrange(&mut self, snapshot: &mut Snapshot) {
        let order = self.order;
        snapshot.rows.sort_by_cached_key(|row| (order.rank(row), row.stats.key.clone()));
        let rows = &snapshot.rows;
        let moved = self.queue.as_ref().and_then(|key| rows.iter().position(|row| row.stats.key == *key));
        self.place = moved.unwrap_or(self.place).min(rows.len().saturating_sub(1));
        self.queue = rows.get(self.place).map(|row| row.stats.key.clone());
    }

    /// The key of the chosen queue.
    pub fn chosen<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s [u8]> {
        snapshot.rows.get(self.place).map(|row| row.stats.key.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::queue;
    use super::*;

    fn snapshot(names: &[(&str, u64)]) -> Snapshot {
        let queues = names.iter().map(|(name, dead)| queue(name, [0, 0, 0, 0, 0, *dead], [0; 3]));
        Snapshot::of(queues.collect(), None)
    }

    fn names(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.rows.iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn a_chosen_queue_stays_chosen_where_the_order_moves_it() {
        let mut choice = Choice::default();
        let mut now = snapshot(&[("b", 1), ("a", 0), ("c", 2)]);
        choice.arrange(&mut now);
        assert_eq!(names(&now), ["a", "b", "c"]);
        choice.obey(KeyCode::Down.into());
        choice.arrange(&mut now);
        assert_eq!(choice.chosen(&now), Some(&b"b"[..]));
        while choice.order != Order::Dead {
            choice.obey(KeyCode::Char('s').into());
        }
        choice.arrange(&mut now);
        assert_eq!((names(&now), choice.place), (vec!["c", "b", "a"], 1));
        // It is gone: the one in its place is chosen.
        let mut later = snapshot(&[("a", 0), ("c", 2)]);
        choice.arrange(&mut later);
        assert_eq!(choice.chosen(&later), Some(&b"a"[..]));
    }

    #[test]
    fn keys_move_within_the_rows_and_end_the_program() {
        let mut choice = Choice::default();
        let mut now = snapshot(&[("a", 0), ("b", 0)]);
        for (key, place) in [(KeyCode::Up, 0), (KeyCode::End, 1), (KeyCode::Down, 1), (KeyCode::Home, 0)] {
            assert_eq!(choice.obey(key.into()), Wish::Draw);
            choice.arrange(&mut now);
            assert_eq!(choice.place, place, "{key:?}");
        }
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for key in [KeyCode::Char('q').into(), KeyCode::Esc.into(), control_c] {
            assert_eq!(choice.obey(key), Wish::End);
        }
        let mut none = Snapshot::default();
        choice.arrange(&mut none);
        assert_eq!(choice.chosen(&none), None);
    }
}
