"""An independent witness: the official client sends numbered messages and tells which came out.

    traffic.py produce URL TOPIC SCHEMA PREFIX COUNT SEED
    traffic.py consume URL TOPIC SCHEMA SUBSCRIPTION

Every line on standard output is a JSON object. A message's text is its id, a space and some words; whatever a function
does to the words, the id is still the first word of what it makes of them.
"""

import json
import random
import sys

import pulsar

WORDS = "amber birch coral delta ember fjord grove heron inlet jetty knoll lagoon".split()
SCHEMAS = {"bytes": pulsar.schema.BytesSchema, "string": pulsar.schema.StringSchema}


def say(**line):
    print(json.dumps(line), flush=True)


def connect(url):
    # The default logger writes to standard output, among the answers.
    return pulsar.Client(url, logger=pulsar.FileLogger(pulsar.LoggerLevel.Warn, "/dev/stderr"))


def produce(url, topic, schema, prefix, count, seed):
    client = connect(url)
    producer = client.create_producer(topic, schema=SCHEMAS[schema](), block_if_queue_full=True)
    chance = random.Random(int(seed))

    def acknowledged(message):
        def report(result, message_id):
            if result == pulsar.Result.Ok:
                say(sent=message)
            else:
                say(refused=message, why=str(result))

        return report

    for number in range(int(count)):
        message = f"{prefix}-{number:06}"
        text = f"{message} {chance.choice(WORDS)} {chance.choice(WORDS)}"
        content = text if schema == "string" else text.encode()
        producer.send_async(content, acknowledged(message), event_timestamp=number + 1)
    producer.flush()
    client.close()


def consume(url, topic, schema, subscription):
    client = connect(url)
    consumer = client.subscribe(
        topic,
        subscription,
        schema=SCHEMAS[schema](),
        consumer_type=pulsar.ConsumerType.Exclusive,
        initial_position=pulsar.InitialPosition.Earliest,
    )
    say(subscribed=topic)
    while True:
        message = consumer.receive()
        text = message.data().decode("utf-8", "replace")
        say(id=text.split(" ", 1)[0], text=text)
        consumer.acknowledge(message)


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
