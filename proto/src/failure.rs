//! What a failed call says beyond its code and message: one reason word and every field at fault, in google.rpc's details.
//!
//! `google.rpc.BadRequest` has no place for a violation's own reason and value, so those travel beside it in the metadata of
//! `google.rpc.ErrorInfo`: key `violations`, JSON of the model's violations. A client that knows only google.rpc still sees
//! every field and sentence.

use std::collections::HashMap;

use isthmus_model::reason::{Reason, Violation};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of our reasons in `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "isthmus";

const VIOLATIONS: &str = "violations";

/// Bytes of violations that travel with a status: details are a header, and clients refuse long ones (8 KiB in gRPC's C core).
const MAX_VIOLATION_BYTES: usize = 3 * 1024;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason word; `None` when the status did not come from Isthmus.
    pub reason: Option<Reason>,
    /// A sentence for people.
    pub message: String,
    /// The fields at fault. Of very many only the first ones travel; the message then says how many there are.
    pub violations: Vec<Violation>,
    /// What else a program may want to know, for example `oldest` with [`Reason::Compacted`].
    pub metadata: HashMap<String, String>,
}

impl Failure {
    /// A failure that is not about fields.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason: Some(reason),
            message: message.into(),
            violations: Vec::new(),
            metadata: HashMap::new(),
        }
    }

    /// A failure that is about fields; its reason is that of the first one.
    pub fn of_fields(message: impl Into<String>, violations: Vec<Violation>) -> Self {
        let reason = violations.first().map_or(Reason::InvalidField, |violation| violation.reason);
        Self { violations, ..Self::new(reason, message) }
    }

    /// Adds something that a program may want to know.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "numbers and names are given as they are")]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// As it goes over the wire.
    pub fn into_status(self, code: Code) -> Status {
        let Self { reason, mut message, violations, mut metadata } = self;
        let (total, mut bytes) = (violations.len(), 0);
        let fitting = |violation: &Violation| {
            bytes += violation.field.len() * 2 + violation.message.len() * 2 + violation.value.len() + 64;
            bytes <= MAX_VIOLATION_BYTES
        };
        let mut kept: Vec<Violation> = violations.into_iter().take_while(fitting).collect();
        kept.shrink_to_fit();
        if kept.len() < total {
            message = format!("{message} ({} of {total} problems are listed)", kept.len());
        }
        let mut details = ErrorDetails::new();
        if !kept.is_empty() {
            if let Ok(json) = serde_json::to_string(&kept) {
                metadata.insert(VIOLATIONS.to_owned(), json);
            }
            for violation in kept {
                details.add_bad_request_violation(violation.field, violation.message);
            }
        }
        if let Some(reason) = reason {
            details.set_error_info(reason.as_str(), DOMAIN, metadata);
        }
        Status::with_error_details(code, message, details)
    }
}

impl From<&Status> for Failure {
    /// Reads what [`Failure::into_status`] wrote; of a foreign status only the message, and the fields if it has some.
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let mut metadata = info.map(|info| info.metadata.clone()).unwrap_or_default();
        let told = metadata.remove(VIOLATIONS).and_then(|json| serde_json::from_str(&json).ok());
        let plain = || {
            let all = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
            all.iter()
                .map(|bad| Violation::new(&*bad.field, Reason::InvalidField, &*bad.description))
                .collect()
        };
        Self {
            reason: info.and_then(|info| info.reason.parse().ok()),
            message: status.message().to_owned(),
            violations: told.unwrap_or_else(plain),
            metadata,
        }
    }
}

/// A status as a message, for results inside of a stream.
pub fn embedded(status: &Status) -> tonic_types::pb::Status {
    let plain = || tonic_types::pb::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    };
    match tonic_types::pb::Status::decode(status.details()) {
        Ok(decoded) if !status.details().is_empty() => decoded,
        Ok(_) | Err(_) => plain(),
    }
}

/// The status that [`embedded`] was made of.
pub fn unembedded(message: &tonic_types::pb::Status) -> Status {
    Status::with_details(Code::from(message.code), &*message.message, message.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(field: &str) -> Violation {
        Violation::new(field, Reason::UnknownField, "not known").with_value("\"x\"")
    }

    #[test]
    fn a_failure_reads_back_from_its_status_and_from_inside_a_message() {
        let failure =
            Failure::of_fields("bad", vec![violation("spec.a"), violation("spec.b")]).with("oldest", 7);
        let status = failure.clone().into_status(Code::InvalidArgument);
        assert_eq!(Failure::from(&status), failure);
        assert_eq!(Failure::from(&unembedded(&embedded(&status))), failure);
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 2);
    }

    #[test]
    fn a_thousand_violations_stay_a_header_that_clients_take() {
        let many = (0..1000).map(|n| violation(&format!("spec.field{n}"))).collect();
        let status = Failure::of_fields("bad", many).into_status(Code::InvalidArgument);
        assert!(status.details().len() < 6 * 1024, "{}", status.details().len());
        assert!(status.message().contains("of 1000 problems"), "{}", status.message());
    }

    #[test]
    fn a_foreign_status_keeps_its_message_and_has_no_reason() {
        let failure = Failure::from(&Status::unavailable("gone"));
        assert_eq!((failure.reason, failure.message.as_str()), (None, "gone"));
    }
}
