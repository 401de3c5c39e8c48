//! What the operator would apply, printed without a cluster.

use isthmus_dialects::function_mesh::API_VERSION;
use isthmus_model::component::Object;
use isthmus_model::reason::Violation;
use serde_json::Value;

use super::KINDS;
use super::build::build;
use super::child::ChildKind;
use super::config::Pods;
use super::owner::Owner;
use super::validate::{self, sentence, validate};

/// Stands for the identity that only a cluster can give.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Why nothing is printed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not YAML or JSON.
    #[error("{0}")]
    Text(isthmus_dialects::Problem),
    /// A document is of no kind that is reconciled.
    #[error("document {document}: {} is not reconciled here; it must be a Function of {API_VERSION}", if kind.is_empty() { "a document without a kind" } else { kind })]
    Kind {
        /// Which, from 1.
        document: usize,
        /// What it is.
        kind: String,
    },
    /// A document is refused.
    #[error("document {document}: {}", sentence(violations))]
    Refused {
        /// Which, from 1.
        document: usize,
        /// What is wrong with it.
        violations: Vec<Violation>,
    },
}

/// The objects of every resource in `text`, in the order in which they would be applied. Values of Secrets are not shown.
///
/// # Errors
/// The text cannot be read, or a resource in it is refused.
pub fn render(text: &[u8], pods: &Pods) -> Result<Vec<Object>, Error> {
    let documents = isthmus_dialects::document::parse(text, text.len()).map_err(Error::Text)?;
    let mut objects = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let number = index + 1;
        let owner = owner(&document.value, number)?;
        let validated = validate(owner, document.value, pods)
            .map_err(|validate::Error { violations }| Error::Refused { document: number, violations })?;
        for mut child in build(&validated, pods) {
            if child.kind == ChildKind::Secret {
                redact(&mut child.body);
            }
            objects.push(child.body);
        }
    }
    Ok(objects)
}

fn owner(document: &Value, number: usize) -> Result<Owner, Error> {
    let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let known = KINDS.into_iter().find(|known| known.as_str() == text("/kind"));
    let Some(kind) = known.filter(|_| text("/apiVersion") == API_VERSION) else {
        return Err(Error::Kind { document: number, kind: text("/kind") });
    };
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    Ok(Owner {
        kind,
        namespace: or(text("/metadata/namespace"), "default"),
        name: text("/metadata/name"),
        uid: or(text("/metadata/uid"), NO_UID),
    })
}

fn redact(secret: &mut Object) {
    let data = secret.get_mut("data").and_then(Value::as_object_mut);
    for value in data.into_iter().flat_map(|data| data.values_mut()) {
        *value = "(redacted)".into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "
apiVersion: compute.functionmesh.io/v1alpha1
kind: Function
metadata: {name: greet}
spec:
  className: org.example.Greet
  java: {jar: /pulsar/greet.jar}
  input: {topics: [in]}
  pulsar: {pulsarConfig: main}
  resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}
";

    fn kinds(objects: &[Object]) -> Vec<&str> {
        objects.iter().filter_map(|object| object["kind"].as_str()).collect()
    }

    #[test]
    fn a_function_is_a_service_and_a_stateful_set_of_the_default_namespace() {
        let objects = render(FUNCTION.as_bytes(), &Pods::default()).unwrap();
        assert_eq!(kinds(&objects), ["Service", "StatefulSet"]);
        assert_eq!(objects[1]["metadata"]["name"], "greet-function");
        assert_eq!(objects[1]["metadata"]["namespace"], "default");
    }

    #[test]
    fn values_of_secrets_are_not_printed() {
        let text = FUNCTION.replace(
            "pulsarConfig: main",
            "pulsarConfig: main, authConfig: {genericAuth: {clientAuthenticationPlugin: p, clientAuthenticationParameters: token-x}}",
        );
        let objects = render(text.as_bytes(), &Pods::default()).unwrap();
        assert_eq!(kinds(&objects), ["Secret", "Service", "StatefulSet"]);
        let printed = serde_json::to_string(&objects).unwrap();
        assert!(
            printed.contains("(redacted)") && !printed.contains("token-x") && !printed.contains("dG9rZW4teA")
        );
    }

    #[test]
    fn a_package_is_fetched_by_its_digest_from_where_pods_reach_the_agent_or_refused() {
        let digest = "5".repeat(64);
        let text = FUNCTION.replace(
            "java: {jar: /pulsar/greet.jar}",
            &format!("java: {{jar: greet.jar, jarLocation: 'sha256:{digest}'}}"),
        );
        let refused = render(text.as_bytes(), &Pods::default()).unwrap_err().to_string();
        assert!(refused.contains("spec.java.jarLocation: this agent gives no packages to pods"), "{refused}");
        let pods = Pods { packages_url: "http://agent.isthmus.svc:9091".to_owned(), ..Pods::default() };
        let objects = render(text.as_bytes(), &pods).unwrap();
        let command = &objects[1]["spec"]["template"]["spec"]["containers"][0]["command"][2];
        let fetch = format!("wget http://agent.isthmus.svc:9091/packages/{digest} -O greet.jar ");
        assert!(command.as_str().unwrap().contains(&fetch), "{command}");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_document_and_all_fields() {
        let second = FUNCTION.replace("java: {jar: /pulsar/greet.jar}", "").replace("topics: [in]", "");
        let refused = render(format!("{FUNCTION}---{second}").as_bytes(), &Pods::default()).unwrap_err();
        let sentence = refused.to_string();
        assert!(sentence.starts_with("document 2: ") && sentence.contains("spec.java"), "{sentence}");
        let other = FUNCTION.replace("kind: Function", "kind: Gadget");
        let refused = render(other.as_bytes(), &Pods::default()).unwrap_err().to_string();
        assert!(refused.contains("Gadget is not reconciled here"), "{refused}");
    }
}
