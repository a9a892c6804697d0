//! A breaker under any history, against a naive one that keeps every call.

use crate::domain::breaker::decide::allow::AllowReply;
use crate::domain::breaker::decide::report::ReportReply;
use crate::domain::breaker::state::call_window::{SLICES_PER_WINDOW, slice_length};
use crate::domain::breaker::*;
use crate::domain::testing::primary_and_replica::PrimaryAndReplica;
use crate::domain::time::UnixMs;
use crate::domain::token::EPOCH_MS;
use crate::domain::value::{Lifetime, Value};
use proptest::prelude::*;

type World = PrimaryAndReplica<Breaker>;

impl World {
    fn new(config: BreakerConfig) -> Self {
        let mut world = World::at(EPOCH_MS + 1_000_000_000);
        world.send(Effect::Configure(config));
        world
    }

    fn allow(&mut self) -> AllowReply {
        self.run(decide_allow).unwrap()
    }

    fn report(&mut self, ok: u64, failed: u64, permit: Option<u64>) -> ReportReply {
        let report = CallReport { ok, failed, slow: 0, permit, by: None };
        self.run(|state, now, tokens| decide_report(state, &report, now, tokens)).unwrap()
    }
}

fn config() -> BreakerConfig {
    BreakerConfig {
        window: 1_000,
        min_calls: 8,
        open: 100,
        factor: 2,
        max: 350,
        probes: 2,
        probe_lease: 60,
        ..BreakerConfig::default()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Allow,
    /// With the n-th newest permit, or none.
    Report(u64, u64, Option<usize>),
    Forward(u64),
    Back(u64),
}

fn steps(backwards: bool) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Allow),
        6 => (0..3u64, 0..3u64, prop::option::weighted(0.7, 0..3usize)).prop_map(|(a, b, p)| Step::Report(a, b, p)),
        4 => (0..80u64).prop_map(Step::Forward),
        1 => (300..1_200u64).prop_map(Step::Forward),
        1 => (0..100_000u64).prop_map(move |ms| if backwards { Step::Back(ms) } else { Step::Forward(ms % 50) }),
    ];
    prop::collection::vec(step, 1..150)
}

enum Model {
    Closed { since_permit: u64 },
    Open { until: UnixMs },
    Half { ok: u64, out: Vec<(u64, UnixMs)> },
}

