//! One form for both sides: without what the API server adds by itself, with the command taken apart.

use isthmus_dialects::quantity::Quantity;
use serde_json::{Map, Value, json};

/// The object without status and defaults.
pub(super) fn form(object: &Value) -> Value {
    let mut object = walk("", object);
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    object
}

fn walk(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (member, value) in members {
                let value = match member.as_str() {
                    "command" => command(value),
                    "limits" | "requests" => quantities(value),
                    "env" => Value::Array(environment(value)),
                    member => walk(member, value),
                };
                let nothing = match &value {
                    Value::Null => true,
                    Value::Object(members) => members.is_empty(),
                    Value::Array(items) => items.is_empty(),
                    _ => is_default(name, member, &value, members),
                };
                if !nothing {
                    kept.insert(member.clone(), value);
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => items.iter().map(|item| walk(name, item)).collect(),
        other => other.clone(),
    }
}

fn is_default(of: &str, member: &str, value: &Value, beside: &Map<String, Value>) -> bool {
    match (of, member) {
        ("ports", "protocol") => value == "TCP",
        ("livenessProbe" | "startupProbe", "successThreshold" | "timeoutSeconds") => *value == json!(1),
        ("livenessProbe" | "startupProbe", "periodSeconds") => *value == json!(10),
        ("livenessProbe" | "startupProbe", "failureThreshold") => *value == json!(3),
        (_, "scheme") => value == "HTTP",
        (_, "imagePullPolicy") => {
            let image = beside["image"].as_str().unwrap();
            let tag = image.rsplit('/').next().unwrap().split_once(':').map_or("latest", |(_, tag)| tag);
            value == if tag == "latest" { "Always" } else { "IfNotPresent" }
        }
        ("updateStrategy", "type") => value == "RollingUpdate",
        ("persistentVolumeClaimRetentionPolicy", _) => value == "Retain",
        ("spec", "terminationGracePeriodSeconds") => *value == json!(30),
        (_, "volumeMode") => value == "Filesystem",
        // Of a claim, which the API server fills in when it stores the set.
        (_, "apiVersion" | "kind") => of == "volumeClaimTemplates",
        _ => false,
    }
}

fn quantities(value: &Value) -> Value {
    let amounts = value.as_object().into_iter().flatten().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let millis = Quantity::parse(&text).and_then(Quantity::millis);
        (name.clone(), millis.map_or_else(|_| value.clone(), Value::from))
    });
    Value::Object(amounts.collect())
}

/// The original writes secrets in any order.
fn environment(value: &Value) -> Vec<Value> {
    let mut variables: Vec<Value> =
        value.as_array().into_iter().flatten().map(|one| walk("env", one)).collect();
    let is_secret = |one: &Value| one["valueFrom"]["secretKeyRef"].is_object();
    let places: Vec<usize> = (0..variables.len()).filter(|index| is_secret(&variables[*index])).collect();
    let mut secrets: Vec<Value> = places.iter().map(|index| variables[*index].clone()).collect();
    secrets.sort_by_key(|one| one["name"].to_string());
    for (index, secret) in places.into_iter().zip(secrets) {
        variables[index] = secret;
    }
    variables
}

/// A command whose last part is a script, as the script's words.
fn command(value: &Value) -> Value {
    let Some(parts) = value.as_array().filter(|parts| parts.len() > 2) else { return value.clone() };
    let script = parts.last().and_then(Value::as_str).unwrap();
    let mut words: Vec<Value> = Vec::new();
    let mut details = false;
    for word in words_of(script) {
        let value = match word.as_str() {
            json if details => embedded(json),
            conf if conf.starts_with("GO_FUNCTION_CONF=") => go(conf),
            text if [
                "LOG4J2-",
                "LOGGING-INI",
                "FILEBEAT-YAML",
                "<?xml",
                "{\"Configuration\"",
                "[loggers]",
                "{\"logging.level\"",
            ]
            .iter()
            .any(|begin| text.starts_with(begin)) =>
            {
                json!("LOG-CONFIGURATION")
            }
            word => json!(word),
        };
        details = word == "--function_details";
        words.push(value);
    }
    // The original copies the object into a second variable and prints it.
    if let Some(copy) = words.iter().position(|word| word == "goFunctionConfigs=${GO_FUNCTION_CONF}") {
        words.drain(copy - 1..copy + 4);
        *words.last_mut().unwrap() = json!("${GO_FUNCTION_CONF}");
    }
    let mut parts = parts.clone();
    *parts.last_mut().unwrap() = json!(words);
    json!(parts)
}

/// The instance's object; its number is a variable of the shell.
fn go(conf: &str) -> Value {
    let text = conf.strip_prefix("GO_FUNCTION_CONF=").unwrap().replace(":${SHARD_ID},", ":0,");
    // The original loses quotes in it, so that what is left is no JSON.
    let read = serde_json::from_str(&text).or_else(|_| serde_json::from_str(&text.replace('\\', "\\\\")));
    let mut conf: Value = read.unwrap_or_else(|error| panic!("{error}: {text}"));
    for member in ["userConfig", "secretsMap", "functionDetails"] {
        let text = conf[member].as_str().filter(|text| !text.is_empty());
        conf[member] =
            text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| json!(text))).unwrap_or_default();
    }
    conf
}

/// JSON, and the JSON in it that travels as text: its blanks and the order of its keys mean nothing.
fn embedded(text: &str) -> Value {
    fn inner(value: Value) -> Value {
        match value {
            Value::Object(members) => members.into_iter().map(|(name, value)| (name, inner(value))).collect(),
            Value::String(text) if text.starts_with('{') => {
                serde_json::from_str(&text).map_or(Value::String(text), inner)
            }
            // Writers differ in 2 and 2.0.
            Value::Number(number) if number.as_u64().is_some_and(|number| number < 1 << 32) => {
                json!(number.as_f64())
            }
            other => other,
        }
    }
    inner(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// What a shell takes for words, with its variables left in.
fn words_of(script: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut depth = 0;
    let mut characters = script.chars().peekable();
    while let Some(c) = characters.next() {
        let word = words.last_mut().unwrap();
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), c) => word.push(c),
            (None, quoting @ ('\'' | '"')) => quote = Some(quoting),
            (_, '\\') => word.extend(characters.next()),
            (None, '(' | ')') => {
                depth += if c == '(' { 1 } else { -1 };
                word.push(c);
            }
            (None, ' ') if depth == 0 => words.push(String::new()),
            (_, c) => word.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
