//! Text to documents: UTF-8, size, YAML's traps, several documents in a file, and where each field stands.
//!
//! JSON is read as the YAML that it is.

use std::collections::HashMap;
use std::fmt;

use isthmus_model::reason::{Reason, Violation};
use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::path;

/// A place in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the document within the text, from 1; 0 when the whole text is meant.
    pub document: usize,
    /// Line, from 1; 0 when it is not known.
    pub line: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.document, self.line) {
            (0, 0) => f.write_str("input"),
            (0, line) => write!(f, "line {line}"),
            (document, 0) => write!(f, "document {document}"),
            (document, line) => write!(f, "document {document}, line {line}"),
        }
    }
}

/// Something wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {}{}{}", .violation.field, if .violation.field.is_empty() { "" } else { ": " }, .violation.message)]
pub struct Problem {
    /// Where.
    pub position: Position,
    /// What.
    pub violation: Violation,
}

/// One document of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its number and first line.
    pub position: Position,
    /// What it says.
    pub value: Value,
}

/// Nodes that a text may have beyond one for each of its bytes: what aliases may add to it.
const ALIAS_EVENTS: usize = 20_000;

fn options(text: &str) -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: text.len().saturating_mul(2).saturating_add(ALIAS_EVENTS),
            max_nodes: text.len().saturating_add(ALIAS_EVENTS),
            max_documents: text.len(),
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_depth: 64,
            max_total_scalar_bytes: text.len().saturating_mul(2).saturating_add(ALIAS_EVENTS),
        },
        alias_limits: {
            let mut limits = serde_saphyr::options::AliasLimits::default();
            limits.max_total_replayed_events = ALIAS_EVENTS;
            limits.max_replay_stack_depth = 16;
            limits
        },
        strict_booleans: true,
        // One line a problem: the caller has the text, and knows the line.
        with_snippet: false,
    }
}

/// Reads the documents of `text`, which must not be larger than `max_bytes`; empty ones are left out.
///
/// # Errors
/// The text is not YAML or JSON, or larger than it may be.
pub fn parse(text: &[u8], max_bytes: usize) -> Result<Vec<Document>, Problem> {
    let whole = |reason, message: String| Problem {
        position: Position::default(),
        violation: Violation::new("", reason, message),
    };
    if text.len() > max_bytes {
        let size = text.len();
        return Err(whole(
            Reason::TooLarge,
            format!("the text has {size} bytes, more than the {max_bytes} that are allowed; split it"),
        ));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let line = text.get(..error.valid_up_to()).map_or(0, |good| good.split(|b| *b == b'\n').count());
        Problem {
            position: Position { document: 0, line },
            violation: Violation::new(
                "",
                Reason::MalformedDocument,
                format!(
                    "the text is not UTF-8: the byte at offset {} starts no character",
                    error.valid_up_to()
                ),
            ),
        }
    })?;
    let documents: Vec<Spanned<Value>> =
        serde_saphyr::from_multiple_with_options(text, options(text)).map_err(|error| malformed(&error))?;
    Ok(documents
        .into_iter()
        .enumerate()
        .map(|(at, document)| Document {
            position: Position { document: at + 1, line: line(&document.referenced) },
            value: document.value,
        })
        .collect())
}

fn line(location: &serde_saphyr::Location) -> usize {
    usize::try_from(location.line()).unwrap_or(0)
}

const GROWS: &str = "the document is nested too deeply or grows too much when its aliases are expanded";

fn malformed(error: &serde_saphyr::Error) -> Problem {
    use serde_saphyr::Error;
    let mut error = error.without_snippet();
    let line = error.location().as_ref().map_or(0, line);
    while let Error::AliasError { error: inner, .. } = error {
        error = inner.without_snippet();
    }
    let (reason, what) = match error {
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (Reason::TooLarge, GROWS),
        // The scanner's own limit on nesting comes before the budget's, and only its words tell it from other errors.
        other if other.to_string().contains("recursion limit") => (Reason::TooLarge, GROWS),
        _ => (Reason::MalformedDocument, "the text is neither YAML nor JSON"),
    };
    Problem {
        position: Position { document: 0, line },
        violation: Violation::new("", reason, format!("{what}: {error}")),
    }
}

/// The lines on which the fields of a text stand. Made only when something is wrong with the text.
#[derive(Debug, Default)]
pub struct Lines(Vec<HashMap<String, usize>>);

impl Lines {
    /// Finds them; of a text that cannot be read, none.
    pub fn of(text: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(text) else { return Self::default() };
        let trees: Vec<Spanned<Tree>> =
            serde_saphyr::from_multiple_with_options(text, options(text)).unwrap_or_default();
        Self(
            trees
                .into_iter()
                .map(|tree| {
                    let mut lines = HashMap::new();
                    number(String::new(), &tree, &mut lines);
                    lines
                })
                .collect(),
        )
    }

    /// The line of `field` in the `document`-th document (from 1), or of the nearest field around it.
    pub fn line(&self, document: usize, field: &str) -> Option<usize> {
        let lines = self.0.get(document.checked_sub(1)?)?;
        let mut at = field;
        loop {
            if let Some(line) = lines.get(at) {
                return Some(*line);
            }
            at = path::parent(at)?;
        }
    }
}

fn number(at: String, tree: &Spanned<Tree>, lines: &mut HashMap<String, usize>) {
    match &tree.value {
        Tree::Scalar => {}
        Tree::List(items) => {
            for (index, item) in items.iter().enumerate() {
                number(path::index(&at, index), item, lines);
            }
        }
        Tree::Map(entries) => {
            for (key, item) in entries {
                number(path::field(&at, &key.value), item, lines);
                lines.insert(path::field(&at, &key.value), line(&key.referenced));
            }
        }
    }
    lines.entry(at).or_insert_with(|| line(&tree.referenced));
}

/// The form of a document without its values.
#[derive(Debug)]
enum Tree {
    Scalar,
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests;
