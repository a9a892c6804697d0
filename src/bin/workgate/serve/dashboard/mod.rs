//! The dashboard: pages made by this server, without a build and without any other host.
//!
//! | file | holds |
//! | --- | --- |
//! | `handle` | which page a path is |
//! | `request` | path, query and form, as bytes |
//! | `frame` | what stands around every page, and the headers of its answer |
//! | `cross_site` | the token by which a form of ours is told from one of another site |
//! | `action`, `perform` | what can be changed, and how |
//! | `action_log` | what has been changed |
//! | `live`, `followers` | word to open pages that something has happened |
//! | `chart` | SVG |
//! | `shown` | numbers, times and bytes for people |
//! | `job_row` | a row of JOBQ.LIST |
//! | `latency` | waits and run times, from the events of a queue |
//! | `pages/` | one file for each page; what they look like stands in `templates/` of the package |
//! | `why` | why a job is not running |
//! | `assets` | style, script and icon |

mod action;
pub mod action_log;
mod assets;
mod chart;
pub mod cross_site;
pub mod followers;
mod frame;
mod handle;
pub mod job_row;
mod latency;
mod live;
mod pages;
mod perform;
pub mod request;
pub mod shown;
mod why;

pub use handle::answer;
