//! What is shown over HTTP, by `workgate serve` and by `--listen` of `workgate work`.
//!
//! | file | holds |
//! | --- | --- |
//! | `start` | what begins to listen, and refuses an address that is open to others without a password |
//! | `routes` | which path is answered by what |
//! | `access` | who may ask |
//! | `health` | `/healthz` and `/readyz` |
//! | `nodes` | the connections to the server, or to each primary of a cluster |
//! | `queue_stats` | JOBQ.STATS of many queues |
//! | `breaker_search` | the breakers of a server, found bit by bit |
//! | `metrics/` | `/metrics` |
//! | `dashboard/` | pages for people |
//! | `view` | what all requests share |
//! | `worker_view` | the worker beside which this is served |

mod access;
mod breaker_search;
pub mod dashboard;
mod health;
mod metrics;
pub mod nodes;
pub mod queue_stats;
mod routes;
pub mod start;
mod view;
pub mod worker_view;
