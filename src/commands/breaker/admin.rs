//! BREAKER.CONFIG, BREAKER.FORCE and BREAKER.RESET: the commands of operators.

use crate::domain::breaker;
use crate::domain::breaker::{Breaker, ForcedState};
use crate::domain::integer::integer;
use crate::domain::refusal::{Refusal, shown};
use crate::domain::setting::SettingValue;
use crate::domain::time;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::commands::setting_value::reply_setting;
use crate::runtime::commit;

/// `BREAKER.CONFIG SET key field value [field value …]`
pub struct BreakerConfigSet;

impl Handler for BreakerConfigSet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        words.next_arg("subcommand")?;
        let key = words.name("key")?;
        commit::write::<Breaker, _>(call.ctx, key, |state, _, _| {
            breaker::decide_config(state, |config| {
                while let Some(option) = words.option()? {
                    let Some((number, (least, most), is_duration)) = config.field(option.folded()) else {
                        let fields = breaker::BreakerConfig::NAMES.join(", ");
                        return Err(Refusal::err(format!(
                            "{}: the fields are {fields}",
                            unknown(&option).text
                        )));
                    };
                    let name = String::from_utf8_lossy(option.folded()).to_ascii_lowercase();
                    let value = words.next_arg(&name)?;
                    *number = if is_duration {
                        time::duration_within(&name, value, least, most)?
                    } else {
                        integer(&name, value, least, most)?
                    };
                }
                Ok(())
            })
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `BREAKER.CONFIG GET key`
pub struct BreakerConfigGet;

impl Handler for BreakerConfigGet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        commit::read::<Breaker, _>(call.ctx, call.args.name(2), |state, _| {
            let fields = state.map(Breaker::config).unwrap_or_default().shown();
            call.reply.map(fields.len());
            for (name, number, is_duration) in fields {
                let value =
                    if is_duration { time::written(number).into() } else { SettingValue::Number(number) };
                reply_setting(name, &value, call.reply);
            }
            Ok(())
        })
    }
}

/// `BREAKER.FORCE key open|closed|disabled|auto [FOR d]`
pub struct BreakerForce;

impl Handler for BreakerForce {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let state = words.next_arg("state")?;
        let what = match state.to_ascii_lowercase().as_slice() {
            b"open" => Some(ForcedState::Open),
            b"closed" => Some(ForcedState::Closed),
            b"disabled" => Some(ForcedState::Disabled),
            b"auto" => None,
            _ => {
                let given = shown(state);
                return Err(Refusal::err(format!("state '{given}': must be open, closed, disabled or auto")));
            }
        };
        let mut span = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"FOR" => span = Some(words.duration("FOR")?),
                _ => return Err(unknown(&option)),
            }
        }
        if what.is_none() && span.is_some() {
            return Err(Refusal::err("FOR goes with open, closed or disabled: auto has no end"));
        }
        commit::write::<Breaker, _>(call.ctx, key, |state, now, tokens| {
            breaker::decide_force(state, what, span, now, tokens)
        })?;
        call.reply.ok();
        Ok(())
    }
}

/// `BREAKER.RESET key`
pub struct BreakerReset;

impl Handler for BreakerReset {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        commit::write::<Breaker, _>(call.ctx, call.args.name(1), breaker::decide_reset)?;
        call.reply.ok();
        Ok(())
    }
}
