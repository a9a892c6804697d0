//! Queues whose jobs cost of the limits that one subject has for all of them.

use super::harness::*;
use crate::domain::decision::Decision;
use crate::domain::jobq::state::job::Job;
use crate::domain::jobq::state::job_header::LastOutcome;
use crate::domain::jobq::state::shared_rate::RateCharge;
use crate::domain::jobq::*;
use crate::domain::ratelimit;
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::ratelimit::tests::strategies::any_effects;
use crate::domain::ratelimit::{
    Budget, Charge, Check, CheckRequest, Limit, Subject, TakenLimits, decide_check,
};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::testing::primary_and_replica::PrimaryAndReplica;
use crate::domain::time::UnixMs;
use proptest::prelude::*;
use std::sync::Arc;

const SUBJECT: &[u8] = b"provider";

/// What a POP with RATE may have charged.
pub(super) fn rate_charges() -> impl Strategy<Value = RateCharge> {
    let taken = any_effects().prop_filter_map("the charges of a call", |effect| match effect {
        ratelimit::Effect::Taken { now, charges, .. } => {
            Some(TakenLimits::of_charges(now, charges.as_slice()))
        }
        _ => None,
    });
    ("[a-b]", taken).prop_map(|(subject, taken)| RateCharge { subject: subject.into_bytes().into(), taken })
}

/// Released after a POP with RATE.
pub(super) fn charge_at(job: &mut Job, subject: &[u8], at: u64) {
    job.last_outcome = LastOutcome::Released;
    let limit = Limit::parse(b"limit=5/1m:fixed").expect("a limit");
    let charge = Charge { name: None, rule: limit.rule, span: Some(Span { start: 1, end: 2 }), cost: 1 };
    let taken = TakenLimits::of_charges(at, &[charge]);
    job.set_rate_charge(Some(Arc::new(RateCharge { subject: subject.into(), taken })));
}

/// One subject and the queues that share it.
struct Provider {
    now: UnixMs,
    subject: PrimaryAndReplica<Subject>,
    queues: [World; 3],
    limits: Vec<&'static str>,
}

/// The answer of a POP that has got nothing: when the limits admit its first job.
type HeldBack = Option<Option<UnixMs>>;

fn request<'a>(limits: &[&'a str]) -> CheckRequest<'a> {
    CheckRequest::parse(limits.iter().map(|limit| limit.as_bytes())).expect("limits")
}

impl Provider {
    fn of(limits: &[&'static str]) -> Self {
        Provider {
            now: START,
            subject: PrimaryAndReplica::at(START),
            queues: std::array::from_fn(|_| World::new()),
            limits: limits.to_vec(),
        }
    }

    fn forward(&mut self, ms: u64) {
        self.now += ms;
        self.subject.now = self.now;
        self.queues.iter_mut().for_each(|queue| queue.now = self.now);
    }

    fn push(&mut self, queue: usize, cost: u64) {
        self.queues[queue].push(&Push { cost, ..plain(b"job") });
    }

    fn pop(&mut self, queue: usize, pop: &Pop<'_>) -> (Vec<Popped<'static>>, HeldBack) {
        self.subject.sweep();
        let (limits, subject) = (request(&self.limits), self.subject.primary.as_ref());
        let (mut charge, mut held_back) = (None, None);
        let jobs = self.queues[queue].run(|queue, now, tokens| {
            let mut budget = Budget::of(subject, &limits, now)?;
            let rate = PopRate { subject: SUBJECT, budget: &mut budget };
            let Decision { reply, effect } = decide_pop_at_rate(queue, pop, rate, now, tokens);
            (charge, held_back) = (budget.effect(), reply.held_back.map(|cost| budget.admits_at(cost)));
            let could = can_pop(queue, pop, now);
            assert_eq!(could, !reply.jobs.is_empty() || held_back.is_some(), "what it looks like");
            Ok(Decision { reply: reply.jobs.into_iter().map(Popped::into_owned).collect(), effect })
        });
        charge.into_iter().for_each(|effect| self.subject.send(effect));
        (jobs.expect("room for the limits"), held_back)
    }

    /// An inline call.
    fn check(&mut self, cost: u64) -> bool {
        let mut limits = request(&self.limits);
        limits.set_cost(cost.to_string().as_bytes()).expect("a cost");
        let allowed = self.subject.run(|subject, now, _| {
            Ok(decide_check(subject, &Check::plain(limits), now)?.map(|verdict| verdict.allowed()))
        });
        allowed.expect("room for the limits")
    }

    fn settle(&mut self, queue: usize, id: &[u8], token: u64, how: (bool, u64)) -> Result<(), Refusal> {
        self.settle_at(SUBJECT, queue, id, token, how)
    }

    /// An ACK, or (false) a FAIL, with RATE.
    fn settle_at(
        &mut self,
        subject: &[u8],
        queue: usize,
        id: &[u8],
        token: u64,
        (is_done, cost): (bool, u64),
    ) -> Result<(), Refusal> {
        self.subject.sweep();
        let mut correction = None;
        let rate = SettleRate { subject, cost };
        self.queues[queue].run(|queue, now, _| {
            let end = |queue: Option<&Queue>, now| match is_done {
                true => decide_ack(queue, id, token, None, now),
                false => Ok(decide_fail(queue, id, token, &FAIL, now)?.map(drop)),
            };
            let Decision { reply, effect } = decide_end_at_rate(queue, (id, token), &rate, now, end)?;
            correction = reply.1;
            Ok(Decision { reply: (), effect })
        })?;
        correction.into_iter().for_each(|effect| self.subject.send(effect));
        Ok(())
    }

    fn check_replicas(&self) {
        assert_eq!(blocks(self.subject.primary.as_ref()), blocks(self.subject.replica.as_ref()));
        for queue in &self.queues {
            assert_eq!(blocks(queue.primary.as_ref()), blocks(queue.replica.as_ref()));
            queue.primary.iter().for_each(check_indexes);
        }
    }
}

fn take(count: usize) -> Pop<'static> {
    Pop { count, lease: Some(25), ..Pop::default() }
}

