//! The topic to write.

use isthmus_model::component::{ComponentKind, Compression, ConsumerConfig, Object, Output, ProducerConfig};
use serde_json::Value;

use super::input::{consumer, crypto};
use super::members::Members;

pub(super) fn write(kind: ComponentKind, output: &Output, members: &mut Members) {
    let Output {
        topic,
        type_class_name,
        schema_type,
        serde_class_name,
        schema_properties,
        consumer_properties,
        producer,
    } = output;
    let mut own = Members::default();
    own.text("typeClassName", type_class_name);
    own.text("topic", topic);
    own.text("sinkSchemaType", schema_type);
    own.text("sinkSerdeClassName", serde_class_name);
    if !schema_properties.is_empty() || !consumer_properties.is_empty() {
        let schema = ConsumerConfig {
            schema_properties: schema_properties.clone(),
            consumer_properties: consumer_properties.clone(),
            ..ConsumerConfig::default()
        };
        own.map("customSchemaSinks", [(topic, Value::Object(consumer(&schema)).to_string())]);
    }
    // A source without any would get one with bounds.
    let none = (kind == ComponentKind::Source).then(Object::new);
    own.object("producerConf", producer.as_ref().map(write_producer).or(none));
    members.put("output", own.0.into());
}

fn write_producer(producer: &ProducerConfig) -> Object {
    let ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto: keys,
        batch_builder,
        compression,
    } = producer;
    let mut members = Members::default();
    members.given("maxPendingMessages", max_pending_messages.as_ref());
    members.given("maxPendingMessagesAcrossPartitions", max_pending_messages_across_partitions.as_ref());
    members.flag("useThreadLocalProducers", *use_thread_local_producers);
    members.object("cryptoConfig", keys.as_ref().map(crypto));
    members.text("batchBuilder", batch_builder);
    if *compression != Compression::default() {
        members.given("compressionType", Some(compression));
    }
    members.0
}
