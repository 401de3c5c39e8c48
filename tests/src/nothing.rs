//! A target that runs nothing, for agents of which only link and inbox are wanted.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use isthmus_agent::lease::Lease;
use isthmus_agent::target::{DesiredHandle, LogOptions, Observe, Packages, Target};
use isthmus_model::cluster::Declared;
use isthmus_model::name::Uid;
use tokio_util::sync::CancellationToken;

/// Runs nothing and says nothing.
#[derive(Debug)]
pub struct Nothing;

impl Target for Nothing {
    type Error = std::io::Error;
    type LogError = std::io::Error;

    async fn declare(&self) -> Declared {
        Declared::default()
    }

    async fn run<O: Observe, P: Packages>(
        self: Arc<Self>,
        _desired: DesiredHandle,
        _observe: O,
        _packages: P,
        _lease: Lease,
        stop: CancellationToken,
    ) -> Result<(), std::io::Error> {
        stop.cancelled().await;
        Ok(())
    }

    async fn logs(
        &self,
        _uid: Uid,
        _instance: u32,
        _options: LogOptions,
    ) -> Result<impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static, std::io::Error> {
        Ok(futures::stream::empty())
    }
}