#[derive(Debug, Clone)]
enum Step {
    Push {
        queue: usize,
        cost: u64,
    },
    Pop {
        queue: usize,
        count: usize,
    },
    Check {
        cost: u64,
    },
    /// By the n-th newest grant: done or failed, at its true cost.
    Settle {
        by: usize,
        is_done: bool,
        cost: u64,
    },
    /// Without RATE: the charge stands.
    End {
        by: usize,
        is_done: bool,
    },
    Release {
        by: usize,
    },
    Forward(u64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let by = || 0..6usize;
    let step = prop_oneof![
        6 => (0..3usize, prop_oneof![4 => Just(1), 2 => 0..8u64, 1 => Just(50)])
            .prop_map(|(queue, cost)| Step::Push { queue, cost }),
        6 => (0..3usize, 1..5usize).prop_map(|(queue, count)| Step::Pop { queue, count }),
        2 => (1..5u64).prop_map(|cost| Step::Check { cost }),
        3 => (by(), any::<bool>(), 0..15u64).prop_map(|(by, is_done, cost)| Step::Settle { by, is_done, cost }),
        1 => (by(), any::<bool>()).prop_map(|(by, is_done)| Step::End { by, is_done }),
        1 => by().prop_map(|by| Step::Release { by }),
        5 => (1..30u64).prop_map(Step::Forward),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..100)
}

const COUNT: u64 = 12;
const PERIOD: u64 = 50;

/// A run that was granted, and its charge in the log of the reference.
struct Grant {
    queue: usize,
    id: Vec<u8>,
    token: u64,
    charge: usize,
    is_settled: bool,
}

/// All charges of a window, in the order of their times, which never expire here.
#[derive(Default)]
struct Log(Vec<(UnixMs, u64)>);

impl Log {
    fn used(&self, now: UnixMs) -> u64 {
        self.0.iter().filter(|(at, _)| now - at < PERIOD).map(|(_, cost)| cost).sum()
    }

