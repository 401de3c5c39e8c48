//! The one map from what went wrong inside to what a gRPC client sees.
//!
//! Whoever fails has a [`Reason`]; the reason chooses the code. What is not the caller's business goes to the log under an id,
//! and the caller gets the id.

use isthmus_admission as admission;
use isthmus_daemon::chain::Chain;
use isthmus_model::reason::{Reason, Violation};
use isthmus_proto::convert;
use isthmus_proto::failure::Failure;
use tonic::{Code, Status};

use crate::cluster::join;
use crate::store::{self, Rejection, subscription};

/// The gRPC code of a reason.
pub fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidField
        | Reason::MissingField
        | Reason::UnknownField
        | Reason::ConflictingFields
        | Reason::MalformedDocument
        | Reason::TooLarge
        | Reason::DigestMismatch
        | Reason::RequestIdReused => Code::InvalidArgument,
        Reason::AlreadyExists | Reason::NameTaken => Code::AlreadyExists,
        Reason::NotFound => Code::NotFound,
        Reason::StaleRevision => Code::Aborted,
        Reason::Compacted => Code::OutOfRange,
        Reason::QuotaExceeded | Reason::TooManyInFlight => Code::ResourceExhausted,
        Reason::Unavailable => Code::Unavailable,
        Reason::Internal => Code::Internal,
        Reason::Unauthenticated
        | Reason::TokenInvalid
        | Reason::TokenExpired
        | Reason::TokenUsed
        | Reason::CertificateRevoked => Code::Unauthenticated,
        Reason::Forbidden | Reason::WrongCluster => Code::PermissionDenied,
        Reason::PackageMissing
        | Reason::Terminating
        | Reason::InUse
        | Reason::NoClusters
        | Reason::SelectorMismatch
        | Reason::PulsarNotLinked
        | Reason::UntoleratedTaint
        | Reason::Cordoned
        | Reason::Disconnected
        | Reason::InsufficientCapacity
        | Reason::MissingCapability
        | Reason::NotSealed
        | Reason::SpreadUnsatisfied
        | Reason::Placed
        | Reason::Pending
        | Reason::Fetching
        | Reason::Starting
        | Reason::Ready
        | Reason::NotSubscribed
        | Reason::BackOff
        | Reason::PackageUnavailable
        | Reason::StartFailed
        | Reason::Unschedulable
        | Reason::ImagePullBackOff
        | Reason::CreateContainerConfigError
        | Reason::CrashLoopBackOff
        | Reason::OOMKilled
        | Reason::Evicted
        | Reason::Outdated
        | Reason::Refused
        | Reason::DeletionsHeld
        | Reason::ForeignObject
        | Reason::MissingReference
        | Reason::SecretUnreadable
        | Reason::RolloutPaused
        | Reason::ApiRefused
        | Reason::Stopped => Code::FailedPrecondition,
    }
}

/// A failure of one reason.
pub fn failed(reason: Reason, message: impl Into<String>) -> Status {
    Failure::new(reason, message).into_status(code(reason))
}

/// Fields at fault: always INVALID_ARGUMENT, whatever their reasons.
pub fn invalid(message: impl Into<String>, violations: Vec<Violation>) -> Status {
    Failure::of_fields(message, violations).into_status(Code::InvalidArgument)
}

/// One field at fault.
pub fn invalid_field(field: &str, reason: Reason, message: impl Into<String>, value: &str) -> Status {
    let message = message.into();
    let violation = Violation::new(field, reason, message.clone()).with_value(value);
    invalid(format!("{field}: {message}"), vec![violation])
}

/// A name that does not parse.
pub fn invalid_name(field: &str, error: &isthmus_model::name::Invalid) -> Status {
    if error.value.is_empty() {
        return invalid_field(field, Reason::MissingField, "it must be given", "");
    }
    let value = serde_json::Value::from(error.value.as_str()).to_string();
    invalid_field(field, Reason::InvalidField, error.to_string(), &value)
}

/// A message that says what it cannot mean.
pub fn unreadable(error: convert::Invalid) -> Status {
    invalid(shortened(&error), error.0)
}

/// What admission found.
pub fn inadmissible(rejection: admission::Rejection) -> Status {
    invalid(shortened(&rejection), rejection.violations)
}

fn shortened(error: &impl std::fmt::Display) -> String {
    /// The message is a header, too; all violations stand in the details.
    const LONGEST: usize = 512;
    let text = error.to_string();
    if text.len() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

/// What the store refused.
pub fn rejected(rejection: Rejection) -> Status {
    let Rejection { reason, message, violations } = rejection;
    Failure { violations, ..Failure::new(reason, message) }.into_status(code(reason))
}

/// A watch that ended.
pub fn watch_ended(error: &subscription::Error) -> Status {
    match error {
        subscription::Error::Compacted { oldest } => {
            let failure = Failure::new(Reason::Compacted, error.to_string()).with("oldest", oldest);
            failure.into_status(code(Reason::Compacted))
        }
        subscription::Error::Closed => failed(Reason::Unavailable, error.to_string()),
        subscription::Error::Log { .. } | subscription::Error::Record { .. } => {
            internal("read the log", error)
        }
    }
}

/// The store is closed.
pub fn closed(error: store::Closed) -> Status {
    failed(Reason::Unavailable, error.to_string())
}

/// Somebody could not join.
pub fn not_joined(error: join::Error) -> Status {
    match error {
        join::Error::Rejected(rejection) => rejected(rejection),
        join::Error::Certificate(_) => internal("make a certificate", &error),
    }
}

/// Something of ours failed: the caller gets an id, the log has the detail under it.
pub fn internal(doing: &str, error: &(dyn std::error::Error + 'static)) -> Status {
    let id = uuid::Uuid::new_v4();
    let problem = Chain(error).to_string();
    tracing::error!(error.id = %id, problem, "cannot {doing}: {problem}");
    let message = format!("the gateway could not {doing}; its log has the detail under {id}");
    Failure::new(Reason::Internal, message).with("log-id", id).into_status(Code::Internal)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_reason_of_a_refused_request_has_the_code_that_clients_act_on() {
        let mut table = String::new();
        for reason in Reason::ALL {
            let code = code(*reason);
            if code != Code::FailedPrecondition {
                writeln!(table, "{reason}: {code:?}").unwrap();
            }
        }
        insta::assert_snapshot!("code_by_reason", table);
    }

    #[test]
    fn an_internal_error_keeps_its_detail_to_itself() {
        let status = internal("read the disk", &std::io::Error::other("/secret/path"));
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("secret"), "{}", status.message());
    }
}
