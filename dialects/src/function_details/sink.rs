//! The `sink` of an instance: where its records go.

use isthmus_model::component::{ComponentKind, Compression, Connector, Object, Output, ProducerConfig, Spec};

use super::crypto::crypto_spec;
use super::members::Members;

pub(super) fn sink(kind: ComponentKind, spec: &Spec) -> Object {
    let mut sink = Members::default();
    let connector: Option<&Connector> = spec.sink_connector.as_ref();
    let output = if kind == ComponentKind::Sink { None } else { spec.output.as_ref() };
    if let Some(connector) = connector {
        sink.text(
            "className",
            if kind == ComponentKind::Sink { &spec.class_name } else { &connector.class_name },
        );
        sink.object_text("configs", &connector.config);
    } else if kind == ComponentKind::Sink {
        sink.text("className", &spec.class_name);
    }
    let type_class_name = match kind {
        ComponentKind::Sink => spec.input.as_ref().map(|input| &input.type_class_name),
        ComponentKind::Function | ComponentKind::Source => output.map(|output| &output.type_class_name),
    };
    let connector_type =
        connector.map(|connector| connector.type_class_name.as_str()).filter(|name| !name.is_empty());
    sink.text("typeClassName", connector_type.or_else(|| type_class_name.map(String::as_str)).unwrap_or(""));
    if let Some(output) = output {
        destination(output, &mut sink);
    }
    sink.text("builtin", connector.map_or("", |connector| &connector.builtin));
    if let Some(output) = output {
        sink.text("schemaType", &output.schema_type);
    }
    sink.flag(
        "forwardSourceMessageProperty",
        kind != ComponentKind::Sink && spec.forward_source_message_property,
    );
    if let Some(output) = output {
        sink.map(
            "schemaProperties",
            output.schema_properties.iter().map(|(key, value)| (key, value.as_str())),
        );
        sink.map(
            "consumerProperties",
            output.consumer_properties.iter().map(|(key, value)| (key, value.as_str())),
        );
    }
    sink.0
}

fn destination(output: &Output, sink: &mut Members) {
    sink.text("topic", &output.topic);
    sink.member("producerSpec", output.producer.as_ref().map(producer_spec));
    sink.text("serDeClassName", &output.serde_class_name);
}

fn producer_spec(producer: &ProducerConfig) -> Object {
    let ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto,
        batch_builder,
        compression,
    } = producer;
    let mut spec = Members::default();
    spec.number("maxPendingMessages", max_pending_messages.unwrap_or(0));
    spec.number("maxPendingMessagesAcrossPartitions", max_pending_messages_across_partitions.unwrap_or(0));
    spec.flag("useThreadLocalProducers", *use_thread_local_producers);
    spec.member("cryptoSpec", crypto.as_ref().map(crypto_spec));
    spec.text("batchBuilder", batch_builder);
    spec.text("compressionType", compression_type(*compression));
    spec.0
}

/// The name, empty for the default.
fn compression_type(compression: Compression) -> &'static str {
    match compression {
        Compression::Lz4 => "",
        Compression::None => "NONE",
        Compression::Zlib => "ZLIB",
        Compression::Zstd => "ZSTD",
        Compression::Snappy => "SNAPPY",
    }
}
