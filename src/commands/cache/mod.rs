//! CACHE: cache-aside without the stampede.

mod expire;
mod get;
mod getset;
pub mod invalidate;
mod plain;
pub mod policy;
mod release;
mod set;
pub mod stats;
mod tags;
mod terms;

pub use expire::Expire;
pub use get::Get;
pub use getset::GetSet;
pub use release::Release;
pub use set::{Absent, Set};
