//! Asking an instance how it is, through its control service.

use std::net::Ipv4Addr;
use std::time::Duration;

use isthmus_model::observation::Messages;
use tonic::transport::Endpoint;

#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "generated code, in which not every one of these fires"
)]
mod generated {
    tonic::include_proto!("proto");
}

use generated::FunctionStatus;
use generated::instance_control_client::InstanceControlClient;

use crate::last_error::{one_line, summary};

/// How an instance says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The instance object exists. It need not have subscribed yet.
    pub(crate) running: bool,
    /// Its counters since it started.
    pub(crate) messages: Messages,
    /// The latest exception, on one line; empty when there was none.
    pub(crate) last_error: String,
}

/// The instance does not answer.
#[derive(Debug, thiserror::Error)]
#[error("the instance does not answer on its control port {port}")]
pub(crate) struct Error {
    port: u16,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Asks once, over a connection of its own: kept connections would cost each instance more memory at rest than all else.
///
/// # Errors
/// No answer within `deadline`.
pub(crate) async fn status(port: u16, deadline: Duration) -> Result<Status, Error> {
    let ask = async {
        let endpoint = Endpoint::from_shared(format!("http://{}:{port}", Ipv4Addr::LOCALHOST))?;
        let channel = endpoint.connect().await?;
        let status = InstanceControlClient::new(channel).get_function_status(()).await?;
        Ok(Status::from(status.into_inner()))
    };
    let answer: Result<_, Box<dyn std::error::Error + Send + Sync>> =
        tokio::time::timeout(deadline, ask).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
    answer.map_err(|source| Error { port, source })
}

impl From<FunctionStatus> for Status {
    fn from(status: FunctionStatus) -> Self {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let exceptions = [
            &status.latest_user_exceptions,
            &status.latest_system_exceptions,
            &status.latest_source_exceptions,
            &status.latest_sink_exceptions,
        ];
        let latest = exceptions.into_iter().flatten().max_by_key(|exception| exception.ms_since_epoch);
        let last_error = match status.failure_exception.as_str() {
            "" => latest.map(|exception| summary(&exception.exception_string)).unwrap_or_default(),
            failure => one_line(failure),
        };
        Self {
            running: status.running,
            messages: Messages {
                received: count(status.num_received),
                processed: count(status.num_successfully_processed),
                user_exceptions: count(status.num_user_exceptions),
                system_exceptions: count(status.num_system_exceptions)
                    .saturating_add(count(status.num_source_exceptions))
                    .saturating_add(count(status.num_sink_exceptions)),
            },
            last_error,
        }
    }
}

#[cfg(test)]
mod tests;
