//! `grpc.health.v1.Health`: what the admin port says of readiness, for clients and balancers that ask by gRPC.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use prost::Message as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_health::server::{HealthReporter, HealthService};

use super::context::Context;

/// What is told before the gateway serves.
pub async fn reporter() -> HealthReporter {
    let reporter = HealthReporter::new();
    tell(&reporter, false).await;
    reporter
}

/// Keeps the answers true, until told to stop. A lasting task.
pub async fn follow(reporter: HealthReporter, mut ready: watch::Receiver<bool>, stop: CancellationToken) {
    loop {
        let now = *ready.borrow_and_update();
        tell(&reporter, now).await;
        // Both arms only wait; what changed while nobody waited is seen by the next wait.
        tokio::select! {
            () = stop.cancelled() => break,
            changed = ready.changed() => if changed.is_err() { break },
        }
    }
}

async fn tell(reporter: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in services() {
        reporter.set_service_status(service, status).await;
    }
}

/// The gateway as a whole, which has no name, and each of its services.
fn services() -> Vec<String> {
    let set = prost_types::FileDescriptorSet::decode(isthmus_proto::DESCRIPTORS).unwrap_or_default();
    let named = set
        .file
        .iter()
        .flat_map(|file| file.service.iter().map(|service| format!("{}.{}", file.package(), service.name())));
    std::iter::once(String::new()).chain(named).collect()
}

/// The service. Its watches have no end of their own, so they end with the gateway.
#[derive(Debug)]
pub(super) struct HealthApi {
    answers: HealthService,
    context: Context,
}

impl HealthApi {
    pub(super) fn new(reporter: HealthReporter, context: Context) -> Self {
        Self { answers: HealthService::from_health_reporter(reporter), context }
    }
}

#[tonic::async_trait]
impl Health for HealthApi {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.answers.check(request).await
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let answers = self.answers.watch(request).await?;
        Ok(answers.map(|answers| self.context.endless(answers.boxed())))
    }
}
