//! What a command decides before anything changes.

/// The outcome of `decide`: what to answer, and what to change if anything.
///
/// No effect means that nothing is written, replicated or signalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<R, E> {
    pub reply: R,
    pub effect: Option<E>,
}

impl<R, E> Decision<R, E> {
    /// An answer that changes nothing.
    pub fn answer(reply: R) -> Self {
        Decision { reply, effect: None }
    }

    /// The same change with another answer.
    #[inline]
    pub fn map<T>(self, answer: impl FnOnce(R) -> T) -> Decision<T, E> {
        Decision { reply: answer(self.reply), effect: self.effect }
    }

    /// An answer that is true once `effect` has been applied.
    pub fn change(reply: R, effect: E) -> Self {
        Decision { reply, effect: Some(effect) }
    }
}