proptest! {
    #[test]
    fn it_answers_as_the_naive_one(steps in steps(false)) {
        let config = config();
        let mut world = World::new(config);
        let mut model = Model::Closed { since_permit: 0 };
        let mut rounds = 0u32;
        let mut calls: Vec<(UnixMs, bool)> = Vec::new();
        let mut permits: Vec<u64> = vec![0];
        for step in steps {
            let now = world.now;
            if let Model::Open { until } = model && now >= until {
                model = Model::Half { ok: 0, out: Vec::new() };
            }
            match step {
                Step::Forward(ms) => world.now += ms,
                Step::Back(_) => unreachable!("time only goes on in this history"),
                Step::Allow => {
                    let before = world.primary.clone();
                    let got = world.allow();
                    match &mut model {
                        Model::Closed { since_permit } => {
                            prop_assert_eq!((got.allowed, got.state, got.permit), (true, State::Closed, *since_permit));
                            prop_assert_eq!(&world.primary, &before);
                        }
                        Model::Open { until } => {
                            prop_assert_eq!((got.allowed, got.state), (false, State::Open));
                            prop_assert_eq!(got.retry_after_ms as u64, *until - now);
                            prop_assert_eq!(&world.primary, &before);
                        }
                        Model::Half { ok, out } => {
                            let live = out.iter().filter(|(_, end)| now < *end).count() as u64;
                            prop_assert_eq!(got.allowed, *ok + live < config.probes);
                            prop_assert_eq!(got.state, State::HalfOpen);
                            if got.allowed {
                                prop_assert!(permits.iter().all(|old| *old < got.permit), "tokens strictly rise");
                                if let Some(at) = out.iter().position(|(_, end)| now >= *end) {
                                    out.remove(at);
                                }
                                out.push((got.permit, now + config.probe_lease));
                            } else {
                                let first = out.iter().map(|(_, end)| *end).filter(|end| now < *end).min();
                                prop_assert_eq!(now + got.retry_after_ms as u64, first.unwrap());
                            }
                        }
                    }
                    permits.push(got.permit);
                }
                Step::Report(ok, failed, by) if ok + failed > 0 => {
                    let permit = by.map(|back| permits[permits.len().saturating_sub(1 + back)]);
                    let got = world.report(ok, failed, permit);
                    let mut changed = false;
                    match &mut model {
                        Model::Closed { since_permit } if permit.is_none_or(|p| p >= *since_permit) => {
                            calls.extend((0..ok).map(|_| (now, false)));
                            calls.extend((0..failed).map(|_| (now, true)));
                            let length = slice_length(config.window);
                            let counted: Vec<bool> = calls
                                .iter()
                                .filter(|(at, _)| at / length + SLICES_PER_WINDOW > now / length)
                                .map(|(_, failed)| *failed)
                                .collect();
                            let within = |ms| calls.iter().filter(|(at, _)| now - at < ms).count();
                            prop_assert!(within(config.window * 19 / 20) <= counted.len());
                            prop_assert!(counted.len() <= within(config.window));
                            let failures = counted.iter().filter(|failed| **failed).count();
                            prop_assert_eq!(got.calls, counted.len() as u64);
                            prop_assert_eq!(got.failure_pct, (failures * 100 / counted.len()) as u64);
                            if counted.len() >= 8 && failures * 2 >= counted.len() {
                                changed = true;
                                rounds = 0;
                                model = Model::Open { until: now + config.open };
                            }
                        }
                        Model::Half { ok: succeeded, out } => {
                            if let Some(at) = out.iter().position(|(token, _)| Some(*token) == permit) {
                                out.remove(at);
                                *succeeded += 1;
                                if failed > 0 {
                                    changed = true;
                                    rounds += 1;
                                    let open = (config.open << rounds.min(8)).min(config.max);
                                    model = Model::Open { until: now + open };
                                } else if *succeeded == config.probes {
                                    changed = true;
                                    calls.clear();
                                    let since_permit = world.primary.as_ref().unwrap().generation();
                                    prop_assert!(permits.iter().all(|old| *old < since_permit));
                                    model = Model::Closed { since_permit };
                                }
                            }
                        }
                        Model::Closed { .. } | Model::Open { .. } => {}
                    }
                    let state = match model {
                        Model::Closed { .. } => State::Closed,
                        Model::Open { .. } => State::Open,
                        Model::Half { .. } => State::HalfOpen,
                    };
                    prop_assert_eq!((got.state, got.changed), (state, changed));
                }
                Step::Report(..) => {}
            }
        }
    }

    /// Whatever the clock did and whichever client crashed: after the open time and a lease there
    /// is a way back.
    #[test]
    fn nothing_wedges_it(steps in steps(true)) {
        let mut world = World::new(config());
        let mut permits = vec![0];
        for step in steps {
            match step {
                Step::Allow => permits.push(world.allow().permit),
                Step::Report(ok, failed, by) if ok + failed > 0 => {
                    let permit = by.map(|back| permits[permits.len().saturating_sub(1 + back)]);
                    world.report(ok, failed, permit);
                }
                Step::Report(..) => {}
                Step::Forward(ms) => world.now += ms,
                Step::Back(ms) => world.now -= ms,
            }
        }
        world.allow();
        world.now += 350 + 60;
        let got = world.allow();
        prop_assert!(got.allowed);
        if got.state == State::HalfOpen {
            world.report(1, 0, Some(got.permit));
            if world.allow().state == State::HalfOpen {
                world.now += 60;
                let last = world.allow().permit;
                world.report(1, 0, Some(last));
            }
            prop_assert_eq!(world.allow().state, State::Closed);
        }
    }
}

#[test]
fn the_open_time_grows_up_to_its_most() {
    let times: Vec<u64> = (0..5).map(|level| config().open_time(level)).collect();
    assert_eq!(times, [100, 200, 350, 350, 350]);
    let least = BreakerConfig { open: 500, ..config() };
    assert_eq!(least.open_time(3), 500, "a most below the open time does not shorten it");
    assert_eq!(BreakerConfig { factor: 1, ..config() }.open_time(64), 100);
}