    /// When a cost fits if nobody takes anything.
    fn admits_at(&self, cost: u64, now: UnixMs) -> UnixMs {
        (now..).find(|now| self.used(*now) + cost.min(COUNT) <= COUNT).expect("some time")
    }
}

proptest! {
    /// Against a log of all charges: POP takes as many as fit, in their order, and promises the
    /// right time; a true cost counts from the time of its POP; once for each token.
    #[test]
    fn queues_and_inline_calls_share_one_window(steps in steps()) {
        let mut provider = Provider::of(&["w=12/50ms"]);
        let (mut log, mut grants) = (Log::default(), Vec::<Grant>::new());
        let mut costs: [std::collections::HashMap<Vec<u8>, u64>; 3] = Default::default();
        for step in steps {
            let now = provider.now;
            match step {
                Step::Push { queue, cost } => {
                    let pushed = provider.queues[queue].push(&Push { cost, ..plain(b"job") });
                    let Pushed::New(id) = pushed else { panic!("{pushed:?}") };
                    costs[queue].insert(id.to_vec(), cost);
                }
                Step::Pop { queue, count } => {
                    let all = provider.queues[queue].primary.as_ref().map_or(vec![], |queue| {
                        let queue = advanced(queue, now);
                        let ids = queue.serving_order(now).filter_map(|serial| Some((serial, queue.job(serial)?)));
                        ids.take(count).map(|(serial, job)| job.shown_id(serial).to_vec()).collect::<Vec<_>>()
                    });
                    let mut expected = Vec::new();
                    for id in all {
                        let cost = costs[queue][&id].min(COUNT);
                        if cost > 0 && log.used(now) + cost > COUNT {
                            break;
                        }
                        log.0.push((now, cost));
                        expected.push((id, log.0.len() - 1));
                    }
                    let (jobs, held_back) = provider.pop(queue, &take(count));
                    prop_assert_eq!(
                        jobs.iter().map(|job| job.id.to_vec()).collect::<Vec<_>>(),
                        expected.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>()
                    );
                    for (job, (id, charge)) in jobs.iter().zip(expected) {
                        grants.retain(|grant| (grant.queue, &grant.id) != (queue, &id));
                        grants.insert(0, Grant { queue, id, token: job.token, charge, is_settled: false });
                    }
                    if let Some(at) = held_back {
                        let first = provider.queues[queue].queue().serving_order(now).next().expect("a job");
                        let cost = provider.queues[queue].queue().job(first).expect("a job").cost();
                        prop_assert_eq!(at, Some(log.admits_at(cost, now)));
                    }
                }
                Step::Check { cost } => {
                    let fits = log.used(now) + cost <= COUNT;
                    prop_assert_eq!(provider.check(cost), fits);
                    if fits {
                        log.0.push((now, cost));
                    }
                }
                Step::Settle { by, is_done, cost } if by < grants.len() => {
                    let Grant { queue, ref id, token, charge, is_settled } = grants[by];
                    let id = id.clone();
                    // A FAIL of a job that has died of lost leases says nothing new.
                    let state = job(provider.queues[queue].primary.as_ref(), &id, now).map(|job| job.state);
                    let was_dead = !is_done && state.is_ok_and(|state| state == State::Dead);
                    let settled = provider.settle(queue, &id, token, (is_done, cost));
                    // It has expired by its retention, or failed too often.
                    if settled.is_ok() {
                        if !is_settled && !was_dead && now - log.0[charge].0 < PERIOD {
                            log.0[charge].1 = cost;
                        }
                        grants[by].is_settled = true;
                        let effects = provider.subject.effects;
                        let again = provider.settle(queue, &id, token, (is_done, cost + 1));
                        // Also an answer that the job is gone or done changes nothing.
                        prop_assert!(again.is_ok() || again.is_err_and(|refusal| refusal.code != Code::Err));
                        prop_assert_eq!(provider.subject.effects, effects, "settled once");
                    }
                }
                Step::End { by, is_done } if by < grants.len() => {
                    let Grant { queue, ref id, token, .. } = grants[by];
                    let world = &mut provider.queues[queue];
                    let ended = if is_done { world.ack(id, token) } else { world.fail(id, token, &FAIL).map(drop) };
                    grants[by].is_settled |= ended.is_ok();
                }
                Step::Release { by } if by < grants.len() => {
                    let Grant { queue, ref id, token, .. } = grants[by];
                    let _ = provider.queues[queue].release(id, token, 0);
                }
                Step::Forward(ms) => provider.forward(ms),
                Step::Restart => {
                    for world in &mut provider.queues {
                        world.primary = world.primary.as_ref().map(reloaded);
                        world.replica = world.replica.as_ref().map(reloaded);
                    }
                }
                Step::Settle { .. } | Step::End { .. } | Step::Release { .. } => {}
            }
            provider.check_replicas();
        }
    }
}

/// Over 10^5 operations of three queues and inline calls, with work waiting: who found the limit
/// used up comes again when it was told to, and not before.
#[test]
fn a_shared_limit_is_never_exceeded_and_used_to_the_full() {
    for (limit, count, period) in [
        ("w=50/1s", 50, 1_000),
        ("b=50/1s:burst=1", 50, 1_000),
        ("b=20/1s:bucket", 20, 1_000),
        ("w=7/30ms", 7, 30),
    ] {
        let mut provider = Provider::of(&[limit]);
        let mut chance = 7u64;
        let mut random = move |below: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) % below
        };
        let (mut taken, mut operations) = (Vec::new(), 0);
        let mut wakes = [Some(START); 3];
        while operations < 100_000 {
            let now = provider.now;
            for (queue, wake) in wakes.iter_mut().enumerate() {
                while wake.is_some_and(|at| at <= now) {
                    operations += 1;
                    if provider.queues[queue]
                        .primary
                        .as_ref()
                        .is_none_or(|queue| queue.count(State::Ready) < 4)
                    {
                        (0..8).for_each(|_| provider.push(queue, 1));
                        operations += 8;
                    }
                    let (jobs, held_back) = provider.pop(queue, &take(1 + random(3) as usize));
                    taken.extend(jobs.iter().map(|_| now));
                    for job in &jobs {
                        operations += 1;
                        provider.settle(queue, &job.id, job.token, (true, 1)).expect("held");
                    }
                    *wake = if jobs.is_empty() { held_back.expect("work waits") } else { Some(now) };
                }
            }
            if random(3) == 0 {
                operations += 1;
                taken.extend(provider.check(1).then_some(now));
            }
            let next = wakes.iter().flatten().min().copied().expect("somebody waits");
            provider.forward((next - now).min(1 + random(5)).max(1));
        }
        let bucket = limit.starts_with('b');
        let burst = if limit.contains("burst=1") { 1 } else { count };
        for (first, at) in taken.iter().enumerate() {
            let within = taken[first..].iter().take_while(|later| *later - at < period).count() as u64;
            let most = if bucket { burst + count } else { count };
            assert!(within <= most, "{limit}: {within} within a period");
        }
        let length = provider.now - START;
        let share = taken.len() as f64 * period as f64 / (length as f64 * count as f64);
        assert!((0.98..1.02).contains(&share), "{limit}: {share} of it was used in {length} ms");
    }
}

