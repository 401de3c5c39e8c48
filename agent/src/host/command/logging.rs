//! Logging of instances: to the standard output, at the level that the component asks for.

use isthmus_model::component::LogConfig;

/// Name of the file for Java.
pub(super) const LOG4J: &str = "log4j2.xml";

/// Name of the file for Python.
pub(super) const PYTHON: &str = "logging.ini";

/// Log4j 2's configuration. Pulsar's instance adds the log topic to it by itself.
pub(super) fn log4j(log: Option<&LogConfig>) -> String {
    let layout = if is_json(log) {
        r#"<JsonLayout compact="true" eventEol="true" stacktraceAsString="true"/>"#
    } else {
        r#"<PatternLayout pattern="%d{yyyy-MM-dd'T'HH:mm:ss,SSSZ} [%t] %-5level %logger{36} - %msg%n"/>"#
    };
    let level = match level(log) {
        level @ ("off" | "trace" | "debug" | "warn" | "error" | "fatal" | "all") => level,
        "panic" => "fatal",
        _ => "info",
    };
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="warn">
  <Appenders>
    <Console name="Console" target="SYSTEM_OUT">{layout}</Console>
  </Appenders>
  <Loggers>
    <Root level="{level}"><AppenderRef ref="Console"/></Root>
  </Loggers>
</Configuration>
"#
    )
}

/// The configuration of Python's logging.
pub(super) fn python(log: Option<&LogConfig>) -> String {
    let level = match level(log) {
        "off" | "fatal" | "panic" => "CRITICAL",
        "error" => "ERROR",
        "warn" => "WARNING",
        "debug" | "trace" | "all" => "DEBUG",
        _ => "INFO",
    };
    format!(
        "[loggers]
keys=root

[handlers]
keys=stdout

[formatters]
keys=line

[logger_root]
level={level}
handlers=stdout

[handler_stdout]
class=StreamHandler
level={level}
formatter=line
args=(sys.stdout,)

[formatter_line]
format=[%(asctime)s] [%(levelname)s] %(filename)s: %(message)s
"
    )
}

fn level(log: Option<&LogConfig>) -> &str {
    log.map(|log| log.level.as_str()).unwrap_or_default()
}

fn is_json(log: Option<&LogConfig>) -> bool {
    log.is_some_and(|log| log.format == "json")
}
