//! How the standalone server is configured and called so that several of them share a machine.

use std::path::Path;

use super::{PulsarOptions, Security};
use crate::{
    cache::Cache,
    fs,
    ports::{self, Port},
    process::Program,
    provision::PulsarHome,
};

/// Brokers of tests handle thousands of messages, not millions.
const MEMORY: &str = "-Xms256m -Xmx768m -XX:MaxDirectMemorySize=512m";

/// The simplest collector and only the first compiler: a server of a test lives for minutes, and its start counts most.
const COLLECTOR: &str = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1";

/// The script writes a log of collections for every start unless it is given something else.
const COLLECTOR_LOG: &str = "-Xlog:disable -Xlog:all=warning:stderr";

/// What the server unpacks goes here, below its directory: it leaves its native libraries where it put them.
const TEMPORARY: &str = "tmp";

const CONFIGURATION: &str = "standalone.conf";

/// Every port that a server listens on.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) broker: Port,
    pub(super) web: Port,
    pub(super) broker_tls: Port,
    pub(super) web_tls: Port,
    pub(super) bookkeeper: Port,
    pub(super) stream_storage: Port,
    pub(super) zookeeper: Port,
}

impl Ports {
    pub(super) fn lease(cache: &Cache) -> Result<Self, ports::Error> {
        Ok(Self {
            broker: Port::lease(cache)?,
            web: Port::lease(cache)?,
            broker_tls: Port::lease(cache)?,
            web_tls: Port::lease(cache)?,
            bookkeeper: Port::lease(cache)?,
            stream_storage: Port::lease(cache)?,
            zookeeper: Port::lease(cache)?,
        })
    }
}

/// Writes the server's own configuration file: the distribution's, with what must differ replaced.
pub(super) fn configure(
    home: &PulsarHome,
    options: &PulsarOptions,
    ports: &Ports,
    security: Option<&Security>,
    dir: &Path,
) -> Result<(), fs::Error> {
    fs::create_dir(&dir.join(TEMPORARY))?;
    let shipped = fs::read(&home.dir().join("conf").join(CONFIGURATION))?;
    let mut settings = vec![
        ("clusterName", options.cluster.clone()),
        ("brokerServicePort", ports.broker.to_string()),
        ("webServicePort", ports.web.to_string()),
        ("bindAddress", options.address().to_string()),
    ];
    settings.extend(security.into_iter().flat_map(|security| security.settings(ports)));
    fs::write(&dir.join(CONFIGURATION), replace(&shipped, &settings))
}

/// What stands there is replaced and not appended: the server reads the file twice, and one of the readers makes a list of a
/// repeated key. What does not is appended.
fn replace(shipped: &str, settings: &[(&str, String)]) -> String {
    let line = |line: &str| {
        let setting =
            settings.iter().find(|(key, _)| line.split_once('=').is_some_and(|(found, _)| found == *key));
        setting.map_or_else(|| format!("{line}\n"), |(key, value)| format!("{key}={value}\n"))
    };
    let stands =
        |key: &str| shipped.lines().any(|line| line.split_once('=').is_some_and(|(found, _)| found == key));
    let further = settings.iter().filter(|(key, _)| !stands(key));
    let further = further.map(|(key, value)| format!("{key}={value}\n"));
    shipped.lines().map(line).chain(further).collect()
}

/// The server, to be started in `dir`, where all that it writes goes.
pub(super) fn program(home: &PulsarHome, options: &PulsarOptions, ports: &Ports, dir: &Path) -> Program {
    let mut program = Program::new(home.script("pulsar"))
        .args(["standalone", "--advertised-address", &options.address().to_string()])
        .args(["--bookkeeper-port", &ports.bookkeeper.to_string()])
        .arg("--bookkeeper-dir")
        .arg(dir.join("bookkeeper"))
        .args(["--stream-storage-port", &ports.stream_storage.to_string()])
        .env("PULSAR_STANDALONE_CONF", dir.join(CONFIGURATION))
        .env("PULSAR_LOG_DIR", dir.join("logs"))
        .env("PULSAR_MEM", MEMORY)
        .env("PULSAR_GC", COLLECTOR)
        .env("PULSAR_GC_LOG", COLLECTOR_LOG)
        // Java reads this variable itself, and knows quotes, which the script does not.
        .env("JDK_JAVA_OPTIONS", format!("-Djava.io.tmpdir=\"{}\"", dir.join(TEMPORARY).display()))
        .cwd(dir);
    program = if options.state_store {
        // The table service exists only beside ZooKeeper.
        program
            .env("PULSAR_STANDALONE_USE_ZOOKEEPER", "1")
            .args(["--zookeeper-port", &ports.zookeeper.to_string()])
            .arg("--zookeeper-dir")
            .arg(dir.join("zookeeper"))
    } else {
        program
            .env("PULSAR_STANDALONE_USE_ZOOKEEPER", "")
            .arg("--no-stream-storage")
            .arg("--metadata-dir")
            .arg(dir.join("metadata"))
    };
    if options.functions_worker { program } else { program.arg("--no-functions-worker") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_replaced_where_it_stands_and_everything_else_is_left() {
        let shipped = "# webServicePort=1\nwebServicePort=8080\nwebServicePortTls=\n";

        let own = replace(shipped, &[("webServicePort", "20000".to_owned()), ("new", "1".to_owned())]);

        assert_eq!(own, "# webServicePort=1\nwebServicePort=20000\nwebServicePortTls=\nnew=1\n");
    }
}
