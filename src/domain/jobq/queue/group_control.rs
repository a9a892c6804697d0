//! Closes and opens groups: by a pause of their own, and by what they have used of `group_rate`.
//!
//! A closed group leaves the indexes of the ready queue, so that a POP costs the same however many
//! there are. An advance opens it again.

use crate::domain::jobq::effect::GroupCharge;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::ready::ready_queue::GroupRule;
use crate::domain::jobq::state::group_controls::GroupControl;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::serial::MAX_STORED_TIME;
use crate::domain::ratelimit;
use crate::domain::ratelimit::{Check, CheckRequest, Limit, RequestedLimit, Rule, Subject};
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value as _};
use std::sync::Arc;

/// The name of the limit. It keeps its count when its numbers change.
const GROUP_RATE_NAME: &[u8] = b"rate";

/// How many groups whose use has lapsed one POP forgets.
const MAX_FORGOTTEN: usize = 4;

/// How many groups a change of `group_rate` judges at once; an advance judges the others.
const MAX_RECHECKED: usize = 500;

fn request(rule: Rule, cost: u64) -> CheckRequest<'static> {
    CheckRequest::one(RequestedLimit { limit: Limit { name: Some(GROUP_RATE_NAME), rule }, cost })
}

/// How many jobs a group may start, and when the next one may if that is none.
fn starts_left(rate: &Subject, rule: Rule, now: UnixMs) -> (u64, UnixMs) {
    let verdict = ratelimit::current_rows(Some(rate), &request(rule, 1), now);
    let Some(row) = verdict.as_ref().ok().and_then(|verdict| verdict.binding()) else { return (0, now) };
    let wait = u64::try_from(row.retry_after_ms).unwrap_or(0);
    (if row.allowed { row.remaining.max(1) } else { 0 }, now.saturating_add(wait))
}

impl GroupControl {
    /// How the group is paused at `now`.
    pub fn paused(&self, now: UnixMs) -> Option<Pause> {
        self.pause.filter(|pause| pause.until.is_none_or(|until| now < until))
    }

    /// Closes the group or opens it.
    fn judge(&mut self, rule: Option<Rule>, now: UnixMs) {
        self.pause = self.paused(now);
        self.lapses_at = match self.rate.lifetime() {
            Lifetime::Until(at) if at > now && rule.is_some() => Some(at.min(MAX_STORED_TIME - 1)),
            _ => None,
        };
        let exhausted = match (rule, self.lapses_at) {
            (Some(rule), Some(_)) => Some(starts_left(&self.rate, rule, now)),
            _ => {
                self.rate = Subject::default();
                None
            }
        };
        // What is due by now opens, or it would be looked at for ever.
        let exhausted = exhausted.filter(|(left, next)| *left == 0 && *next > now);
        (self.is_closed, self.opens_at) = match (self.pause, exhausted) {
            (Some(pause), _) => (true, pause.until),
            (None, Some((_, next))) => (true, Some(next.min(MAX_STORED_TIME - 1))),
            (None, None) => (false, None),
        };
    }
}

impl Queue {
    /// How many jobs of a group may be started at `now`, as far as `group_rate` goes.
    pub(crate) fn group_starts_left(&self, group: &[u8], now: UnixMs) -> u64 {
        let Some(rule) = self.config.group_rate else { return u64::MAX };
        let control = self.group_controls.get(group);
        control.map_or_else(
            || starts_left(&Subject::default(), rule, now).0,
            |control| starts_left(&control.rate, rule, now).0,
        )
    }

    /// How many jobs of a group may be started at once, as far as `group_rate` goes.
    pub(crate) fn group_starts_at_most(&self, now: UnixMs) -> usize {
        let fresh = |rule| starts_left(&Subject::default(), rule, now).0;
        self.config.group_rate.map_or(usize::MAX, |rule| usize::try_from(fresh(rule)).unwrap_or(usize::MAX))
    }

    /// When the rate of a group lets one more job start than it does at `now`; `None` if it never
    /// does, or does not bound them.
    pub(crate) fn group_more_starts_at(&self, group: &[u8], now: UnixMs) -> Option<UnixMs> {
        let (rule, control) = (self.config.group_rate?, self.group_controls.get(group)?);
        let more = starts_left(&control.rate, rule, now).0.checked_add(1)?;
        let verdict = ratelimit::current_rows(Some(&control.rate), &request(rule, more), now).ok()?;
        let wait = u64::try_from(verdict.binding()?.retry_after_ms).ok()?;
        Some(now.saturating_add(wait)).filter(|at| *at > now)
    }

    /// When a group that has used up its rate may start the next job.
    pub(crate) fn group_rate_until(&self, group: &[u8], now: UnixMs) -> Option<UnixMs> {
        let rule = self.config.group_rate?;
        let (left, next) = starts_left(&self.group_controls.get(group)?.rate, rule, now);
        (left == 0).then_some(next)
    }

    /// The effect of starting so many jobs of a group on its rate.
    pub(crate) fn group_rate_effect(
        &self,
        group: &[u8],
        jobs: u64,
        now: UnixMs,
    ) -> Option<ratelimit::Effect> {
        let check = Check::plain(request(self.config.group_rate?, jobs));
        let rate = self.group_controls.get(group).map(|control| &control.rate);
        ratelimit::decide_check(rate, &check, now).ok()?.effect
    }

    /// Changes what a group has of its own, and judges it.
    pub(crate) fn change_group(
        &mut self,
        group: &Arc<[u8]>,
        now: UnixMs,
        change: impl FnOnce(&mut GroupControl),
    ) {
        let rule = self.config.group_rate;
        let (width, is_closed) = self.group_controls.change(group, |control| {
            change(control);
            control.judge(rule, now);
        });
        self.ready.set_rule(group, GroupRule { width, is_closed });
    }

    /// A POP has started jobs of these groups.
    pub(crate) fn charge_groups(&mut self, charges: Vec<(Arc<[u8]>, GroupCharge)>, now: UnixMs) {
        for (group, charge) in charges {
            self.change_group(&group, now, |control| control.rate.apply(*charge.effect));
        }
        for _ in 0..MAX_FORGOTTEN {
            let first = self.group_controls.first_to_lapse().filter(|(at, _)| *at <= now);
            let Some((_, group)) = first.cloned() else { break };
            self.change_group(&group, now, |_| ());
        }
    }

    /// `group_rate` has changed.
    pub(crate) fn recheck_groups(&mut self, now: UnixMs) {
        self.group_controls.recheck_from = Some(Box::default());
        for _ in 0..MAX_RECHECKED {
            if self.group_controls.recheck_from.is_none() {
                break;
            }
            self.recheck_one_group(now);
        }
    }

    /// Judges the next group by a `group_rate` that has changed.
    pub(crate) fn recheck_one_group(&mut self, now: UnixMs) {
        let Some(from) = self.group_controls.recheck_from.take() else { return };
        let Some(group) = self.group_controls.first_from(&from).cloned() else { return };
        self.change_group(&group, now, |_| ());
        let next = self.group_controls.after(Some(&group)).next();
        self.group_controls.recheck_from = next.map(|(name, _)| Box::from(&**name));
    }
}
