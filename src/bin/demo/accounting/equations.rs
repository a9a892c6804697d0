//! The equations that must hold, each side counted elsewhere.

/// Every number with where it was counted. Nothing here is derived from something else here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
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
    /// Replies: the planned outcomes of the accepted ids.
    pub retries: u64,
    pub planned_dead: u64,
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

impl Reconciliation {
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
                "JOBQ.STATS; retries from the planned outcomes of the accepted ids",
                &[("done", self.done), ("retries", self.retries), ("dead attempts", self.dead)],
            ),
            equation(
                ("JOBQ.STATS", "dead", self.dead),
                "planned outcomes of the accepted ids",
                &[("bound to fail", self.planned_dead)],
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

    fn balanced() -> Reconciliation {
        Reconciliation {
            deliveries: 111_111,
            broken: Some(1),
            accepted: 100_000,
            duplicates: 10_000,
            mismatched: 1_000,
            limited: 110,
            malformed: 1,
            retries: 7_000,
            planned_dead: 40,
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

    fn broken(totals: &Reconciliation) -> Vec<&'static str> {
        totals
            .equations()
            .iter()
            .filter(|equation| !equation.holds())
            .map(|equation| equation.left.name)
            .collect()
    }

    #[test]
    fn balanced_totals_hold() {
        assert_eq!(broken(&balanced()), [""; 0]);
        assert_eq!(broken(&Reconciliation { broken: None, ..balanced() }), [""; 0]);
    }

    #[test]
    fn any_number_off_by_one_breaks_an_equation() {
        type Field = fn(&mut Reconciliation) -> &mut u64;
        let fields: [(&str, Field); 17] = [
            ("deliveries", |totals| &mut totals.deliveries),
            ("broken", |totals| totals.broken.as_mut().unwrap()),
            ("accepted", |totals| &mut totals.accepted),
            ("duplicates", |totals| &mut totals.duplicates),
            ("mismatched", |totals| &mut totals.mismatched),
            ("limited", |totals| &mut totals.limited),
            ("malformed", |totals| &mut totals.malformed),
            ("retries", |totals| &mut totals.retries),
            ("planned_dead", |totals| &mut totals.planned_dead),
            ("customers", |totals| &mut totals.customers),
            ("done", |totals| &mut totals.done),
            ("dead", |totals| &mut totals.dead),
            ("runs", |totals| &mut totals.runs),
            ("distinct_runs", |totals| &mut totals.distinct_runs),
            ("intact_runs", |totals| &mut totals.intact_runs),
            ("loads", |totals| &mut totals.loads),
            ("most_loads", |totals| &mut totals.most_loads),
        ];
        for (name, field) in fields {
            for step in [1, -1] {
                let mut totals = balanced();
                let number = field(&mut totals);
                *number = number.checked_add_signed(step).unwrap();
                assert!(!broken(&totals).is_empty(), "{name} {step:+}");
            }
        }
    }

    #[test]
    fn nothing_accepted_needs_no_load() {
        let none = Reconciliation {
            deliveries: 1,
            broken: None,
            accepted: 0,
            duplicates: 0,
            mismatched: 0,
            limited: 0,
            malformed: 1,
            retries: 0,
            planned_dead: 0,
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
