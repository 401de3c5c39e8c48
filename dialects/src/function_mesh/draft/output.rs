//! The topic to write, and connectors in place of topics.

use isthmus_model::component::{self as model, ComponentKind, Compression, Connector, Object, Output};
use isthmus_model::reason::{Reason, Violation};
use serde_json::{Value, json};

use super::super::resource::{ConnectorSpec, ConsumerConfig, OutputConf, ProducerConf};
use super::input::crypto;
use super::{BYTES, Context, or};
use crate::path;
use crate::shape::{Shaped, shape};

pub(super) fn output(kind: ComponentKind, output: OutputConf, context: &mut Context<'_>) -> Output {
    let at = path::field(&context.field("output"), "customSchemaSinks");
    let OutputConf {
        type_class_name,
        topic,
        sink_serde_class_name,
        sink_schema_type,
        custom_schema_sinks,
        producer_conf,
    } = output;
    let mut schema = ConsumerConfig::default();
    for (of, text) in custom_schema_sinks {
        let field = path::key(&at, &of);
        match serde_json::from_str::<ConsumerConfig>(&text) {
            Ok(config) if of == topic => schema = config,
            Ok(_) => {}
            Err(error) => {
                let message = format!("it must be the JSON text of a consumer configuration: {error}");
                context.violations.push(
                    Violation::new(field, Reason::InvalidField, message).with_value(&json!(text).to_string()),
                );
            }
        }
    }
    // Pulsar's sources publish as fast as they can unless they are bounded.
    let bounded = || ProducerConf {
        max_pending_messages: Some(1_000),
        max_pending_messages_across_partitions: Some(1_000),
        use_thread_local_producers: true,
        ..ProducerConf::default()
    };
    let producer = producer_conf.or_else(|| (kind == ComponentKind::Source).then(bounded));
    Output {
        topic,
        type_class_name: or(&type_class_name, BYTES),
        schema_type: sink_schema_type,
        serde_class_name: sink_serde_class_name,
        schema_properties: schema.schema_properties,
        consumer_properties: schema.consumer_properties,
        producer: producer.map(producer_config),
    }
}

fn producer_config(producer: ProducerConf) -> model::ProducerConfig {
    let ProducerConf {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto_config,
        batch_builder,
        compression_type,
    } = producer;
    model::ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto: crypto_config.map(crypto),
        batch_builder,
        compression: compression_type.unwrap_or(Compression::Lz4),
    }
}

/// A connector in place of a function's topics. What is not said in its own fields is looked for in `configs`, where
/// Pulsar's connector configurations have it.
pub(super) fn connector(config: Object, field: &str, context: &mut Context<'_>) -> Connector {
    let at = context.field(field);
    let Shaped { value, violations, unknown, .. } = shape::<ConnectorSpec>(Value::Object(config), &at);
    context.violations.extend(violations);
    context.unknown.extend(unknown);
    let ConnectorSpec { source_type, sink_type, class_name, type_class_name, configs, .. } = value;
    let inner = |name: &str| configs.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let archive = inner("archive").strip_prefix("builtin://").map(str::to_owned);
    let is_sink = field == "sinkConfig";
    let named = if is_sink { sink_type } else { source_type };
    let builtin =
        [named, inner("builtin"), archive.unwrap_or_default()].into_iter().find(|name| !name.is_empty());
    let builtin = builtin.unwrap_or_default();
    let mut flat: Object = configs.get("configs").and_then(Value::as_object).cloned().unwrap_or_default();
    let outer = configs.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "configs" | "archive" | "builtin" | "className" | "typeClassName")
            && !value.is_null()
    });
    flat.extend(outer.map(|(name, value)| (name.clone(), value.clone())));
    let mut config = if flat.is_empty() { configs.clone() } else { flat };
    if is_sink && !builtin.is_empty() {
        config.entry("sinkType").or_insert_with(|| json!(builtin));
    }
    Connector {
        class_name: or(&class_name, &inner("className")),
        type_class_name: or(&type_class_name, &inner("typeClassName")),
        builtin,
        config,
    }
}
