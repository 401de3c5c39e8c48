//! A call that must be refused, and the run of a table of them.

use anyhow::{Result, ensure};
use futures::future::{BoxFuture, FutureExt as _};
use isthmus_model::reason::Reason;
use isthmus_proto::gateway::v1::GetInfoRequest;
use isthmus_tests::Client;
use tonic::{Code, Status};

use super::expected::{Expected, Fault};

/// One input, and how it must be refused.
pub(super) struct Case<'a> {
    /// What is wrong with it, as a sentence.
    pub(super) name: String,
    pub(super) expected: Expected,
    /// The call; it is not made before its turn.
    pub(super) call: BoxFuture<'a, Result<(), Status>>,
}

/// A case without fields at fault.
pub(super) fn case<'a>(
    name: &str,
    code: Code,
    reason: Reason,
    call: impl Future<Output = Result<(), Status>> + Send + 'a,
) -> Case<'a> {
    let expected = Expected { code, reason, violations: Vec::new(), says: Vec::new() };
    Case { name: name.to_owned(), expected, call: call.boxed() }
}

/// A case whose fields are at fault; the first one's reason is that of the whole.
pub(super) fn fields<'a>(
    name: &str,
    faults: &[(Reason, &str, &str)],
    call: impl Future<Output = Result<(), Status>> + Send + 'a,
) -> Case<'a> {
    let reason = faults.first().map_or(Reason::InvalidField, |(reason, ..)| *reason);
    let mut case = case(name, Code::InvalidArgument, reason, call);
    let fault = |(reason, field, value): &(Reason, &str, &str)| Fault {
        reason: *reason,
        field: (*field).to_owned(),
        value: (*value).to_owned(),
    };
    case.expected.violations = faults.iter().map(fault).collect();
    case
}

/// Makes every call in its turn, and tells of all that were not refused as they should have been, or that changed something.
pub(super) async fn run(administrator: &Client, cases: Vec<Case<'_>>) -> Result<()> {
    let mut wrong = Vec::new();
    for Case { name, expected, call } in cases {
        let before = newest(administrator).await?;
        if let Err(problem) = expected.check(call.await) {
            wrong.push(format!("{name}: {problem}"));
        }
        let after = newest(administrator).await?;
        if after != before {
            wrong.push(format!("{name}: the LogIndex went from {before} to {after}"));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} inputs are not refused as they should be:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// The newest commit.
async fn newest(administrator: &Client) -> Result<u64> {
    Ok(administrator.gateway().get_info(GetInfoRequest {}).await?.into_inner().log_index)
}
