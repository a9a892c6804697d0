//! RATELIMIT.STATS: what calls were answered since the server started. Not saved, not replicated.

use std::collections::HashMap;

use crate::domain::ratelimit::{CheckVerdict, DeniedSubjects, LimitPolicies, MAX_POLICIES, is_policy_name};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::module_api::acl::Caller;
use crate::module_api::args::Args;
use crate::module_api::command::Call;
use crate::module_api::main_thread::MainThread;
use crate::module_api::server_string::ServerString;
use crate::runtime::handler::Handler;

use crate::runtime::counters::{ALLOWED, DENIED, LOCKED};
use crate::runtime::global_tables;

/// What a call was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Also what SHADOW let pass.
    Allowed,
    Denied,
    /// Denied, and a lock of the subject is what binds.
    Locked,
}

impl Outcome {
    #[inline]
    pub fn of(verdict: &CheckVerdict<'_>) -> Self {
        if verdict.allowed() || verdict.is_shadow() {
            Outcome::Allowed
        } else if verdict.binding().is_some_and(|row| row.is_lock()) {
            Outcome::Locked
        } else {
            Outcome::Denied
        }
    }
}

#[derive(Default)]
struct PolicyStats {
    allowed: u64,
    denied: u64,
    locked: u64,
    subjects: DeniedSubjects,
}

#[derive(Default)]
struct AllStats {
    /// Of all calls, with a policy or without.
    subjects: DeniedSubjects,
    policies: HashMap<Box<[u8]>, PolicyStats>,
}

static STATS: MainThread<Option<AllStats>> = MainThread::new(None);

fn with<R>(body: impl FnOnce(&mut AllStats) -> R) -> R {
    STATS.with(|stats| body(stats.get_or_insert_default()))
}

/// Counts a call: its totals, and the subject that was denied.
#[inline]
pub fn count(outcome: Outcome, db: impl FnOnce() -> i32, subject: &[u8]) {
    if outcome == Outcome::Allowed {
        return ALLOWED.add(1);
    }
    count_denied(outcome, db(), subject);
}

fn count_denied(outcome: Outcome, db: i32, subject: &[u8]) {
    DENIED.add(1);
    LOCKED.add(u64::from(outcome == Outcome::Locked));
    with(|stats| stats.subjects.add(db, subject));
}

/// The policies that a call names, as `@name`.
pub fn policies_of(args: Args<'_>) -> impl Iterator<Item = &[u8]> {
    (2..args.len()).filter_map(move |at| args.get(at)).filter(|word| is_policy_name(word))
}

/// Counts a call for each policy that it names.
pub fn count_for_policies<'a>(
    outcome: Outcome,
    db: i32,
    subject: &[u8],
    policies: impl Iterator<Item = &'a [u8]>,
) {
    for policy in policies.map(|word| word.strip_prefix(b"@").unwrap_or(word)) {
        with(|stats| {
            if !stats.policies.contains_key(policy) {
                stats.begin(policy);
            }
            let Some(of_policy) = stats.policies.get_mut(policy) else { return };
            match outcome {
                Outcome::Allowed => of_policy.allowed += 1,
                Outcome::Denied | Outcome::Locked => {
                    of_policy.denied += 1;
                    of_policy.locked += u64::from(outcome == Outcome::Locked);
                    of_policy.subjects.add(db, subject);
                }
            }
        });
    }
}

impl AllStats {
    /// As many as there may be policies. Those that are no more make room.
    fn begin(&mut self, policy: &[u8]) {
        if self.policies.len() >= MAX_POLICIES {
            global_tables::read(|known: &LimitPolicies| {
                self.policies.retain(|name, _| known.get(name).is_some());
            });
        }
        self.policies.insert(policy.into(), PolicyStats::default());
    }
}

/// The policy is no more.
pub fn forget(policy: &[u8]) {
    with(|stats| _ = stats.policies.remove(policy));
}

/// `RATELIMIT.STATS [policy]`
pub struct ShowStats;

impl Handler for ShowStats {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        if call.args.len() > 2 {
            return Err(Refusal::err("at most one policy is allowed"));
        }
        let (counts, subjects) = match call.args.get(1) {
            None => {
                let counts = [ALLOWED.get(), DENIED.get(), LOCKED.get()];
                (counts, with(|stats| stats.subjects.most_denied()))
            }
            Some(name) => {
                let name = name.strip_prefix(b"@").unwrap_or(name);
                if global_tables::read(|policies: &LimitPolicies| policies.get(name).is_none()) {
                    let text = format!("unknown policy '@{}': see RATELIMIT.POLICY LIST", shown(name));
                    return Err(Refusal::new(Code::NoPolicy, text));
                }
                with(|stats| match stats.policies.get(name) {
                    Some(of) => ([of.allowed, of.denied, of.locked], of.subjects.most_denied()),
                    None => ([0; 3], Vec::new()),
                })
            }
        };
        let reply = call.reply;
        reply.map(4);
        for (name, count) in ["allowed", "denied", "locked"].into_iter().zip(counts) {
            reply.bulk(name.as_bytes());
            reply.uint(count);
        }
        let (caller, db) = (Caller::of(call.ctx), call.ctx.db());
        let shown = subjects.into_iter().filter(|subject| subject.db == db);
        let shown: Vec<_> =
            shown.filter(|subject| caller.may_read(ServerString::new(&subject.key).borrow())).collect();
        reply.bulk(b"subjects");
        reply.array(shown.len());
        for subject in shown {
            reply.array(3);
            reply.bulk(&subject.key);
            reply.uint(subject.denied);
            reply.uint(subject.error);
        }
        Ok(())
    }
}
