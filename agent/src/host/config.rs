//! What can be set about a local target.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use isthmus_daemon::backoff;
use serde::{Deserialize, Serialize};

/// A local target: where things are on this host, how much may run here and how it is looked after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Pulsar's distribution: needed for Java, Python and connectors.
    pub pulsar: Pulsar,
    /// The program `isthmus-runner`. Default: next to the agent's own program, else on PATH.
    pub runner: Option<PathBuf>,
    /// Directory with secrets: the secret `path`/`key` of a component is the file `DIRECTORY/path/key`. Without it, components
    /// that name secrets are refused.
    pub secrets: Option<PathBuf>,
    /// Ports for the instances' control and metrics servers, two for each instance.
    pub ports: Ports,
    /// What may run here.
    pub capacity: Capacity,
    /// When instances are looked at.
    pub poll: Poll,
    /// Delay before an instance that ended is started again.
    pub backoff: backoff::Policy,
    /// An instance that ran so long is sound: its next failure starts with the shortest delay again. Default 60 s.
    #[serde(with = "humantime_serde")]
    pub stable_after: Duration,
    /// Time for an instance to end by itself before it is killed. Default 30 s: Kubernetes' default.
    #[serde(with = "humantime_serde")]
    pub stop_grace: Duration,
    /// Each instance's log.
    pub log: Log,
    /// What instances see of this host's environment; nothing of the agent's own reaches them. Default: a usual `PATH`, and
    /// UTF-8.
    pub environment: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pulsar: Pulsar::default(),
            runner: None,
            secrets: None,
            ports: Ports::default(),
            capacity: Capacity::default(),
            poll: Poll::default(),
            backoff: backoff::Policy::between(Duration::from_secs(1), Duration::from_mins(2)),
            stable_after: Duration::from_mins(1),
            stop_grace: Duration::from_secs(30),
            log: Log::default(),
            environment: BTreeMap::from([
                ("LANG".to_owned(), "C.UTF-8".to_owned()),
                (
                    "PATH".to_owned(),
                    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
                ),
            ]),
        }
    }
}

/// Pulsar's distribution and the interpreters that its instances need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulsar {
    /// The unpacked distribution; it holds `instances/` and `lib/`.
    pub home: Option<PathBuf>,
    /// The program `java`. Default: on PATH.
    pub java: Option<PathBuf>,
    /// The Python interpreter, of an environment with the packages that Pulsar's instance imports. Default: `python3` on PATH.
    pub python: Option<PathBuf>,
}

/// A range of ports, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ports {
    /// The first. Default 21000: below the ports that Linux hands out for outgoing connections.
    pub first: u16,
    /// The last. Default 28999.
    pub last: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { first: 21_000, last: 28_999 }
    }
}

/// What is declared to the gateway; placement never exceeds it. 0 stands for all that the host has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capacity {
    /// Thousandths of a cpu. Default: all.
    pub cpu_millis: u64,
    /// Memory. Default: all.
    #[serde(with = "isthmus_daemon::config::size")]
    pub memory: ByteSize,
    /// Instances. Default: as many as there are ports for.
    pub instances: u64,
}

/// When instances are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Poll {
    /// Between two looks at an instance that is not ready yet. Default 500 ms.
    #[serde(with = "humantime_serde")]
    pub starting: Duration,
    /// Between two looks at a ready one. Default 5 s.
    #[serde(with = "humantime_serde")]
    pub ready: Duration,
    /// For one answer of an instance or of Pulsar. Default 2 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Questions asked at the same time. Default 16.
    pub concurrency: usize,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            starting: Duration::from_millis(500),
            ready: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            concurrency: 16,
        }
    }
}

/// The log of an instance: what it writes to its standard output and error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// Size at which a log file is put aside. Default 16 MiB.
    #[serde(with = "isthmus_daemon::config::size")]
    pub file_size: ByteSize,
    /// Files kept, the current one included. Default 4.
    pub files: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { file_size: ByteSize::mib(16), files: 4 }
    }
}
