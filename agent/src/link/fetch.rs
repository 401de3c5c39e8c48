//! Packages by the connection that there is: the link lends its channel to whoever fetches.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use isthmus_model::name::Digest;
use isthmus_proto::sync::v1::FetchPackageRequest;
use isthmus_proto::sync::v1::sync_service_client::SyncServiceClient;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::package::Fetch;

/// How long a fetch waits for a connection before it says that there is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the gateway gives no bytes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error("no gateway has been reachable for {PATIENCE:?}")]
    Away,
    /// It says no, or the connection broke.
    #[error("the gateway did not send it: {}", .0.message())]
    Status(Box<tonic::Status>),
}

/// The channel of the session that stands, for others.
#[derive(Debug, Clone)]
pub struct Lender(watch::Sender<Option<Channel>>);

/// Fetches packages by whatever channel is lent.
#[derive(Debug, Clone)]
pub struct Fetcher(watch::Receiver<Option<Channel>>);

/// Both sides, with nothing lent yet.
pub fn lender() -> (Lender, Fetcher) {
    let (sender, receiver) = watch::channel(None);
    (Lender(sender), Fetcher(receiver))
}

impl Lender {
    /// From now on this is the channel; `None` when there is none.
    pub fn lend(&self, channel: Option<Channel>) {
        self.0.send_replace(channel);
    }
}

impl Fetch for Fetcher {
    type Error = Error;

    async fn fetch(
        &self,
        digest: Digest,
    ) -> Result<impl Stream<Item = Result<Bytes, Self::Error>> + Send, Self::Error> {
        let mut lent = self.0.clone();
        let channel = tokio::time::timeout(PATIENCE, lent.wait_for(Option::is_some)).await;
        let channel =
            channel.ok().and_then(Result::ok).and_then(|channel| channel.clone()).ok_or(Error::Away)?;
        let request = FetchPackageRequest { digest: Bytes::copy_from_slice(&digest.0) };
        let status = |status| Error::Status(Box::new(status));
        let stream =
            SyncServiceClient::new(channel).fetch_package(request).await.map_err(status)?.into_inner();
        Ok(stream.map(move |part| part.map(|part| part.chunk).map_err(status)))
    }
}
