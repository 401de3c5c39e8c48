//! A draft together with where it came from and what its dialect found wrong with it.

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
    /// Where in its document the resource stands; empty when it is the document.
    pub(crate) within: String,
    pub(crate) names: Names,
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
        join(&self.within, &self.names.path(model))
    }
}

/// A dialect's names for the model's paths; the longest known prefix of a path is what counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Where the spec stands in the document.
    pub(crate) base: String,
    /// Paths of the model, and paths below `base`. A later table wins.
    pub(crate) tables: Vec<&'static [(&'static str, &'static str)]>,
    /// Members below a known prefix that are called otherwise.
    pub(crate) members: &'static [(&'static str, &'static str)],
    /// Paths of the model, and whole paths of this document: they win over the tables, and later ones over earlier ones.
    pub(crate) own: Vec<(String, String)>,
}

impl Names {
    fn path(&self, model: &str) -> String {
        let mut prefix = model;
        loop {
            let own = self.own.iter().rev().find(|(known, _)| known == prefix).map(|(_, own)| own.clone());
            let named = || {
                let mut entries = self.tables.iter().rev().flat_map(|table| table.iter());
                entries.find(|(known, _)| *known == prefix).map(|(_, name)| join(&self.base, name))
            };
            if let Some(own) = own.or_else(named) {
                let rest = self.renamed(model.get(prefix.len()..).unwrap_or(""));
                return match rest.strip_prefix('.') {
                    Some(rest) if own.is_empty() => rest.to_owned(),
                    _ => own + &rest,
                };
            }
            // Keys in brackets may hold dots and slashes themselves.
            let Some(shorter) = path::parent(prefix) else { return model.to_owned() };
            prefix = shorter;
        }
    }

    /// The steps of `rest`, each as this dialect calls it.
    fn renamed(&self, rest: &str) -> String {
        if self.members.is_empty() || rest.is_empty() || rest.contains('[') {
            return rest.to_owned();
        }
        let name =
            |step| self.members.iter().find(|(known, _)| *known == step).map_or(step, |(_, name)| *name);
        rest.split('.').map(name).collect::<Vec<_>>().join(".")
    }
}

/// `name` below `base`, either of which may be empty.
pub(crate) fn join(base: &str, name: &str) -> String {
    match (base, name) {
        ("", _) => name.to_owned(),
        (_, "") => base.to_owned(),
        _ => format!("{base}.{name}"),
    }
}

/// What a dialect makes of one component.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The draft as far as it could be read.
    pub(crate) draft: Draft,
    /// Where it came from.
    pub(crate) origin: Origin,
    /// What is wrong with it.
    pub(crate) violations: Vec<Violation>,
    /// Paths of the fields that the dialect does not know.
    pub(crate) unknown: Vec<String>,
}

impl Reading {
    /// The same, of a resource that stands at `at` in its document.
    pub(crate) fn within(mut self, at: String) -> Self {
        self.violations.iter_mut().for_each(|violation| violation.field = join(&at, &violation.field));
        self.unknown.iter_mut().for_each(|field| *field = join(&at, field));
        self.origin.within = at;
        self
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
    pub(crate) problems: Vec<Problem>,
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
        if self.problems.is_empty() { Ok(self.draft) } else { Err(self.problems) }
    }

    /// Everything: the draft as far as it could be read, where it came from, and what is wrong with it so far.
    pub fn into_parts(self) -> (Draft, Origin, Vec<Problem>) {
        (self.draft, self.origin, self.problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_known_prefix_is_renamed() {
        let names = Names {
            base: "spec.functions[0]".to_owned(),
            tables: vec![&[
                ("spec", ""),
                ("spec.input.topics", "input.sourceSpecs"),
                ("spec.output.producer", "output.producerConf"),
            ]],
            members: &[("crypto", "cryptoConfig")],
            own: vec![
                ("spec.input.topics[persistent://a/b/c.d]".to_owned(), "inputs[0]".to_owned()),
                ("metadata.tenant".to_owned(), "tenant".to_owned()),
            ],
        };
        for (model, own) in [
            ("metadata.tenant", "tenant"),
            ("spec", "spec.functions[0]"),
            ("spec.className", "spec.functions[0].className"),
            ("spec.output.producer.crypto.x", "spec.functions[0].output.producerConf.cryptoConfig.x"),
            ("spec.input.topics[persistent://a/b/c.d].schemaType", "inputs[0].schemaType"),
            (
                "spec.input.topics[persistent://a/b/x].schemaType",
                "spec.functions[0].input.sourceSpecs[persistent://a/b/x].schemaType",
            ),
            ("placement.spread[0]", "placement.spread[0]"),
        ] {
            assert_eq!(names.path(model), own);
        }
    }

    #[test]
    fn fields_at_the_root_of_a_document_have_no_base() {
        let names = Names { tables: vec![&[("spec", "")]], ..Names::default() };
        assert_eq!(names.path("spec.className"), "className");
    }
}
