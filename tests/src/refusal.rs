//! What a refused call says, short enough to compare.

use isthmus_model::reason::Reason;
use isthmus_proto::failure::Failure;
use tonic::{Code, Response, Status};

/// The code and the reason word of a call that was to be refused.
///
/// # Panics
/// It was not refused, or the refusal has no reason of the closed list.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Code, Reason) {
    match answer {
        Ok(answer) => unreachable!("it was to be refused, and was answered {:?}", answer.into_inner()),
        Err(status) => of_status(&status),
    }
}

/// The code and the reason word of a refusal.
///
/// # Panics
/// It has no reason of the closed list.
#[track_caller]
pub fn of_status(status: &Status) -> (Code, Reason) {
    let Failure { reason, .. } = Failure::from(status);
    (status.code(), reason.unwrap_or_else(|| unreachable!("a refusal without a reason: {status:?}")))
}
