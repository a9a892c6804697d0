//! Which jobs fail, decided by their ids alone: the handler and the summary come to it apart from
//! each other.

use sha2::{Digest, Sha256};

/// How often a failed job is retried: `RETRIES` of its push.
pub const RETRIES: u32 = 3;

/// Exit statuses of the handler, as docs/worker.md has them.
const EX_DATAERR: u8 = 65;
const EX_TEMPFAIL: u8 = 75;

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedOutcome {
    /// Fails this many times (0 to [`RETRIES`]), then succeeds.
    Succeeds { after: u32 },
    /// Fails until its retries are used up.
    Stubborn,
    /// Is refused for good in its first run.
    Poison,
}

impl PlannedOutcome {
    /// 6 % fail once, 3 % twice, 0.6 % always, 0.4 % are poison.
    pub fn of(id: &[u8]) -> Self {
        let hash = Sha256::digest(id);
        match u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 1_000 {
            0..60 => PlannedOutcome::Succeeds { after: 1 },
            60..90 => PlannedOutcome::Succeeds { after: 2 },
            90..96 => PlannedOutcome::Stubborn,
            96..100 => PlannedOutcome::Poison,
            _ => PlannedOutcome::Succeeds { after: 0 },
        }
    }

    /// The handler's exit status in run `attempt`, from 1.
    pub fn exit(self, attempt: u32) -> u8 {
        match self {
            PlannedOutcome::Succeeds { after } if attempt > after => 0,
            PlannedOutcome::Succeeds { .. } => EX_TEMPFAIL,
            PlannedOutcome::Stubborn => 1,
            PlannedOutcome::Poison => EX_DATAERR,
        }
    }

    /// How many runs fail and are followed by another.
    pub fn retries(self) -> u64 {
        match self {
            PlannedOutcome::Succeeds { after } => u64::from(after),
            PlannedOutcome::Stubborn => u64::from(RETRIES),
            PlannedOutcome::Poison => 0,
        }
    }

    /// Whether the job ends dead, in one last failed run.
    pub fn dies(self) -> bool {
        matches!(self, PlannedOutcome::Stubborn | PlannedOutcome::Poison)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_and_counts_tell_the_same_story() {
        for outcome in [
            PlannedOutcome::Succeeds { after: 0 },
            PlannedOutcome::Succeeds { after: 2 },
            PlannedOutcome::Stubborn,
            PlannedOutcome::Poison,
        ] {
            let (mut retries, mut attempt) = (0, 1);
            let dead = loop {
                match outcome.exit(attempt) {
                    0 => break false,
                    EX_DATAERR => break true,
                    _ if attempt > RETRIES => break true,
                    _ => (retries, attempt) = (retries + 1, attempt + 1),
                }
            };
            assert_eq!((retries, dead), (outcome.retries(), outcome.dies()), "{outcome:?}");
        }
    }

    #[test]
    fn among_a_few_thousand_ids_every_outcome_occurs_in_about_its_share() {
        let outcomes: Vec<PlannedOutcome> =
            (0..5_000).map(|n| PlannedOutcome::of(format!("shopify-{n}").as_bytes())).collect();
        let share = |wanted: PlannedOutcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        assert!((200..400).contains(&share(PlannedOutcome::Succeeds { after: 1 })));
        assert!((90..220).contains(&share(PlannedOutcome::Succeeds { after: 2 })));
        assert!((10..60).contains(&share(PlannedOutcome::Stubborn)));
        assert!((5..50).contains(&share(PlannedOutcome::Poison)));
    }
}
