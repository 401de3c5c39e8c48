//! How a wrong input must be refused.

use isthmus_model::reason::{Reason, Violation};
use isthmus_proto::failure::Failure;
use tonic::{Code, Status};

/// What the refusal says.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// The gRPC code.
    pub(super) code: Code,
    /// The reason word of the whole.
    pub(super) reason: Reason,
    /// All fields at fault, in order.
    pub(super) violations: Vec<Fault>,
    /// Pieces of what is said to people, anywhere in the message or the violations.
    pub(super) says: Vec<String>,
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: Reason,
    pub(super) field: String,
    /// JSON; empty when the field is missing or secret.
    pub(super) value: String,
}

impl Expected {
    /// Whether it was refused as expected, or how else.
    pub(super) fn check(&self, refused: Result<(), Status>) -> Result<(), String> {
        let Err(status) = refused else { return Err("it was accepted".to_owned()) };
        let Failure { reason, message, violations, .. } = Failure::from(&status);
        let told = format!("{message}; {violations:?}");
        let mut wrong = Vec::new();
        if status.code() != self.code {
            wrong.push(format!("the code is {:?}, not {:?}", status.code(), self.code));
        }
        if reason != Some(self.reason) {
            wrong.push(format!("the reason is {reason:?}, not {:?}", self.reason));
        }
        if violations.iter().any(|violation| violation.message.is_empty()) || message.is_empty() {
            wrong.push("it says nothing to people".to_owned());
        }
        let found: Vec<Fault> = violations.into_iter().map(Fault::from).collect();
        if found != self.violations {
            wrong.push(format!("the faults are\n    {}, not\n    {}", list(&found), list(&self.violations)));
        }
        for piece in self.says.iter().filter(|piece| !told.contains(piece.as_str())) {
            wrong.push(format!("it does not say {piece:?}"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}; it says: {told}", wrong.join("; "))) }
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        let Violation { field, reason, message: _, value } = violation;
        Self { reason, field, value }
    }
}

fn list(faults: &[Fault]) -> String {
    let line = |Fault { reason, field, value }: &Fault| format!("{reason} {field} = {value}");
    faults.iter().map(line).collect::<Vec<_>>().join("\n    ")
}
