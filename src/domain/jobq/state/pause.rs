//! A queue that is held up.

use crate::domain::time::UnixMs;

/// A queue that is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// None is until RESUME.
    pub until: Option<UnixMs>,
    /// It takes no jobs either.
    pub pushes: bool,
}
