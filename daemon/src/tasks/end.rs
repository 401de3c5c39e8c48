//! How a task can end.

use std::any::Any;
use std::time::Duration;

/// The error of a task, of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a task may return: nothing, or a result with any error.
pub trait TaskEnd {
    /// As one type.
    ///
    /// # Errors
    /// What the task returned.
    fn into_result(self) -> Result<(), BoxError>;
}

impl TaskEnd for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> TaskEnd for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// How a task did end.
#[derive(Debug)]
pub(super) enum Ended {
    Returned(Result<(), BoxError>),
    Panicked(String),
    /// Shutdown waited for it for this long, in vain.
    Overran(Duration),
    /// Shutdown dropped it.
    Aborted,
}

impl Ended {
    pub(super) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panicked(message.unwrap_or_else(|| "(no message)".into()))
    }
}
