//! CONFIG, PAUSE and RESUME: a queue as a whole.

use crate::domain::jobq;
use crate::domain::jobq::{Config, Queue};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use super::group::group_name;
use crate::commands::args::{ArgReader, unknown};
use crate::commands::setting_value::reply_setting;
use crate::runtime::commit;

/// `JOBQ.CONFIG SET key field value [field value …]`
pub struct ConfigSet;

impl Handler for ConfigSet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        words.next_arg("subcommand")?;
        let key = words.name("key")?;
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            let change = |config: &mut Config| {
                let mut set = Vec::new();
                while words.peek().is_some() {
                    let field = words.next_arg("field")?;
                    if set.iter().any(|earlier: &&[u8]| earlier.eq_ignore_ascii_case(field)) {
                        return Err(Refusal::err(format!("field '{}' is given twice", shown(field))));
                    }
                    config.set(field, words.next_arg("value")?)?;
                    set.push(field);
                }
                Ok(())
            };
            jobq::decide_configure(queue, change, now)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `JOBQ.CONFIG GET key`
pub struct ConfigGet;

impl Handler for ConfigGet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let key = call.args.name(2);
        let config = commit::read::<Queue, _>(call.ctx, key, |queue, _| Ok(jobq::config(queue)))?;
        call.reply.map(Config::COUNT);
        config.shown().for_each(|(name, value)| reply_setting(name, &value, call.reply));
        Ok(())
    }
}

/// `JOBQ.PAUSE key [GROUP g] [FOR d] [PUSHES]`
pub struct Pause;

impl Handler for Pause {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let (mut length, mut pushes, mut group) = (None, false, None);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"GROUP" => group = Some(group_name(&mut words)?),
                b"FOR" => length = Some(words.duration("FOR")?),
                b"PUSHES" => pushes = true,
                _ => return Err(unknown(&option)),
            }
        }
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| match group {
            Some(group) => jobq::decide_pause_group(queue, group, length, pushes, now),
            None => Ok(jobq::decide_pause(queue, length, pushes, now)),
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `JOBQ.RESUME key [GROUP g]`
pub struct Resume;

impl Handler for Resume {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let (key, mut group) = (words.name("key")?, None);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"GROUP" => group = Some(group_name(&mut words)?),
                _ => return Err(unknown(&option)),
            }
        }
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            Ok(match group {
                Some(group) => jobq::decide_resume_group(queue, group, now),
                None => jobq::decide_resume(queue, now),
            })
        })?;
        call.reply.ok();
        Ok(())
    }
}
