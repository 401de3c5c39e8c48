//! What the demo deploys: two of Pulsar's own examples, as Function Mesh resources like those that people have.

use isthmus_testbed::{
    PulsarHome,
    traffic::{Load, Schema},
};

/// One function, with the topics that the witness writes and reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    pub(super) name: &'static str,
    class: &'static str,
    mode: &'static str,
    /// The Pulsar cluster that carries its messages, as the federation calls it.
    pub(super) pulsar: &'static str,
    language: Language,
}

#[derive(Debug, Clone, Copy)]
enum Language {
    Java,
    Python,
}

impl Function {
    /// One in Java, on one cluster.
    pub(super) const fn java(pulsar: &'static str) -> Self {
        Self {
            name: "exclaim-java",
            class: "org.apache.pulsar.functions.api.examples.ExclamationFunction",
            mode: "Singleton",
            pulsar,
            language: Language::Java,
        }
    }

    /// One in Python, on every cluster that is linked to its Pulsar.
    pub(super) const fn python(pulsar: &'static str) -> Self {
        Self {
            name: "exclaim-python",
            class: "exclamation_function.ExclamationFunction",
            mode: "Replicated",
            pulsar,
            language: Language::Python,
        }
    }

    pub(super) fn input(&self) -> String {
        format!("persistent://public/default/{}-in", self.name)
    }

    pub(super) fn output(&self) -> String {
        format!("persistent://public/default/{}-out", self.name)
    }

    /// Pulsar's own file that holds its code.
    fn package(&self, pulsar: &PulsarHome) -> std::path::PathBuf {
        match self.language {
            Language::Java => pulsar.examples_jar(),
            Language::Python => pulsar.python_examples().join("exclamation_function.py"),
        }
    }

    /// The resource. Its code is named as a file of this machine, which the CLI uploads.
    pub(super) fn manifest(&self, pulsar: &PulsarHome) -> String {
        let Self { name, class, mode, pulsar: cluster, language } = self;
        let location = self.package(pulsar).display().to_string();
        let code = match language {
            Language::Java => {
                format!("java: {{ jar: api-examples.jar, jarLocation: \"file://{location}\" }}")
            }
            Language::Python => {
                format!("python: {{ py: exclamation_function.py, pyLocation: \"file://{location}\" }}")
            }
        };
        format!(
            "\
apiVersion: compute.functionmesh.io/v1alpha1
kind: Function
metadata:
  name: {name}
  annotations:
    isthmus.io/placement: '{{\"mode\": \"{mode}\"}}'
spec:
  tenant: public
  namespace: default
  className: {class}
  {code}
  input: {{ topics: [\"{input}\"], typeClassName: java.lang.String }}
  output: {{ topic: \"{output}\", typeClassName: java.lang.String }}
  pulsar: {{ pulsarConfig: {cluster} }}
  resources:
    requests: {{ cpu: 100m, memory: 256Mi }}
    limits: {{ cpu: 500m, memory: 256Mi }}
",
            input = self.input(),
            output = self.output(),
        )
    }

    /// What its messages are declared as. Java's instance declares its topics as text, Python's declares nothing.
    pub(super) fn schema(&self) -> Schema {
        match self.language {
            Language::Java => Schema::String,
            Language::Python => Schema::Bytes,
        }
    }

    /// Some messages for its input. `part` keeps the ids of several loads apart.
    pub(super) fn load(&self, part: &str, count: u32, seed: u64) -> Load {
        Load {
            topic: self.input(),
            schema: self.schema(),
            prefix: format!("{}-{part}", self.name),
            count,
            seed,
        }
    }
}
