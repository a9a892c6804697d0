//! The equations that must hold, each side counted elsewhere.

/// Every number with where it was counted. Nothing here is derived from something else here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// Feed file: its lines.
    pub deliveries: u64,
    /// Generator: broken lines written; None for deliveries of one's own.
    pub broken: Option<u64>,
    /// Replies, by outcome.
    pub accepted: u64,
    pub duplicates: u64,
    pub mismatched: u64,
    pub limited: u64,
    pub malformed: u64,
    /// Replies: the fates of the accepted ids.
    pub retries: u64,
    pub doomed: u64,
    /// Replies: senders of accepted deliveries.
    pub customers: u64,
    /// JOBQ.STATS.
    pub done: u64,
    pub dead: u64,
    /// Runs file: its lines; those of different attempts; those whose payload is in the feed file.
    pub runs: u64,
    pub distinct_runs: u64,
    pub intact_runs: u64,
    /// Loads file: its lines, and the most for one customer.
    pub loads: u64,
    pub most_loads: u64,
}

/// One equation: `left = right₁ + right₂ + …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equation {
    pub left: Term,
    pub right: Vec<Term>,
    /// Where the right side was counted.
    pub right_from: &'static str,
    /// Where the left side was counted.
    pub left_from: &'static str,
}

/// A number with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    pub name: &'static str,
    pub count: u64,
}

impl Equation {
    pub fn holds(&self) -> bool {
        self.left.count == self.right.iter().map(|term| term.count).sum::<u64>()
    }
}

impl Books {
    pub fn equations(&self) -> Vec<Equation> {
        let mut equations = vec![
            equation(
                ("feed file", "deliveries", self.deliveries),
                "replies to the front end",
                &[
                    ("accepted", self.accepted),
                    ("duplicates", self.duplicates),
                    ("mismatched", self.mismatched),
                    ("limited", self.limited),
                    ("malformed", self.malformed),
                ],
            ),
            equation(
                ("replies", "accepted", self.accepted),
                "JOBQ.STATS",
                &[("done", self.done), ("dead", self.dead)],
            ),
            equation(
                ("runs file", "handler runs", self.runs),
                "JOBQ.STATS; retries from the fates of the accepted ids",
                &[("done", self.done), ("retries", self.retries), ("dead attempts", self.dead)],
            ),
            equation(
                ("JOBQ.STATS", "dead", self.dead),
                "fates of the accepted ids",
                &[("bound to fail", self.doomed)],
            ),
            equation(
                ("loads file", "customer loads", self.loads),
                "senders accepted, by the replies",
                &[("customers", self.customers)],
            ),
            equation(
                ("loads file, the most", "loads per customer", self.most_loads),
                "CACHE.GETSET hands out one token to fill",
                &[("for each", u64::from(self.customers > 0))],
            ),
            equation(
                ("runs file", "different attempts", self.distinct_runs),
                "runs file: no attempt ran twice",
                &[("runs", self.runs)],
            ),
            equation(
                ("feed file", "payloads as delivered", self.intact_runs),
                "runs file: every byte arrived, NUL and non-UTF-8 too",
                &[("runs", self.runs)],
            ),
        ];
        if let Some(broken) = self.broken {
            let left = ("generator", "broken lines", broken);
            equations.push(equation(left, "replies", &[("malformed", self.malformed)]));
        }
        equations
    }
}

fn equation(
    left: (&'static str, &'static str, u64),
    right_from: &'static str,
    right: &[(&'static str, u64)],
) -> Equation {
    let right = right.iter().map(|&(name, count)| Term { name, count }).collect();
    Equation { left: Term { name: left.1, count: left.2 }, left_from: left.0, right, right_from }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced() -> Books {
        Books {
            deliveries: 111_111,
            broken: Some(1),
            accepted: 100_000,
            duplicates: 10_000,
            mismatched: 1_000,
            limited: 110,
            malformed: 1,
            retries: 7_000,
            doomed: 40,
            customers: 12,
            done: 99_960,
            dead: 40,
            runs: 107_000,
            distinct_runs: 107_000,
            intact_runs: 107_000,
            loads: 12,
            most_loads: 1,
        }
    }

    fn broken(books: &Books) -> Vec<&'static str> {
        books
            .equations()
            .iter()
            .filter(|equation| !equation.holds())
            .map(|equation| equation.left.name)
            .collect()
    }

    #[test]
    fn balanced_books_hold() {
        assert_eq!(broken(&balanced()), [""; 0]);
        assert_eq!(broken(&Books { broken: None, ..balanced() }), [""; 0]);
    }

    #[test]
    fn any_number_off_by_one_breaks_an_equation() {
        type Field = fn(&mut Books) -> &mut u64;
        let fields: [(&str, Field); 17] = [
            ("deliveries", |books| &mut books.deliveries),
            ("broken", |books| books.broken.as_mut().unwrap()),
            ("accepted", |books| &mut books.accepted),
            ("duplicates", |books| &mut books.duplicates),
            ("mismatched", |books| &mut books.mismatched),
            ("limited", |books| &mut books.limited),
            ("malformed", |books| &mut books.malformed),
            ("retries", |books| &mut books.retries),
            ("doomed", |books| &mut books.doomed),
            ("customers", |books| &mut books.customers),
            ("done", |books| &mut books.done),
            ("dead", |books| &mut books.dead),
            ("runs", |books| &mut books.runs),
            ("distinct_runs", |books| &mut books.distinct_runs),
            ("intact_runs", |books| &mut books.intact_runs),
            ("loads", |books| &mut books.loads),
            ("most_loads", |books| &mut books.most_loads),
        ];
        for (name, field) in fields {
            for step in [1, -1] {
                let mut books = balanced();
                let number = field(&mut books);
                *number = number.checked_add_signed(step).unwrap();
                assert!(!broken(&books).is_empty(), "{name} {step:+}");
            }
        }
    }

    #[test]
    fn nothing_accepted_needs_no_load() {
        let none = Books {
            deliveries: 1,
            broken: None,
            accepted: 0,
            duplicates: 0,
            mismatched: 0,
            limited: 0,
            malformed: 1,
            retries: 0,
            doomed: 0,
            customers: 0,
            done: 0,
            dead: 0,
            runs: 0,
            distinct_runs: 0,
            intact_runs: 0,
            loads: 0,
            most_loads: 0,
        };
        assert_eq!(broken(&none), [""; 0]);
    }
}
