//! What a server says about itself: log lines and numbers.
//!
//! Logs go to standard error, as text for people or as JSON for machines; their filter can be changed while the
//! server runs. Metrics are counted through the `metrics` macros anywhere and rendered for Prometheus on the
//! [admin port](crate::admin). A panic, wherever it happens, is a log event and a count.

mod filter;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

pub use filter::{Filter, FilterError, LiveFilter};

/// How logs look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Text or JSON. Default text.
    pub format: Format,
    /// Which events are logged, in the syntax of `tracing`'s `EnvFilter`: `info`, `info,isthmus_gateway::sync=debug`.
    /// Default `info`. Changed at run time through the admin port.
    pub filter: Filter,
    /// Whether text is coloured. Default: on a terminal.
    pub colour: Colour,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// When text is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// When standard error is a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which program this is, for the metric `isthmus_build_info` and the first log line.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// The name of the program, such as `isthmus-gateway`.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A process has one log; something set it up before.
    #[error("cannot install the log: the process already has one")]
    Log(#[source] tracing_subscriber::util::TryInitError),
    /// The histogram buckets are wrong; a mistake in this program.
    #[error("cannot build the metrics registry")]
    Registry(#[source] BuildError),
    /// A process has one metrics registry; something set it up before.
    #[error("cannot install the metrics registry: the process already has one")]
    Recorder,
}

/// The process's log and metrics, after [`install`].
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The log filter, to read and to change.
    pub filter: LiveFilter,
    /// The numbers, to render.
    pub metrics: Metrics,
}

/// Sets up the log, the metrics and the panic hook of this process, once.
///
/// # Errors
/// A log or a registry is installed already.
pub fn install(config: &Config, build: Build) -> Result<Telemetry, Error> {
    let (subscriber, filter) = subscriber(config, std::io::stderr);
    subscriber.try_init().map_err(Error::Log)?;
    let metrics = Metrics::install()?;
    std::panic::set_hook(Box::new(log_panic));
    metrics::describe_gauge!("isthmus_build_info", "Always 1; the labels say which program runs");
    metrics::gauge!("isthmus_build_info", "program" => build.program, "version" => build.version).set(1.0);
    tracing::info!(program = build.program, version = build.version, "{} starts", build.program);
    Ok(Telemetry { filter, metrics })
}

/// The log as a value: writes to what `writer` makes.
fn subscriber<W>(config: &Config, writer: W) -> (Box<dyn Subscriber + Send + Sync>, LiveFilter)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, live) = LiveFilter::new(config.filter.clone());
    let ansi = match config.colour {
        Colour::Auto => std::io::stderr().is_terminal(),
        Colour::Always => true,
        Colour::Never => false,
    };
    let lines = fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<_> + Send + Sync> = match config.format {
        Format::Text => lines.with_ansi(ansi).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    (Box::new(Registry::default().with(filter).with(lines)), live)
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = std::backtrace::Backtrace::capture().to_string();
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    metrics::counter!("isthmus_panics_total").increment(1);
    tracing::error!(panic.location = location, panic.backtrace = backtrace, thread, "panicked: {message}");
}

/// The metrics registry.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Histograms whose name ends with `_seconds` are counted in these buckets: from a lookup in memory to what a
    /// person no longer waits for.
    const SECONDS: [f64; 16] = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
        60.0,
    ];

    /// How often observations are moved out of the buffers that the hot path appends to.
    const UPKEEP: Duration = Duration::from_secs(5);

    fn install() -> Result<Self, Error> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &Self::SECONDS)
            .map_err(Error::Registry)?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| Error::Recorder)?;
        Ok(Self(handle))
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps memory bounded while nobody scrapes. A lasting task: spawn it with the server's other tasks.
    pub async fn upkeep(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Self::UPKEEP);
        // Both arms only wait; nothing is lost when either is dropped.
        while tokio::select! { () = stop.cancelled() => false, _ = ticks.tick() => true } {
            self.0.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests;
