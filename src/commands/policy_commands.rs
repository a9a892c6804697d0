//! GET, LIST and DEL of policies: the same for every family that has a table of them. SET reads
//! options of its own.

use std::marker::PhantomData;

use crate::domain::decision::Decision;
use crate::domain::global_state::Table;
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::global_tables;
use crate::runtime::global_tables::GlobalTable;
use crate::runtime::handler::Handler;

/// What a family says of its policies. A policy's name is the third argument.
pub trait PolicyTable {
    type Table: GlobalTable;
    type Policy: 'static;

    fn get<'t>(table: &'t Self::Table, name: &[u8]) -> Option<&'t Self::Policy>;

    /// All of them, in the order of their names.
    fn all(table: &Self::Table) -> impl ExactSizeIterator<Item = (&[u8], &Self::Policy)>;

    fn reply(policy: &Self::Policy, reply: Reply<'_>);

    fn decide_delete(table: &Self::Table, name: &[u8]) -> DeleteDecision<Self::Table>;

    /// Called when DEL has been carried out.
    fn on_deleted(_call: Call<'_>, _name: &[u8]) {}
}

/// Whether there was such a policy, and what deletes it.
pub type DeleteDecision<T> = Result<Decision<bool, <T as Table>::Effect>, Refusal>;

/// `… POLICY GET name`
pub struct GetPolicy<P>(PhantomData<P>);

impl<P: PolicyTable> Handler for GetPolicy<P> {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        global_tables::read::<P::Table, _>(|policies| match P::get(policies, name_in(call)) {
            Some(policy) => P::reply(policy, call.reply),
            None => call.reply.null(),
        });
        Ok(())
    }
}

/// `… POLICY LIST`
pub struct ListPolicies<P>(PhantomData<P>);

impl<P: PolicyTable> Handler for ListPolicies<P> {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        global_tables::read::<P::Table, _>(|policies| {
            let all = P::all(policies);
            call.reply.map(all.len());
            for (name, policy) in all {
                call.reply.bulk(name);
                P::reply(policy, call.reply);
            }
        });
        Ok(())
    }
}

/// `… POLICY DEL name`
pub struct DeletePolicy<P>(PhantomData<P>);

impl<P: PolicyTable> Handler for DeletePolicy<P> {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let name = name_in(call);
        let deleted =
            global_tables::write::<P::Table, _>(call.ctx, |policies, _, _| P::decide_delete(policies, name))?;
        P::on_deleted(call, name);
        call.reply.int(i64::from(deleted));
        Ok(())
    }
}

fn name_in(call: Call<'_>) -> &[u8] {
    call.args.get(2).unwrap_or_default()
}
