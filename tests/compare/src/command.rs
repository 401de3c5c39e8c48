//! A command whose last part is a script for a shell, taken apart: the steps before the program, the program, its arguments.

use serde_json::{Map, Value, json};

/// `{shell, steps, program, arguments}`; a command without a script stays as it is.
pub(crate) fn command(value: &Value) -> Value {
    let parts: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some((script, shell)) = parts.split_last().filter(|(_, shell)| shell.contains(&"-c")) else {
        return value.clone();
    };
    let words = words_of(script);
    let mut steps: Vec<&[String]> = words.split(|word| word == "&&").collect();
    let last = steps.pop().unwrap_or_default();
    let (program, arguments) = match last {
        [exec, program, arguments @ ..] if exec == "exec" => (program.as_str(), arguments),
        [program, arguments @ ..] => (program.as_str(), arguments),
        [] => ("", last),
    };
    let steps: Vec<Value> = steps.into_iter().map(step).collect();
    json!({"shell": shell, "steps": steps, "program": program, "arguments": flags(arguments)})
}

/// A step's words. Of one that writes a file of logging the text is anybody's own.
fn step(words: &[String]) -> Value {
    match words {
        [echo, _, into, file] if echo == "echo" && into == ">" => json!(["echo", "CONFIGURATION", ">", file]),
        [one] => match one.strip_prefix("GO_FUNCTION_CONF=") {
            Some(text) => json!({ "GO_FUNCTION_CONF": go(text) }),
            None => json!(words),
        },
        _ => json!(words),
    }
}

/// Arguments in their order, each flag with its value.
fn flags(words: &[String]) -> Value {
    let mut all = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let value = words.next_if(|next| word.starts_with('-') && !next.starts_with('-'));
        all.push(match (word.as_str(), value) {
            ("--function_details", Some(details)) => json!([word, json_of(details)]),
            (_, Some(value)) => json!([word, value]),
            (_, None) => json!([word]),
        });
    }
    Value::Array(all)
}

/// The object that a Go instance is started with; its number is a variable of the shell.
fn go(text: &str) -> Value {
    let text = text.replace(":${SHARD_ID},", ":0,");
    // The original loses quotes in it, so that what is left is no JSON.
    let read = serde_json::from_str(&text).or_else(|_| serde_json::from_str(&text.replace('\\', "\\\\")));
    let mut conf: Map<String, Value> = read.unwrap_or_default();
    for member in ["userConfig", "secretsMap", "functionDetails"] {
        if let Some(Value::String(text)) = conf.get(member)
            && let Ok(object @ Value::Object(_)) = serde_json::from_str(text)
        {
            conf.insert(member.to_owned(), object);
        }
    }
    Value::Object(conf)
}

/// JSON, and the JSON in it that travels as text: its blanks and the order of its keys mean nothing.
fn json_of(text: &str) -> Value {
    serde_json::from_str(text).map_or_else(|_| json!(text), inner)
}

fn inner(value: Value) -> Value {
    match value {
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, inner(value))).collect(),
        Value::Array(items) => items.into_iter().map(inner).collect(),
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

/// What a shell takes for words, with its variables left in. What it would run to get a word stays one.
fn words_of(script: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut depth = 0;
    let mut characters = script.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (None, quoting @ ('\'' | '"')) => {
                quote = Some(quoting);
                word.get_or_insert_default();
            }
            (_, '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, '(' | ')') => {
                depth += if c == '(' { 1 } else { -1 };
                word.get_or_insert_default().push(c);
            }
            (None, ' ') if depth == 0 => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_steps_a_program_and_flags_with_their_values() {
        let script = "wget a -O b && ls -al && pwd &&N=${P##*-} && exec java -cp $(echo /a /b):c -Dx=1  Main --jar 'my jar' --use_tls false";
        assert_eq!(
            command(&json!(["bash", "-c", script])),
            json!({
                "shell": ["bash", "-c"],
                "steps": [["wget", "a", "-O", "b"], ["ls", "-al"], ["pwd", "&&N=${P##*-}"]],
                "program": "java",
                "arguments": [["-cp", "$(echo /a /b):c"], ["-Dx=1", "Main"], ["--jar", "my jar"], ["--use_tls", "false"]],
            })
        );
        assert_eq!(command(&json!(["sleep", "1"])), json!(["sleep", "1"]));
    }
}
