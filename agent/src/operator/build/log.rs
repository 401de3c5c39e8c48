//! Logging of instances: to the standard output and, where something reads or rotates them, to files.

use isthmus_model::component::{KeyRef, LogConfig, LogTopicAgent, Runtime, Spec};
use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, KeyToPath, Volume, VolumeMount};
use serde_json::json;

use super::connection::volume_name;
use super::shell::quoted;

/// What is logged how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logging<'a> {
    config: Option<&'a LogConfig>,
    language: Language,
    /// Something beside the instance reads its files.
    sidecar: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Java,
    Python,
}

/// When a file of logs is put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rotate {
    Daily,
    Weekly,
    Monthly,
    Megabytes(u32),
}

impl<'a> Logging<'a> {
    pub(super) fn java(spec: &'a Spec) -> Self {
        let config = match &spec.runtime {
            Some(Runtime::Java { log, .. }) => log.as_ref(),
            _ => None,
        };
        Self { config, language: Language::Java, sidecar: sidecar(spec) }
    }

    pub(super) fn python(spec: &'a Spec) -> Self {
        let config = match &spec.runtime {
            Some(Runtime::Python { log, .. }) => log.as_ref(),
            _ => None,
        };
        Self { config, language: Language::Python, sidecar: sidecar(spec) }
    }

    /// As the component's runtime logs, if it takes a configuration at all.
    pub(super) fn of(spec: &'a Spec) -> Option<Self> {
        match &spec.runtime {
            Some(Runtime::Java { .. }) | None => Some(Self::java(spec)),
            Some(Runtime::Python { .. }) => Some(Self::python(spec)),
            Some(Runtime::Go { .. } | Runtime::Generic { .. }) => None,
        }
    }

    fn yaml(&self) -> bool {
        self.config.is_some_and(|config| config.java_config_file_type == "yaml")
    }

