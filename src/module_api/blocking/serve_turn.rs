//! Serves the lists in order of a key, and of the keys that their waiters share with others.

use std::rc::Rc;

use super::registry::{ListId, with};
use super::turns::TurnPass;
use super::wait_list::WaitList;
use super::waiter::{Attempt, KeyName, Shared, Waiter};
use super::work_budget::WorkBudget;
use crate::module_api::cluster_slots;
use crate::module_api::context::Ctx;
use crate::module_api::server_string::{ServerStr, ServerString};

/// When to look again at lists that were not reached though nobody before them got anything.
const NOT_REACHED_MS: u64 = 20;

/// When to look again at a key that another node of the cluster owns, or is about to.
const ELSEWHERE_MS: u64 = 100;

/// Whether this server decides what becomes of the key. One that has left with its slot is decided
/// elsewhere: the server redirects the clients that wait here as soon as the slot has moved.
pub(crate) fn may_decide(ctx: Ctx<'_>, key: ServerStr<'_>, place: &ListId) -> bool {
    let is_ours = cluster_slots::owns(ctx, key);
    if !is_ours {
        with(|registry| registry.due_by(place, Some(ctx.now_ms() + ELSEWHERE_MS)));
    }
    is_ours
}

/// The heads of all lines, in the order of their coming. The first of a line that gets nothing ends
/// it: those behind it would get nothing either.
///
/// Where a waiter was served at a shared key, those behind it at its own keys are asked next.
pub(crate) fn serve_turn(ctx: Ctx<'_>, db: i32, key: ServerStr<'_>) {
    let mut round =
        Round { ctx, db, budget: WorkBudget::start(), shared: None, has_served: false, to_look: Vec::new() };
    round.serve_lines(key);
    while let Some(name) = round.to_look.pop() {
        round.serve_lines(ServerString::new(&name).borrow());
    }
}

struct Round<'a> {
    ctx: Ctx<'a>,
    db: i32,
    budget: WorkBudget,
    shared: Shared,
    has_served: bool,
    /// Keys of the database whose lists are to be looked at as well.
    to_look: Vec<KeyName>,
}

impl Round<'_> {
    fn serve_lines(&mut self, key: ServerStr<'_>) {
        let db = self.db;
        let pass = with(|registry| {
            let (name, _) = registry.by_key.get(&db)?.get_key_value(key.bytes())?;
            let name = Rc::clone(name);
            Some((TurnPass::over(registry.key_waiters(db, &name)?), name))
        });
        let Some((mut pass, name)) = pass else { return };
        while let Some(line) = pass.next_line() {
            let place = (db, Rc::clone(&name), line);
            let Some(waiter) = with(|registry| registry.list(&place).and_then(WaitList::head)) else {
                continue;
            };
            if pass.is_held_back(&waiter, &name) {
                pass.waits(&waiter, &name);
                with(|registry| registry.set_due(&place, None));
                continue;
            }
            if !may_decide(self.ctx, key, &place) {
                return;
            }
            if !self.budget.try_spend() {
                return self.go_on_later(&place);
            }
            match waiter.request.attempt(self.ctx, key, &mut self.shared) {
                Attempt::Wait { until } => {
                    with(|registry| registry.set_due(&place, until));
                    if !waiter.stands_at(&name) {
                        self.step_back(&waiter);
                    }
                }
                Attempt::Served(delivery) => {
                    self.has_served = true;
                    if let Some(shared) = waiter.request.shared_key() {
                        waiter.keys.iter().chain([&shared.name]).for_each(|key| self.look_at(key));
                    }
                    with(|registry| registry.hand(Rc::clone(&waiter), &place.1, delivery));
                }
                Attempt::Stand { until } => {
                    with(|registry| {
                        registry.set_due(&place, until);
                        registry.stand(&waiter);
                    });
                    // At once: those that came later to this key are asked after it.
                    if let Some(shared) = waiter.request.shared_key() {
                        self.serve_lines(ServerString::new(&shared.name).borrow());
                    }
                }
                Attempt::StepBack => self.step_back(&waiter),
            }
            pass_on(&mut pass, &place, &waiter);
        }
    }

    fn step_back(&mut self, waiter: &Waiter) {
        if with(|registry| registry.step_back(waiter))
            && let Some(shared) = waiter.request.shared_key()
        {
            self.look_at(&shared.name);
        }
    }

    fn look_at(&mut self, key: &KeyName) {
        if !self.to_look.contains(key) {
            self.to_look.push(Rc::clone(key));
        }
    }

    /// The timer goes on where the budget has ended.
    fn go_on_later(&self, place: &ListId) {
        with(|registry| match self.has_served {
            true => registry.schedule_check(place),
            false => registry.due_by(place, Some(self.ctx.now_ms() + NOT_REACHED_MS)),
        });
    }
}

/// Whoever is at the head of the list now is asked next; if that is the one who was asked, it
/// waits.
fn pass_on(pass: &mut TurnPass, place: &ListId, asked: &Waiter) {
    let head = with(|registry| {
        let list = registry.list(place)?;
        Some((list.head_number()?, list.head()?))
    });
    match head {
        Some((number, head)) if head.number != asked.number => pass.has_head(place.2, number),
        Some(_) => pass.waits(asked, &place.1),
        None => {}
    }
}
