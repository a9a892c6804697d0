//! MPUSH, MACK and MEXTEND in random histories: they answer as the single commands would, and are
//! one effect.

use super::harness::*;
use super::properties::{Play, code};
use crate::domain::jobq::tests::model::Model;
use crate::domain::jobq::*;
use crate::domain::refusal::Code;

fn plain_answer<R>(answer: BatchResult<R>) -> Result<R, Code> {
    match answer {
        BatchResult::Yes(answer) => Ok(answer),
        BatchResult::Gone => Err(Code::NoJob),
        BatchResult::Fenced => Err(Code::Fenced),
    }
}

impl Play {
    /// Plays several commands on the model as one.
    fn on_model<R>(&mut self, act: impl FnOnce(&mut Model, u64) -> R) -> R {
        let now = self.model.advance(self.world.now);
        let before = self.model.changes;
        let answer = act(&mut self.model, now);
        self.model.changes = self.model.changes.min(before + 1);
        answer
    }

    pub(super) fn push_many(&mut self, ids: &[Option<u8>], name: Option<u8>) {
        let chosen: Vec<_> = ids.iter().map(|id| id.map(|id| [b'a' + id])).collect();
        let name = name.as_ref().map(std::slice::from_ref);
        let ids = chosen.iter().map(|id| id.as_ref().map(|id| &id[..]));
        let pushes: Vec<Push<'_>> = ids.map(|id| Push { id, name, ..plain(b"many") }).collect();
        let pushed = code(self.world.run(|queue, now, tokens| decide_push_many(queue, &pushes, now, tokens)));
        let expected = self.on_model(|model, now| {
            let before = model.clone();
            let answers: Result<Vec<_>, _> = pushes.iter().map(|push| model.push_at(push, now)).collect();
            if answers.is_err() {
                *model = before;
            }
            answers
        });
        assert_eq!(pushed, expected);
    }

    pub(super) fn ack_many(&mut self, by: &[usize]) {
        let grants: Vec<_> = by.iter().map(|by| self.grant(*by)).collect();
        let jobs: Vec<(&[u8], u64)> = grants.iter().map(|grant| (&grant.id[..], grant.token)).collect();
        let answers = self.world.run(|queue, now, _| Ok(decide_ack_many(queue, &jobs, now)));
        let expected = self.on_model(|model, now| {
            jobs.iter().map(|(id, token)| model.ack_at(id, *token, None, now)).collect::<Vec<_>>()
        });
        let answers: Vec<_> = answers.expect("never refused").into_iter().map(plain_answer).collect();
        assert_eq!(answers, expected);
    }

    pub(super) fn extend_many(&mut self, by: &[usize], lease: Option<u64>) {
        let grants: Vec<_> = by.iter().map(|by| self.grant(*by)).collect();
        let jobs: Vec<(&[u8], u64)> = grants.iter().map(|grant| (&grant.id[..], grant.token)).collect();
        let answers = self.world.run(|queue, now, _| Ok(decide_extend_many(queue, &jobs, lease, now)));
        let expected = self.on_model(|model, now| {
            jobs.iter().map(|(id, token)| model.extend_at(id, *token, lease, None, now)).collect::<Vec<_>>()
        });
        let answers: Vec<_> = answers.expect("never refused").into_iter().map(plain_answer).collect();
        assert_eq!(answers, expected);
    }
}