#[test]
fn nobody_overtakes_a_job_that_costs_more_than_is_left() {
    let mut provider = Provider::of(&["w=12/50ms"]);
    for cost in [5, 5, 5, 1] {
        provider.push(0, cost);
    }
    assert_eq!(provider.pop(0, &take(4)).0.len(), 2);
    let (jobs, held_back) = provider.pop(0, &take(4));
    assert_eq!((jobs.len(), held_back), (0, Some(Some(START + 50))));
    provider.forward(50);
    assert_eq!(provider.pop(0, &take(4)).0.len(), 2);
}

#[test]
fn a_cost_beyond_the_capacity_takes_all_of_it() {
    for limit in ["w=12/50ms", "b=3/50ms:burst=12", "f=12/50ms:fixed"] {
        let mut provider = Provider::of(&[limit]);
        provider.push(0, 1_000);
        assert!(provider.check(1));
        let (jobs, held_back) = provider.pop(0, &take(1));
        assert!(jobs.is_empty());
        provider.forward(held_back.flatten().expect("some time") - START);
        let jobs = provider.pop(0, &take(1)).0;
        assert_eq!(jobs.len(), 1, "{limit}");
        assert!(!provider.check(1), "{limit}");
        // The true cost may be more than that.
        provider.settle(0, &jobs[0].id, jobs[0].token, (true, 13)).expect("held");
        provider.check_replicas();
    }
}

#[test]
fn a_count_of_zero_admits_only_what_costs_nothing() {
    let mut provider = Provider::of(&["off=0/1s"]);
    provider.push(0, 0);
    provider.push(0, 1);
    assert_eq!(provider.pop(0, &take(5)).0.len(), 1);
    assert_eq!(provider.pop(0, &take(5)), (vec![], Some(None)));
}

#[test]
fn a_charge_of_another_subject_or_of_none_is_not_settled() {
    let mut provider = Provider::of(&["w=12/50ms"]);
    provider.push(0, 3);
    let job = provider.pop(0, &take(1)).0.remove(0);
    let refused = provider.settle_at(b"other", 0, &job.id, job.token, (true, 1)).unwrap_err();
    assert_eq!(refused.to_string(), "ERR RATE 'other': the job was popped at the RATE of 'provider'");
    provider.push(1, 3);
    let plain = provider.queues[1].pop_one();
    let refused = provider.settle(1, &plain.id, plain.token, (false, 1)).unwrap_err();
    assert_eq!(refused.to_string(), "ERR RATE 'provider': the job was popped without RATE");
    assert_eq!(provider.queues[1].state(&plain.id), State::Active);
    provider.settle(0, &job.id, job.token, (true, 1)).expect("held");
    assert!(provider.check(11) && !provider.check(1));
}

#[test]
fn a_batch_of_a_group_ends_where_the_limit_does() {
    let mut provider = Provider::of(&["w=12/50ms"]);
    for _ in 0..20 {
        provider.queues[0].push(&Push { group: Some(b"g"), ..plain(b"job") });
    }
    let batch = Pop { grouped: true, linger: Some(10), ..take(16) };
    assert_eq!(provider.pop(0, &batch).0.len(), 12);
    assert_eq!(provider.pop(1, &batch), (vec![], None), "an empty queue stands in no line");
    provider.check_replicas();
}
