//! What all tests of a binary share, provided when the first of them asks.
//!
//! A Pulsar takes ten seconds to start and 350 MB, so that those tests which only need some Pulsar share one; each has names of
//! its own there. It ends with the test binary, by the guard that stands before each of the testbed's processes.

use anyhow::Result;
use isthmus_testbed::isthmus::Programs;
use isthmus_testbed::{Cache, Pulsar, PulsarOptions, Traffic};
use tokio::sync::OnceCell;

static WORLD: OnceCell<World> = OnceCell::const_new();
static PULSAR: OnceCell<Pulsar> = OnceCell::const_new();
static TRAFFIC: OnceCell<Traffic> = OnceCell::const_new();

/// The cache of what servers are made of, and our own programs.
#[derive(Debug)]
pub struct World {
    /// Shared by all checkouts of this machine.
    pub cache: Cache,
    /// Built from this checkout.
    pub programs: Programs,
}

impl World {
    /// The world, with the programs built.
    pub async fn get() -> Result<&'static Self> {
        let make = async || {
            let cache = Cache::from_env()?;
            let programs = Programs::build(&cache).await?;
            Ok(Self { cache, programs })
        };
        WORLD.get_or_try_init(make).await
    }

    /// The Pulsar that the tests share.
    pub async fn pulsar(&self) -> Result<&'static Pulsar> {
        let start = async || Pulsar::start(&self.cache, PulsarOptions::named("standalone")).await;
        Ok(PULSAR.get_or_try_init(start).await?)
    }

    /// Who sends and reads messages.
    pub async fn traffic(&self) -> Result<&'static Traffic> {
        Ok(TRAFFIC.get_or_try_init(async || Traffic::provide(&self.cache).await).await?)
    }
}