    /// Where its configuration is.
    pub(super) fn directory(&self) -> &'static str {
        match self.language {
            Language::Java => "/pulsar/conf/java-log/",
            Language::Python => "/pulsar/conf/python-log/",
        }
    }

    fn file_name(&self) -> &'static str {
        match self.language {
            Language::Java if self.yaml() => "java_instance_log4j.yaml",
            Language::Java => "java_instance_log4j.xml",
            Language::Python => "python_instance_logging.ini",
        }
    }

    /// Where the instance finds its configuration.
    pub(super) fn path(&self) -> String {
        format!("{}{}", self.directory(), self.file_name())
    }

    /// The user's own configuration, which takes the place of ours.
    fn own(&self) -> Option<&'a KeyRef> {
        self.config.and_then(|config| config.config_map.as_ref())
    }

    /// The user's own configuration as a file.
    pub(super) fn file(&self) -> Option<(Volume, VolumeMount)> {
        let own = self.own()?;
        let suffix = if self.language == Language::Java { "java" } else { "python" };
        let item = KeyToPath { key: own.key.clone(), path: self.file_name().to_owned(), mode: None };
        let volume = Volume {
            name: volume_name(&format!("{}-{suffix}-log-conf", own.name)),
            config_map: Some(ConfigMapVolumeSource {
                name: own.name.clone(),
                items: Some(vec![item]),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        };
        let mount = VolumeMount {
            name: volume.name.clone(),
            mount_path: self.directory().to_owned(),
            ..VolumeMount::default()
        };
        Some((volume, mount))
    }

    /// The commands that write our configuration, each with what joins it to the next.
    pub(super) fn write(&self, name: &str) -> String {
        if self.own().is_some() {
            return String::new();
        }
        let (path, directory) = (self.path(), self.directory());
        match self.language {
            Language::Java => {
                let text = if self.yaml() { self.log4j_yaml() } else { self.log4j_xml() };
                format!("mkdir -p {directory} && echo {} > {path} && ", quoted(&text))
            }
            Language::Python => {
                let text = self.python_ini(name);
                let level = match self.python_level() {
                    Some(level) => format!("sed -i.bak 's/^level=.*/level={level}/g' {path} && "),
                    None => String::new(),
                };
                format!("mkdir -p {directory} logs/functions && echo {} > {path} && {level}", quoted(&text))
            }
        }
    }

    fn level(&self) -> &'a str {
        self.config.map_or("", |config| config.level.as_str())
    }

    /// Log4j's name for the level, if one is given.
    pub(super) fn java_level(&self) -> Option<&'static str> {
        Some(match self.level() {
            "" => return None,
            "off" => "OFF",
            "trace" => "TRACE",
            "debug" => "DEBUG",
            "warn" => "WARN",
            "error" => "ERROR",
            "fatal" => "FATAL",
            "all" => "ALL",
            _ => "INFO",
        })
    }

    fn python_level(&self) -> Option<&'static str> {
        Some(match self.level() {
            "" => return None,
            "debug" => "DEBUG",
            "warn" => "WARNING",
            "error" => "ERROR",
            "fatal" => "CRITICAL",
            _ => "INFO",
        })
    }

    fn json(&self) -> bool {
        self.config.is_some_and(|config| config.format == "json")
    }

    fn rotate(&self) -> Option<Rotate> {
        Some(match self.config.map_or("", |config| config.rotate_policy.as_str()) {
            "TimedPolicyWithDaily" => Rotate::Daily,
            "TimedPolicyWithWeekly" => Rotate::Weekly,
            "TimedPolicyWithMonthly" => Rotate::Monthly,
            "SizedPolicyWith10MB" => Rotate::Megabytes(10),
            "SizedPolicyWith50MB" => Rotate::Megabytes(50),
            "SizedPolicyWith100MB" => Rotate::Megabytes(100),
            // The sidecar has to find files.
            _ if self.sidecar => Rotate::Megabytes(10),
            _ => return None,
        })
    }

    fn log4j_xml(&self) -> String {
        let level = self.java_level().unwrap_or("INFO");
        let layout = |pattern: &str| {
            if self.json() {
                r#"<JSONLayout complete="false" compact="true" eventEol="true"/>"#.to_owned()
            } else {
                format!(r#"<PatternLayout pattern="{pattern}"/>"#)
            }
        };
        let console = layout(CONSOLE_PATTERN);
        let (file, reference) = match self.rotate() {
            None => (String::new(), ""),
            Some(rotate) => {
                let policy = match (cron(rotate), rotate) {
                    (_, Rotate::Megabytes(size)) => {
                        format!(r#"<SizeBasedTriggeringPolicy size="{size}MB"/>"#)
                    }
                    (schedule, _) => format!(r#"<CronTriggeringPolicy schedule="{schedule}"/>"#),
                };
                let layout = layout(FILE_PATTERN);
                let file = format!(
                    "\n    <RollingRandomAccessFile name=\"File\" fileName=\"{FILE}\" filePattern=\"{FILE_ASIDE}\">{layout}<Policies>{policy}</Policies><DefaultRolloverStrategy max=\"5\"/></RollingRandomAccessFile>"
                );
                (file, r#"<AppenderRef ref="File"/>"#)
            }
        };
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration name="pulsar-functions-kubernetes-instance" monitorInterval="30">
  <Properties><Property name="pulsar.log.level">{level}</Property><Property name="bk.log.level">{level}</Property></Properties>
  <Appenders>
    <Console name="Console" target="SYSTEM_OUT">{console}</Console>{file}
  </Appenders>
  <Loggers>
    <Logger name="{BOOKKEEPER}" level="${{sys:bk.log.level}}" additivity="false"><AppenderRef ref="Console"/>{reference}</Logger>
    <Root level="${{sys:pulsar.log.level}}"><AppenderRef ref="Console"/>{reference}</Root>
  </Loggers>
</Configuration>"#
        )
    }

    /// The same, in the subset of YAML that is JSON.
    fn log4j_yaml(&self) -> String {
        let level = self.java_level().unwrap_or("INFO");
        let layout = |appender: &mut serde_json::Value, pattern: &str| {
            let (name, layout) = if self.json() {
                ("JSONLayout", json!({"complete": false, "compact": true, "eventEol": true}))
            } else {
                ("PatternLayout", json!({"pattern": pattern}))
            };
            if let Some(appender) = appender.as_object_mut() {
                appender.insert(name.to_owned(), layout);
            }
        };
        let mut console = json!({"name": "Console", "target": "SYSTEM_OUT"});
        layout(&mut console, CONSOLE_PATTERN);
        let mut appenders = json!({ "Console": console });
        let mut references = vec![json!({"ref": "Console"})];
        if let (Some(rotate), Some(appenders)) = (self.rotate(), appenders.as_object_mut()) {
            let policies = match (cron(rotate), rotate) {
                (_, Rotate::Megabytes(size)) => {
                    json!({"SizeBasedTriggeringPolicy": {"size": format!("{size}MB")}})
                }
                (schedule, _) => json!({"CronTriggeringPolicy": {"schedule": schedule}}),
            };
            let mut file = json!({
                "name": "File",
                "fileName": FILE,
                "filePattern": FILE_ASIDE,
                "Policies": policies,
                "DefaultRolloverStrategy": {"max": 5},
            });
            layout(&mut file, FILE_PATTERN);
            appenders.insert("RollingRandomAccessFile".to_owned(), file);
            references.push(json!({"ref": "File"}));
        }
        let property = |name: &str| json!({"name": name, "value": level});
        json!({"Configuration": {
            "name": "pulsar-functions-kubernetes-instance",
            "monitorInterval": 30,
            "Properties": {"Property": [property("pulsar.log.level"), property("bk.log.level")]},
            "Appenders": appenders,
            "Loggers": {
                "Logger": [{
                    "name": BOOKKEEPER,
                    "level": "${sys:bk.log.level}",
                    "additivity": false,
                    "AppenderRef": references,
                }],
                "Root": {"level": "${sys:pulsar.log.level}", "AppenderRef": references},
            },
        }})
        .to_string()
    }

    fn python_ini(&self, name: &str) -> String {
        let level = self.python_level().unwrap_or("INFO");
        let formatter = if self.json() {
            "class=pythonjsonlogger.jsonlogger.JsonFormatter\nformat=%(message)s"
        } else {
            "format=[%(asctime)s] [%(levelname)s] %(filename)s:%(lineno)d %(message)s\ndatefmt=%Y-%m-%d %H:%M:%S %z"
        };
        let (handlers, handler) = match self.rotate() {
            None => ("stream_handler".to_owned(), String::new()),
            Some(rotate) => {
                let file = format!("'logs/functions/{name}.log'");
                let (handler, class, arguments) = match rotate {
                    Rotate::Megabytes(size) => (
                        "rotating_file_handler",
                        "handlers.RotatingFileHandler",
                        format!("({file}, 'a', {}, 5)", u64::from(size) << 20),
                    ),
                    Rotate::Daily => timed(&file, "'D', 1"),
                    Rotate::Weekly => timed(&file, "'W0', 1"),
                    Rotate::Monthly => timed(&file, "'D', 30"),
                };
                let section = format!(
                    "\n[handler_{handler}]\nclass={class}\nlevel={level}\nformatter=formatter\nargs={arguments}\n"
                );
                (format!("stream_handler,{handler}"), section)
            }
        };
        format!(
            "[loggers]
keys=root

[handlers]
keys={handlers}

[formatters]
keys=formatter

[logger_root]
level={level}
handlers={handlers}
{handler}
[handler_stream_handler]
class=StreamHandler
level={level}
formatter=formatter
args=(sys.stdout,)

[formatter_formatter]
{formatter}"
        )
    }
}

const CONSOLE_PATTERN: &str = "%d{ISO8601_OFFSET_DATE_TIME_HHMM} [%t] %-5level %logger{36} - %msg%n";
const FILE_PATTERN: &str = "%d{yyyy-MMM-dd HH:mm:ss a} [%t] %-5level %logger{36} - %msg%n";
const FILE: &str = "${sys:pulsar.function.log.dir}/${sys:pulsar.function.log.file}.log";
const FILE_ASIDE: &str =
    "${sys:pulsar.function.log.dir}/${sys:pulsar.function.log.file}.%d{yyyy-MM-dd-hh-mm}-%i.log.gz";
const BOOKKEEPER: &str = "org.apache.pulsar.functions.runtime.shaded.org.apache.bookkeeper";

/// Log4j's schedule of a policy by time.
fn cron(rotate: Rotate) -> &'static str {
    match rotate {
        Rotate::Daily => "0 0 0 * * ? *",
        Rotate::Weekly => "0 0 0 ? * 1 *",
        Rotate::Monthly => "0 0 0 1 * ? *",
        Rotate::Megabytes(_) => "",
    }
}

fn timed(file: &str, when: &str) -> (&'static str, &'static str, String) {
    ("timed_rotating_file_handler", "handlers.TimedRotatingFileHandler", format!("({file}, {when}, 5)"))
}

/// Whether a container beside the instance carries its logs.
pub(super) fn sidecar(spec: &Spec) -> bool {
    spec.log_topic_agent == Some(LogTopicAgent::Sidecar)
}
