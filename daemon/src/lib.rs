//! How every server of ours lives: it reads its configuration, says what it does, serves, and stops in order.
//!
//! A server's `main` is a page, and always the same page: [`program::run`]. It starts in this order:
//!
//! 1. [`tls::install_crypto_provider`], so that no library can pick another provider later.
//! 2. [`config`]: the file and the environment become one typed tree. A bad value ends the process with one
//!    line and exit code 64, before a port is bound or a file is written.
//! 3. [`telemetry`]: from here on there are logs and metrics; a panic is logged like any other event.
//! 4. [`tasks`]: every lasting task is spawned here and nowhere else, by name and with its two fates: what its
//!    failure means, and what shutdown does to it.
//! 5. [`admin`]: `/livez` answers, `/readyz` names what is still missing.
//! 6. [`listener`]: ports are bound early, so that a taken port is an error at start; connections are accepted
//!    once the parts behind them are built.
//!
//! and stops in the opposite direction, driven by [`shutdown`] on the first SIGTERM or SIGINT, or when a task
//! fails whose failure ends the process:
//!
//! 1. `/readyz` turns to 503, so that balancers look elsewhere (optionally for a while before the next step).
//! 2. [`Stage::Accept`](tasks::Stage::Accept): no new connection comes in.
//! 3. [`Stage::Drain`](tasks::Stage::Drain): peers are told, long streams are closed, requests in flight finish.
//! 4. [`Stage::Flush`](tasks::Stage::Flush): what those handed their work to (writers, reporters) finishes.
//! 5. `main` returns the exit code. Each stage waits for the one before; one deadline stands over all of them,
//!    and a second signal exits at once.
//!
//! [`backoff`] and [`clock`] are what those parts, and the servers, use to retry and to tell the time. Nothing
//! in this crate knows what the servers are for.

#![warn(missing_docs)]

pub mod program;
pub mod config;
pub mod telemetry;
pub mod tasks;
pub mod shutdown;
pub mod runtime;
pub mod admin;
pub mod listener;
pub mod corked;
pub mod tls;
pub mod backoff;
pub mod clock;
pub mod chain;
