//! Random histories: the steps that the property plays, and how they are drawn.

use super::harness::*;
use crate::domain::jobq::*;
use crate::domain::time::{DAY, MINUTE};
use proptest::prelude::*;

/// UNIQUE: one of few keys.
pub(super) type Unique = (u8, Until, Option<u64>, OnDup, Option<u64>);

pub(super) fn uniques() -> impl Strategy<Value = Unique> {
    let window = || 1..60u64;
    let held = prop_oneof![
        3 => Just((Until::Done, None)),
        2 => Just((Until::Start, None)),
        2 => window().prop_map(|window| (Until::Time, Some(window))),
        1 => window().prop_map(|window| (Until::Done, Some(window))),
        1 => window().prop_map(|window| (Until::Start, Some(window))),
    ];
    let on_dup = prop::sample::select(vec![OnDup::Keep, OnDup::Replace, OnDup::Next, OnDup::Cancel]);
    let max_wait = prop::option::weighted(0.5, 1..60u64);
    (0..2u8, held, on_dup, max_wait).prop_map(|(key, (until, window), on_dup, max_wait)| {
        (key, until, window, on_dup, max_wait.filter(|_| on_dup == OnDup::Replace))
    })
}

/// KIND and ERROR of a REDRIVE or a PURGE.
pub(super) type Failure = (Option<u8>, Option<&'static str>);

/// Errors that a worker reports.
pub(super) const ERRORS: [&str; 3] = ["broken", "x", "bridge"];

#[derive(Debug, Clone)]
pub(super) enum Step {
    Push {
        id: Option<u8>,
        name: Option<u8>,
        due: Due,
        retries: u16,
        /// MATCH, META and COST, and whether the payload is longer.
        content: (bool, Option<u8>, u64, bool),
        rank: (i32, bool),
        backoff: Option<Backoff>,
        lease: Option<u64>,
        group: Option<u8>,
        /// EXPIRE and KEEP.
        lifetime: (Option<u64>, Option<u64>),
        unique: Option<Unique>,
        /// These of the jobs that there are, counted from the latest.
        after: (Vec<usize>, OnDead),
    },
    Pop {
        count: usize,
        lease: Option<u64>,
        linger: Option<u64>,
        grouped: bool,
    },
    // These by the n-th newest token that was ever granted.
    Ack {
        by: usize,
        result: Option<u8>,
    },
    Fail {
        by: usize,
        delay: Option<u64>,
        dead: bool,
        chance: u64,
        error: Option<&'static str>,
        /// KIND and PROGRESS.
        report: (Option<u8>, Option<u8>),
    },
    Release {
        by: usize,
        delay: u64,
        progress: Option<u8>,
    },
    Extend {
        by: usize,
        lease: Option<u64>,
    },
    /// An EXTEND with a word about the progress, and a line for the log.
    Note {
        by: usize,
        text: u8,
    },
    /// The job with that id, or (none) of the newest grant.
    Update {
        id: Option<u8>,
        priority: Option<i32>,
        due: Option<Due>,
        retries: Option<u16>,
        payload: Option<u8>,
        lifo: Option<bool>,
        no_unique: bool,
        /// AFTER these of the jobs that there are, counted from the latest.
        parents: Option<(Vec<usize>, Option<OnDead>)>,
    },
    /// The job of that grant, or (none) the one with that id.
    Cancel {
        by: Option<usize>,
        id: u8,
    },
    /// An MPUSH of jobs with these ids.
    PushMany {
        ids: Vec<Option<u8>>,
        name: Option<u8>,
    },
    /// By the n-th newest tokens.
    AckMany(Vec<usize>),
    ExtendMany(Vec<usize>, Option<u64>),
    Redrive {
        limit: usize,
        done: bool,
        older: u64,
        failure: Failure,
        /// Only these.
        ids: Option<Vec<u8>>,
    },
    Purge {
        state: State,
        older: u64,
        failure: Failure,
        limit: usize,
    },
    Configure(&'static str, &'static str),
    /// A CRON SET of one of few schedules.
    SetSchedule {
        name: u8,
        when: (&'static str, &'static str),
        catch_up: CatchUp,
        overlap: bool,
        retries: u16,
        group: Option<u8>,
        lifetime: (Option<u64>, Option<u64>),
        bounds: RunBounds,
    },
    DeleteSchedule(u8),
    Run(u8),
    Pause(Option<(Option<u64>, bool)>),
    PauseGroup(u8, Option<(Option<u64>, bool)>),
    /// GROUP SET … CONCURRENCY
    SetGroup(u8, Option<u32>),
    Forward(u64),
    Back(u64),
    /// Both servers start again from what they saved.
    Restart,
}

/// Small numbers, so that a short history meets them.
pub(super) const SETTINGS: [(&str, &str); 27] = [
    ("lease", "20ms"),
    ("retries", "1"),
    ("backoff", "fixed:9ms"),
    ("concurrency", "1"),
    ("concurrency", "3"),
    ("concurrency", "off"),
    ("group_concurrency", "1"),
    ("group_concurrency", "2"),
    ("group_concurrency", "off"),
    ("rate", "2/25ms"),
    ("rate", "off"),
    ("group_rate", "1/15ms"),
    ("group_rate", "1/15ms"),
    ("group_rate", "2/15ms"),
    ("group_rate", "off"),
    ("aging", "7ms"),
    ("aging", "off"),
    ("max_length", "3"),
    ("max_length", "off"),
    ("max_payload", "1"),
    ("max_payload", "off"),
    ("keep_done", "40ms/2"),
    ("keep_dead", "1d/1"),
    ("stall_max", "1"),
    ("events", "1000"),
    ("events", "7"),
    ("events", "0"),
];

/// Patterns and zones: due often, at times, and where clocks change.
pub(super) const WHENS: [(&str, &str); 8] = [
    ("* * * * * *", "UTC"),
    ("*/20 * * * * *", "UTC"),
    ("@every 7s", "UTC"),
    ("* * * * *", "UTC"),
    ("@every 5h", "UTC"),
    ("0 * * * *", "America/Sao_Paulo"),
    ("30 2 * * *", "Europe/Berlin"),
    ("0 0 29 2 *", "Pacific/Apia"),
];

/// A START and an END near the times of a short history, and a few RUNS.
pub(super) fn bounds() -> impl Strategy<Value = RunBounds> {
    let near = |ms: u64| prop::option::weighted(0.2, START - 60_000..START + ms);
    (near(60_000), near(5 * DAY), prop::option::weighted(0.2, 1..4u64)).prop_map(|(start, end, max_runs)| {
        RunBounds { start, end: end.map(|end| end.max(start.unwrap_or(0))), max_runs }
    })
}

pub(super) fn plans() -> impl Strategy<Value = Step> {
    // Those that are due often do not make each run that they missed: in four days there are many.
    let catch_up = |nth: usize| prop::sample::select(CatchUp::ALL[..if nth < 4 { 2 } else { 3 }].to_vec());
    let when = (0..WHENS.len()).prop_flat_map(move |nth| (Just(WHENS[nth]), catch_up(nth)));
    let lifetime =
        (prop::option::weighted(0.3, MINUTE + 1..2 * MINUTE), prop::option::weighted(0.3, 0..60u64));
    (0..3u8, when, any::<bool>(), 0..2u16, prop::option::weighted(0.3, 0..3u8), lifetime, bounds()).prop_map(
        |(name, (when, catch_up), overlap, retries, group, lifetime, bounds)| Step::SetSchedule {
            bounds,
            name,
            when,
            catch_up,
            overlap,
            retries,
            group,
            // No run has expired when it is made: a POP would pass it over, which the model's turns
            // do not.
            lifetime: (lifetime.0.filter(|_| catch_up == CatchUp::Skip), lifetime.1),
        },
    )
}

pub(super) fn backoffs() -> impl Strategy<Value = Backoff> {
    prop_oneof![
        Just(Backoff::Fixed(7)),
        Just(Backoff::List([3, 9].into())),
        Just(Backoff::Exponential { first: 4, most: 10, jitter: 50 }),
    ]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lease = || prop::option::weighted(0.8, 1..40u64);
    let by = || prop_oneof![4 => 0..3usize, 1 => 0..12usize];
    let delay = || prop_oneof![2 => Just(0), 1 => 1..40u64];
    let kinds = || prop::option::weighted(0.3, b'k'..b'm');
    let globs = || prop::option::weighted(0.3, prop::sample::select(vec!["br*", "?", "*job*", "*lease*"]));
    let due =
        || prop_oneof![3 => delay().prop_map(Due::After), 1 => (0..80u64).prop_map(|at| Due::At(START + at))];
    let content =
        (any::<bool>(), prop::option::weighted(0.2, any::<u8>()), 1..4u64, prop::bool::weighted(0.2));
    let push = (
        (prop::option::of(0..4u8), prop::option::weighted(0.4, b'n'..b'q')),
        (due(), content),
        (0..4u16, prop::option::weighted(0.6, 0..3u8)),
        prop::option::weighted(0.7, backoffs()),
        prop::option::weighted(0.2, 1..40u64),
        (prop_oneof![2 => Just(0), 1 => -1..2i32], prop::bool::weighted(0.2)),
        (prop::option::weighted(0.3, 1..60u64), prop::option::weighted(0.3, 0..60u64)),
        prop::option::weighted(0.4, uniques()),
        (
            prop_oneof![1 => Just(vec![]), 1 => prop::collection::vec(0..5usize, 1..4)],
            prop::sample::select(OnDead::ALL.to_vec()),
        ),
    );
    let step = prop_oneof![
        8 => push.prop_map(|((id, name), (due, content), (retries, group), backoff, lease, rank, lifetime, unique, after)| {
            // The order in which groups come is not followed through those that let others go.
            let group = group.filter(|_| unique.is_none() && after.0.is_empty());
            Step::Push { id, name, due, content, retries, rank, backoff, lease, group, lifetime, unique, after }
        }),
        10 => (1..4usize, lease(), prop::option::weighted(0.2, 1..40u64), prop::bool::weighted(0.3))
            .prop_map(|(count, lease, linger, grouped)| Step::Pop { count, lease, linger, grouped }),
        2 => (by(), kinds()).prop_map(|(by, result)| Step::Ack { by, result }),
        4 => (
            by(),
            prop::option::weighted(0.3, 0..30u64),
            prop::bool::weighted(0.1),
            any::<u64>(),
            prop::option::weighted(0.8, prop::sample::select(ERRORS.to_vec())),
            (kinds(), kinds()),
        )
            .prop_map(|(by, delay, dead, chance, error, report)| {
                Step::Fail { by, delay, dead, chance, error, report }
            }),
        3 => (by(), delay(), kinds()).prop_map(|(by, delay, progress)| Step::Release { by, delay, progress }),
        2 => (by(), lease()).prop_map(|(by, lease)| Step::Extend { by, lease }),
        2 => (by(), any::<u8>()).prop_map(|(by, text)| Step::Note { by, text }),
        4 => (
            prop::option::weighted(0.8, 0..4u8),
            prop::option::weighted(0.3, -1..2i32),
            prop::option::of(prop_oneof![(0..40u64).prop_map(Due::After), (0..80u64).prop_map(|at| Due::At(START + at))]),
            prop::option::weighted(0.2, 0..4u16),
            prop::option::weighted(0.2, any::<u8>()),
            (
                prop::option::weighted(0.2, any::<bool>()),
                prop::bool::weighted(0.2),
                prop::option::weighted(
                    0.3,
                    (
                        prop::collection::vec(0..6usize, 1..4),
                        prop::option::weighted(0.4, prop::sample::select(OnDead::ALL.to_vec())),
                    ),
                ),
            ),
        )
            .prop_map(|(id, priority, due, retries, payload, (lifo, no_unique, parents))| {
                Step::Update { id, priority, due, retries, payload, lifo, no_unique, parents }
            }),
        2 => (prop::option::of(by()), 0..4u8).prop_map(|(by, id)| Step::Cancel { by, id }),
        2 => (prop::collection::vec(prop::option::of(0..4u8), 1..4), prop::option::weighted(0.4, b'n'..b'q'))
            .prop_map(|(ids, name)| Step::PushMany { ids, name }),
        1 => prop::collection::vec(by(), 1..4).prop_map(Step::AckMany),
        1 => (prop::collection::vec(by(), 1..4), lease()).prop_map(|(by, lease)| Step::ExtendMany(by, lease)),
        2 => (
            1..4usize,
            prop::bool::weighted(0.3),
            prop_oneof![2 => Just(0), 1 => 1..60u64],
            (kinds(), globs()),
            prop::option::weighted(0.3, prop::collection::vec(b'a'..b'f', 1..4)),
        )
            .prop_map(|(limit, done, older, failure, ids)| Step::Redrive { limit, done, older, failure, ids }),
        2 => (
            prop::sample::select(vec![State::Ready, State::Delayed, State::Blocked, State::Done, State::Dead]),
            1..60u64,
            (kinds(), globs()),
            prop_oneof![1 => Just(10_000), 1 => 1..3usize],
        )
            .prop_map(|(state, older, failure, limit)| Step::Purge { state, older, failure, limit }),
        2 => prop::sample::select(SETTINGS.to_vec()).prop_map(|(field, value)| Step::Configure(field, value)),
        2 => prop::option::weighted(0.4, (prop::option::weighted(0.7, 1..40u64), any::<bool>()))
            .prop_map(Step::Pause),
        2 => (0..3u8, prop::option::weighted(0.5, (prop::option::weighted(0.7, 1..40u64), any::<bool>())))
            .prop_map(|(group, pause)| Step::PauseGroup(group, pause)),
        1 => (0..3u8, prop::option::weighted(0.7, 1..4u32))
            .prop_map(|(group, concurrency)| Step::SetGroup(group, concurrency)),
        2 => plans(),
        1 => (0..3u8).prop_map(Step::DeleteSchedule),
        1 => (0..3u8).prop_map(Step::Run),
        8 => (0..40u64).prop_map(Step::Forward),
        1 => (1_000..40_000u64).prop_map(Step::Forward),
        1 => prop_oneof![4 => Just(DAY / 2), 1 => Just(4 * DAY)].prop_map(Step::Forward),
        2 => (0..60u64).prop_map(Step::Back),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..120)
}