#[test]
fn it_ends_with_its_window_and_an_open_one_after_a_day() {
    let mut world = World::new(BreakerConfig::default());
    world.report(1, 0, None);
    let end = |world: &World| match world.primary.as_ref().unwrap().lifetime() {
        Lifetime::Until(end) => end - world.now,
        other => panic!("{other:?}"),
    };
    assert!((57_000..=60_000).contains(&end(&world)));
    world.report(0, 10, None);
    assert_eq!(end(&world), 30_000 + 86_400_000);
    world.run(decide_reset).expect("never refused");
    assert_eq!(end(&world), 60_000);
}

#[derive(Debug, Clone)]
struct QuorumStep {
    wait: u64,
    by: Option<u8>,
    ok: u64,
    failed: u64,
}

fn quorum_steps() -> impl Strategy<Value = Vec<QuorumStep>> {
    let step = (0..90u64, prop::option::of(0..5u8), 0..3u64, 0..3u64)
        .prop_filter("something is reported", |(_, _, ok, failed)| ok + failed > 0)
        .prop_map(|(wait, by, ok, failed)| QuorumStep { wait, by, ok, failed });
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Against every report that was made, one by one: it opens with the first one that completes
    /// the quorum.
    #[test]
    fn it_opens_only_when_the_quorum_of_instances_saw_failures(steps in quorum_steps(), quorum in 1..5u64) {
        let config = BreakerConfig { quorum, min_calls: 4, fail_pct: 30, ..config() };
        let mut world = World::new(config);
        let mut reports: Vec<(UnixMs, QuorumStep)> = Vec::new();
        let length = slice_length(config.window);
        for step in steps {
            world.now += step.wait;
            let now = world.now;
            let name = step.by.map(|by| [b'i', by]);
            let report = CallReport {
                ok: step.ok,
                failed: step.failed,
                slow: 0,
                permit: None,
                by: name.as_ref().map(|name| &name[..]),
            };
            let got = world.run(|state, now, tokens| decide_report(state, &report, now, tokens)).unwrap();
            reports.push((now, step));
            let counted = || reports.iter().filter(|(at, _)| at / length + SLICES_PER_WINDOW > now / length);
            let calls: u64 = counted().map(|(_, step)| step.ok + step.failed).sum();
            let failed: u64 = counted().map(|(_, step)| step.failed).sum();
            let failing: std::collections::HashSet<Option<u8>> =
                counted().filter(|(_, step)| step.failed > 0).map(|(_, step)| step.by).collect();
            let opens = calls >= 4 && failed * 100 >= 30 * calls && failing.len() as u64 >= quorum;
            prop_assert_eq!(got.state == State::Open, opens);
            if quorum > 1 {
                prop_assert_eq!(view(world.primary.as_ref(), now).failing_instances, failing.len() as u64);
            }
            if opens {
                return Ok(());
            }
        }
    }
}

#[test]
fn a_probe_that_fails_opens_alone_and_slow_calls_have_a_quorum_too() {
    let config = BreakerConfig { quorum: 3, min_calls: 1, slow_pct: 50, fail_pct: 100, ..config() };
    let mut world = World::new(config);
    let report = |world: &mut World, by: &[u8], failed, slow, permit| {
        let report = CallReport { ok: 1 - failed, failed, slow, permit, by: Some(by) };
        world.run(|state, now, tokens| decide_report(state, &report, now, tokens)).unwrap().state
    };
    assert_eq!(report(&mut world, b"a", 0, 1, None), State::Closed);
    assert_eq!(report(&mut world, b"b", 0, 1, None), State::Closed);
    assert_eq!(report(&mut world, b"b", 0, 1, None), State::Closed, "the same instance again");
    assert_eq!(report(&mut world, b"c", 0, 1, None), State::Open);
    world.now += 100;
    let probe = world.allow();
    assert_eq!(report(&mut world, b"a", 1, 0, Some(probe.permit)), State::Open);
}

#[test]
fn another_window_or_a_quorum_of_one_forgets_the_instances() {
    for change in [BreakerConfig { window: 2_000, quorum: 2, ..config() }, config()] {
        let mut world = World::new(BreakerConfig { quorum: 2, ..config() });
        let report = CallReport { ok: 0, failed: 1, slow: 0, permit: None, by: Some(b"a") };
        world.run(|state, now, tokens| decide_report(state, &report, now, tokens)).unwrap();
        assert_eq!(view(world.primary.as_ref(), world.now).failing_instances, 1);
        world.send(Effect::Configure(change));
        assert_eq!(view(world.primary.as_ref(), world.now).failing_instances, 0);
    }
}
