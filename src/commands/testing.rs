//! Commands that only tests call; not in a release build.

use crate::domain::refusal::{Refusal, shown};
use crate::server::command::{Call, Handler};

/// `WORKGATE.TEST PANIC`: panics, to prove that the guard holds; `HALFWAY` does so within a reply.
pub struct Test;

impl Handler for Test {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        match call.args.get(1) {
            Some(b"PANIC") => panic!("asked to"),
            Some(b"HALFWAY") => {
                call.reply.array(2);
                panic!("asked to")
            }
            other => Err(Refusal::err(format!("unknown test '{}'", shown(other.unwrap_or_default())))),
        }
    }
}
