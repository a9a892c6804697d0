//! Commands that the server runs as one step.

use std::fmt::Write;

use super::client::Client;
use super::reply::Reply;

/// A way to run several commands as one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Transaction,
    Script,
    Function,
}

impl Unit {
    pub const ALL: [Unit; 3] = [Unit::Transaction, Unit::Script, Unit::Function];

    /// Runs `steps`, lines of words, as one step, and then `next`, all sent in one write: no other
    /// client comes in between, nor does a timer. The replies of the steps, and that to `next`.
    #[track_caller]
    pub fn run_then(self, client: &Client, steps: &[&str], next: &str) -> (Vec<Reply>, Reply) {
        let mut wire: Vec<Vec<Vec<u8>>> = Vec::new();
        let words = |line: &str| line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
        match self {
            Unit::Transaction => {
                wire.push(words("MULTI"));
                wire.extend(steps.iter().map(|step| words(step)));
                wire.push(words("EXEC"));
            }
            Unit::Script => {
                wire.push(vec![b"EVAL".to_vec(), script(steps).into_bytes(), b"0".to_vec()]);
            }
            Unit::Function => {
                let body = format!(
                    "#!lua name=unit\nredis.register_function('unit', function(keys, args) {} end)",
                    script(steps)
                );
                client.ok(super::cmd!["FUNCTION", "LOAD", "REPLACE", body]);
                wire.push(words("FCALL unit 0"));
            }
        }
        wire.push(words(next));
        let mut replies = client.pipeline(&wire);
        let next = replies.pop().expect("the reply to the last command");
        match replies.pop().expect("the reply to the unit") {
            Reply::Array(replies) => (replies, next),
            reply => panic!("{self:?} of {steps:?} answered {reply:?}, before it {replies:?}"),
        }
    }

    /// Runs `steps` as one step; their replies.
    #[track_caller]
    pub fn run(self, client: &Client, steps: &[&str]) -> Vec<Reply> {
        self.run_then(client, steps, "PING").0
    }
}

/// The steps in Lua; an error of one is an item of the reply, as in a transaction.
fn script(steps: &[&str]) -> String {
    let mut body = "local replies = {} ".to_owned();
    for (at, step) in steps.iter().enumerate() {
        let words: Vec<String> = step.split_whitespace().map(|word| format!("'{word}'")).collect();
        let _ = write!(body, "replies[{}] = redis.pcall({}) ", at + 1, words.join(", "));
    }
    body + "return replies"
}
