//! A hundred jobs at a time, beside a hundred elements: each step's cost for itself, for one job.

use crate::contender::{Contender, Step, nothing};
use crate::our_commands::P200;
use crate::support::resp::write;

pub const MANY: usize = 100;

/// A member that no other one in flight is equal to.
fn members(number: usize) -> Vec<Vec<u8>> {
    (0..MANY).map(|member| format!("{:010}", number * MANY + member).into_bytes()).collect()
}

pub const LIST: &[Step] = &[
    |w, _, _| {
        let mut words: Vec<&[u8]> = vec![b"LPUSH", b"l"];
        words.extend([P200; MANY]);
        write(w, &words);
    },
    |w, _, _| write(w, &[b"LPOP", b"l", b"100"]),
];

const SORTED_SET: &[Step] = &[
    |w, n, _| {
        let members = members(n);
        let mut words: Vec<&[u8]> = vec![b"ZADD", b"z"];
        words.extend(members.iter().flat_map(|member| [&member[..], &member[..]]));
        write(w, &words);
    },
    |w, n, _| {
        let members = members(n);
        let mut words: Vec<&[u8]> = vec![b"ZREM", b"z"];
        words.extend(members.iter().map(|member| &member[..]));
        write(w, &words);
    },
];

pub const QUEUE: &[Step] = &[
    |w, _, _| {
        let mut words: Vec<&[u8]> = vec![b"JOBQ.MPUSH", b"q", b"100"];
        words.extend([P200; MANY]);
        write(w, &words);
    },
    |w, _, _| write(w, &[b"JOBQ.POP", b"q", b"COUNT", b"100"]),
    |w, _, earlier| {
        let popped = earlier.of(1);
        let tokens: Vec<String> = (0..MANY).map(|job| popped.at(job).at(1).int().to_string()).collect();
        let mut words: Vec<&[u8]> = vec![b"JOBQ.MACK", b"q", b"100"];
        for (job, token) in tokens.iter().enumerate() {
            words.extend([popped.at(job).at(0).bytes(), token.as_bytes()]);
        }
        write(w, &words);
    },
];

pub fn contenders() -> Vec<Contender> {
    let other = |name, steps, step| Contender::new(name, nothing, steps).counting(step).of_each(MANY);
    let ours = |name, step| Contender::ours(name, nothing, QUEUE).counting(step).of_each(MANY);
    vec![
        other("LPUSH of 100, an element", LIST, 0),
        ours("MPUSH of 100, a job", 0).at_most(2.0, "LPUSH of 100, an element"),
        other("LPOP of 100, an element", LIST, 1),
        ours("POP COUNT 100, a job", 1).at_most(2.0, "LPOP of 100, an element"),
        other("ZREM of 100, a member", SORTED_SET, 1),
        ours("MACK of 100, a job", 2).at_most(2.0, "ZREM of 100, a member"),
    ]
}
