//! A draft together with where it came from and what its dialect found wrong with it.

use std::collections::BTreeMap;

use isthmus_model::component::Draft;
use isthmus_model::reason::Violation;

use crate::document::{Position, Problem};
use crate::path;

/// The form in which something was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// The model itself, `isthmus.io/v1`: the loss-free form.
    #[default]
    Native,
    /// Function Mesh's custom resources, `compute.functionmesh.io/v1alpha1`.
    FunctionMesh,
    /// Pulsar's FunctionConfig, SourceConfig and SinkConfig.
    PulsarConfig,
}

/// Where a draft came from, and how its fields are called there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub(crate) dialect: Dialect,
    pub(crate) position: Position,
    /// The model's paths with the dialect's, longest match first to win; both are whole paths or prefixes of them.
    pub(crate) paths: BTreeMap<String, String>,
}

impl Origin {
    /// The form.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The document and its first line.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The path in the text of a field that the model calls `model`; the model's own path where the text has none.
    pub fn dialect_path(&self, model: &str) -> String {
        let mut prefix = model;
        loop {
            if let Some(own) = self.paths.get(prefix) {
                let rest = model.get(prefix.len()..).unwrap_or("");
                return match rest.strip_prefix('.') {
                    Some(rest) if own.is_empty() => rest.to_owned(),
                    _ => format!("{own}{rest}"),
                };
            }
            // The last separator outside of brackets: keys may hold dots and slashes themselves.
            let Some(shorter) = path::parent(prefix) else { return model.to_owned() };
            prefix = shorter;
        }
    }
}

/// A draft that was read from a text.
///
/// A draft with violations cannot be had by itself: either [`Written::into_draft`] gives them, or admission adds its own
/// and gives all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub(crate) draft: Draft,
    pub(crate) origin: Origin,
    pub(crate) violations: Vec<Violation>,
}

impl Written {
    /// The draft as far as it could be read, to look at.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The draft, or all that its dialect found wrong with it.
    pub fn into_draft(self) -> Result<Draft, Vec<Problem>> {
        if self.violations.is_empty() {
            return Ok(self.draft);
        }
        let position = self.origin.position;
        Err(self.violations.into_iter().map(|violation| Problem { position, violation }).collect())
    }

    /// Everything: the draft as far as it could be read, where it came from, and what is wrong with it so far.
    pub fn into_parts(self) -> (Draft, Origin, Vec<Violation>) {
        (self.draft, self.origin, self.violations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_known_prefix_is_renamed() {
        let paths = [
            ("metadata.tenant", "tenant"),
            ("spec", ""),
            ("spec.input.topics", "inputSpecs"),
            ("spec.input.topics[persistent://a/b/c.d]", "inputs[0]"),
        ];
        let origin = Origin {
            paths: paths.into_iter().map(|(model, own)| (model.to_owned(), own.to_owned())).collect(),
            ..Origin::default()
        };
        for (model, own) in [
            ("metadata.tenant", "tenant"),
            ("spec.className", "className"),
            ("spec.input.topics[persistent://a/b/c.d].schemaType", "inputs[0].schemaType"),
            ("spec.input.topics[persistent://a/b/x].schemaType", "inputSpecs[persistent://a/b/x].schemaType"),
            ("placement.spread[0]", "placement.spread[0]"),
        ] {
            assert_eq!(origin.dialect_path(model), own);
        }
    }
}
