//! Compared with what Pulsar's worker and the Function Mesh operator hand to instances.

use std::collections::BTreeMap;

use isthmus_model::component::{Component, Draft};
use isthmus_model::name::FullName;
use serde_json::{Value, json};

use super::members::json_text;
use super::*;
use crate::read::{Options, read};

fn component(yaml: &str) -> Component {
    let mut read = read(yaml.as_bytes(), &Options::default()).unwrap();
    let draft = read.drafts.remove(0).into_draft().unwrap();
    let Draft { kind, tenant, namespace, name, placement, spec, .. } = draft;
    Component {
        kind,
        name: FullName::new(&tenant, &namespace, &name).unwrap(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        placement,
        spec,
    }
}

fn details(yaml: &str, parallelism: u32) -> String {
    Value::Object(function_details(&component(yaml), parallelism)).to_string()
}

#[test]
fn a_java_function_is_started_with_the_members_that_are_not_default() {
    let yaml = "
apiVersion: isthmus.io/v1
kind: Function
metadata: {name: f1}
spec:
  className: C
  runtime: {type: java, package: {file: a.jar}}
  replicas: 3
  input: {typeClassName: java.lang.String, subscriptionPosition: Earliest, topics: {in1: {}}}
  output: {typeClassName: java.lang.String, topic: out1}
  logTopic: l1
  secrets: {pwd: {path: s, key: k}}
  resources: {requests: {cpuMillis: 50, memoryBytes: 1000000000}}
";
    assert_eq!(
        details(yaml, 3),
        r#"{"tenant":"public","namespace":"default","name":"f1","className":"C","logTopic":"l1","secretsMap":"{\"pwd\":{\"key\":\"k\",\"path\":\"s\"}}","autoAck":true,"parallelism":1,"source":{"typeClassName":"java.lang.String","inputSpecs":{"in1":{}},"subscriptionPosition":"EARLIEST"},"sink":{"typeClassName":"java.lang.String","topic":"out1","forwardSourceMessageProperty":true},"resources":{"cpu":0.05,"ram":"1000000000"},"componentType":"FUNCTION"}"#
    );
}

#[test]
fn instances_know_the_parallelism_only_when_they_should() {
    let yaml = "
apiVersion: isthmus.io/v1
kind: Function
metadata: {name: f1}
spec: {className: c, runtime: {type: python, package: {file: a.py}}, showPreciseParallelism: true}
";
    let details = function_details(&component(yaml), 7);
    assert_eq!(
        (details.get("parallelism"), details.get("runtime")),
        (Some(&json!(7)), Some(&json!("PYTHON")))
    );
}

#[test]
fn a_window_function_runs_in_the_executor_and_acknowledges_itself() {
    let yaml = "
apiVersion: isthmus.io/v1
kind: Function
metadata: {name: w}
spec:
  className: org.example.Sum
  runtime: {type: java, package: {file: a.jar}}
  input: {topics: {in1: {}}}
  window: {lengthCount: 3}
  userConfig: {a: 1}
";
    let details = function_details(&component(yaml), 1);
    assert_eq!(details.get("className"), Some(&json!(WINDOW_EXECUTOR)));
    assert_eq!(details.get("processingGuarantees"), Some(&json!("MANUAL")));
    assert_eq!(details.get("autoAck"), None);
    let config: Value = serde_json::from_str(details["userConfig"].as_str().unwrap()).unwrap();
    assert_eq!(
        config,
        json!({"a": 1, "__WINDOWCONFIGS__": {
            "windowLengthCount": 3,
            "slidingIntervalCount": 3,
            "actualWindowFunctionClassName": "org.example.Sum",
            "processingGuarantees": "ATLEAST_ONCE",
        }})
    );
}

#[test]
fn a_source_and_a_sink_run_the_identity_function_around_their_connector() {
    let source = "
apiVersion: isthmus.io/v1
kind: Source
metadata: {name: s}
spec:
  className: org.apache.pulsar.io.datagenerator.DataGeneratorSource
  runtime: {type: java, package: {location: 'builtin://data-generator'}}
  sourceConnector: {builtin: data-generator, config: {sleepBetweenMessages: 1000}}
  output: {topic: out, typeClassName: org.apache.pulsar.io.datagenerator.Person}
";
    assert_eq!(
        details(source, 1),
        r#"{"tenant":"public","namespace":"default","name":"s","className":"org.apache.pulsar.functions.api.utils.IdentityFunction","userConfig":"{\"sleepBetweenMessages\":1000}","autoAck":true,"parallelism":1,"source":{"className":"org.apache.pulsar.io.datagenerator.DataGeneratorSource","configs":"{\"sleepBetweenMessages\":1000}","typeClassName":"org.apache.pulsar.io.datagenerator.Person","builtin":"data-generator"},"sink":{"typeClassName":"org.apache.pulsar.io.datagenerator.Person","topic":"out","forwardSourceMessageProperty":true},"componentType":"SOURCE"}"#
    );
    let sink = "
apiVersion: isthmus.io/v1
kind: Sink
metadata: {name: s}
spec:
  className: org.example.Drop
  runtime: {type: java, package: {file: a.nar}}
  input: {typeClassName: '[B', topics: {in: {receiverQueueSize: 0}}, cleanupSubscription: true, retainOrdering: true}
  sinkConnector: {config: {table: orders}}
  negativeAckRedeliveryDelayMs: 5
  timeoutMs: 2000
";
    assert_eq!(
        details(sink, 1),
        r#"{"tenant":"public","namespace":"default","name":"s","className":"org.apache.pulsar.functions.api.utils.IdentityFunction","autoAck":true,"parallelism":1,"source":{"typeClassName":"[B","subscriptionType":"FAILOVER","inputSpecs":{"in":{"receiverQueueSize":{}}},"timeoutMs":"2000","cleanupSubscription":true,"negativeAckRedeliveryDelayMs":"5"},"sink":{"className":"org.example.Drop","configs":"{\"table\":\"orders\"}","typeClassName":"[B"},"componentType":"SINK","retainOrdering":true}"#
    );
}

#[test]
fn a_batch_source_runs_in_the_batch_executor() {
    let yaml = "
apiVersion: isthmus.io/v1
kind: Source
metadata: {name: crawl}
spec:
  className: org.example.in.Crawl
  runtime: {type: java, package: {file: a.nar}}
  sourceConnector: {config: {url: 'tcp://feed'}}
  batchSource: {discoveryTriggererClassName: org.example.Cron, discoveryTriggererConfig: {cron: '*'}}
  output: {topic: out}
";
    let details = function_details(&component(yaml), 1);
    let source = &details["source"];
    assert_eq!(source["className"], "org.apache.pulsar.functions.source.batch.BatchSourceExecutor");
    let config: Value = serde_json::from_str(source["configs"].as_str().unwrap()).unwrap();
    assert_eq!(config["__BATCHSOURCECLASSNAME__"], "org.example.in.Crawl");
    let batch: Value = serde_json::from_str(config["__BATCHSOURCECONFIGS__"].as_str().unwrap()).unwrap();
    assert_eq!(
        batch,
        json!({"discoveryTriggererClassName": "org.example.Cron", "discoveryTriggererConfig": {"cron": "*"}})
    );
}

#[test]
fn the_same_configuration_gives_the_same_text_in_whatever_order_it_was_written() {
    let object = |text: &str| serde_json::from_str::<Object>(text).unwrap();
    let (one, other) = (
        object(r#"{"b":{"y":1,"x":[{"q":1,"p":2}]},"a":9007199254740993}"#),
        object(r#"{"a":9007199254740993,"b":{"x":[{"p":2,"q":1}],"y":1}}"#),
    );
    assert_eq!(json_text(&one), json_text(&other));
    assert_eq!(json_text(&one), r#"{"a":9007199254740993,"b":{"x":[{"p":2,"q":1}],"y":1}}"#);
}
