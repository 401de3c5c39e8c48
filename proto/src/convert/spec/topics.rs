//! What is read and written, and how.

use std::collections::BTreeMap;

use isthmus_model::component::{
    Compression, ConsumerConfig, Crypto, CryptoSecret, Input, Output, ProducerConfig, SubscriptionPosition,
};

use crate::component::v1 as wire;
use crate::convert::problems::{Path, Problems, text_of_object};

impl From<Input> for wire::Input {
    fn from(input: Input) -> Self {
        let Input {
            topics,
            type_class_name,
            subscription_name,
            subscription_position,
            skip_to_latest,
            cleanup_subscription,
            retain_ordering,
            retain_key_ordering,
        } = input;
        let position = match subscription_position {
            SubscriptionPosition::Latest => wire::SubscriptionPosition::Latest,
            SubscriptionPosition::Earliest => wire::SubscriptionPosition::Earliest,
        };
        Self {
            topics: topics.into_iter().map(|(topic, consumer)| (topic, consumer.into())).collect(),
            type_class_name,
            subscription_name,
            subscription_position: position.into(),
            skip_to_latest,
            cleanup_subscription,
            retain_ordering,
            retain_key_ordering,
        }
    }
}

pub(super) fn input(input: wire::Input, at: &Path<'_>, problems: &mut Problems) -> Input {
    let wire::Input {
        topics,
        type_class_name,
        subscription_name,
        subscription_position,
        skip_to_latest,
        cleanup_subscription,
        retain_ordering,
        retain_key_ordering,
    } = input;
    let mut read = BTreeMap::new();
    for (topic, config) in topics {
        let config = consumer(config, &at.field("topics").key(&topic), problems);
        read.insert(topic, config);
    }
    let position =
        problems.enumeration(&at.field("subscriptionPosition"), subscription_position).unwrap_or_default();
    Input {
        topics: read,
        type_class_name,
        subscription_name,
        subscription_position: match position {
            wire::SubscriptionPosition::Unspecified | wire::SubscriptionPosition::Latest => {
                SubscriptionPosition::Latest
            }
            wire::SubscriptionPosition::Earliest => SubscriptionPosition::Earliest,
        },
        skip_to_latest,
        cleanup_subscription,
        retain_ordering,
        retain_key_ordering,
    }
}

impl From<ConsumerConfig> for wire::ConsumerConfig {
    fn from(consumer: ConsumerConfig) -> Self {
        let ConsumerConfig {
            schema_type,
            serde_class_name,
            is_regex_pattern,
            schema_properties,
            consumer_properties,
            receiver_queue_size,
            crypto,
            pool_messages,
        } = consumer;
        Self {
            schema_type,
            serde_class_name,
            is_regex_pattern,
            schema_properties,
            consumer_properties,
            receiver_queue_size,
            crypto: crypto.map(Into::into),
            pool_messages,
        }
    }
}

fn consumer(consumer: wire::ConsumerConfig, at: &Path<'_>, problems: &mut Problems) -> ConsumerConfig {
    let wire::ConsumerConfig {
        schema_type,
        serde_class_name,
        is_regex_pattern,
        schema_properties,
        consumer_properties,
        receiver_queue_size,
        crypto: written_crypto,
        pool_messages,
    } = consumer;
    ConsumerConfig {
        schema_type,
        serde_class_name,
        is_regex_pattern,
        schema_properties,
        consumer_properties,
        receiver_queue_size,
        crypto: written_crypto.map(|c| crypto(c, &at.field("crypto"), problems)),
        pool_messages,
    }
}

impl From<Output> for wire::Output {
    fn from(output: Output) -> Self {
        let Output {
            topic,
            type_class_name,
            schema_type,
            serde_class_name,
            schema_properties,
            consumer_properties,
            producer,
        } = output;
        Self {
            topic,
            type_class_name,
            schema_type,
            serde_class_name,
            schema_properties,
            consumer_properties,
            producer: producer.map(Into::into),
        }
    }
}

pub(super) fn output(output: wire::Output, at: &Path<'_>, problems: &mut Problems) -> Output {
    let wire::Output {
        topic,
        type_class_name,
        schema_type,
        serde_class_name,
        schema_properties,
        consumer_properties,
        producer: written_producer,
    } = output;
    Output {
        topic,
        type_class_name,
        schema_type,
        serde_class_name,
        schema_properties,
        consumer_properties,
        producer: written_producer.map(|p| producer(p, &at.field("producer"), problems)),
    }
}

impl From<ProducerConfig> for wire::ProducerConfig {
    fn from(producer: ProducerConfig) -> Self {
        let ProducerConfig {
            max_pending_messages,
            max_pending_messages_across_partitions,
            use_thread_local_producers,
            crypto,
            batch_builder,
            compression,
        } = producer;
        let compression = match compression {
            Compression::Lz4 => wire::Compression::Lz4,
            Compression::None => wire::Compression::None,
            Compression::Zlib => wire::Compression::Zlib,
            Compression::Zstd => wire::Compression::Zstd,
            Compression::Snappy => wire::Compression::Snappy,
        };
        Self {
            max_pending_messages,
            max_pending_messages_across_partitions,
            use_thread_local_producers,
            crypto: crypto.map(Into::into),
            batch_builder,
            compression: compression.into(),
        }
    }
}

fn producer(producer: wire::ProducerConfig, at: &Path<'_>, problems: &mut Problems) -> ProducerConfig {
    let wire::ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto: written_crypto,
        batch_builder,
        compression,
    } = producer;
    ProducerConfig {
        max_pending_messages,
        max_pending_messages_across_partitions,
        use_thread_local_producers,
        crypto: written_crypto.map(|c| crypto(c, &at.field("crypto"), problems)),
        batch_builder,
        compression: match problems.enumeration(&at.field("compression"), compression).unwrap_or_default() {
            wire::Compression::Unspecified | wire::Compression::Lz4 => Compression::Lz4,
            wire::Compression::None => Compression::None,
            wire::Compression::Zlib => Compression::Zlib,
            wire::Compression::Zstd => Compression::Zstd,
            wire::Compression::Snappy => Compression::Snappy,
        },
    }
}

impl From<Crypto> for wire::Crypto {
    fn from(crypto: Crypto) -> Self {
        let Crypto {
            key_reader_class_name,
            key_reader_config,
            encryption_keys,
            producer_failure_action,
            consumer_failure_action,
            secrets,
        } = crypto;
        let secret = |CryptoSecret { secret_name, secret_key, as_volume }| wire::CryptoSecret {
            secret_name,
            secret_key,
            as_volume,
        };
        Self {
            key_reader_class_name,
            key_reader_config_json: text_of_object(key_reader_config),
            encryption_keys,
            producer_failure_action,
            consumer_failure_action,
            secrets: secrets.into_iter().map(secret).collect(),
        }
    }
}

fn crypto(crypto: wire::Crypto, at: &Path<'_>, problems: &mut Problems) -> Crypto {
    let wire::Crypto {
        key_reader_class_name,
        key_reader_config_json,
        encryption_keys,
        producer_failure_action,
        consumer_failure_action,
        secrets,
    } = crypto;
    let secret = |wire::CryptoSecret { secret_name, secret_key, as_volume }| CryptoSecret {
        secret_name,
        secret_key,
        as_volume,
    };
    Crypto {
        key_reader_class_name,
        key_reader_config: problems.object(&at.field("keyReaderConfigJson"), &key_reader_config_json),
        encryption_keys,
        producer_failure_action,
        consumer_failure_action,
        secrets: secrets.into_iter().map(secret).collect(),
    }
}
