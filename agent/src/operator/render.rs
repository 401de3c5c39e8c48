//! What the operator would apply, printed without a cluster.

use isthmus_dialects::function_mesh::API_VERSION;
use isthmus_dialects::path;
use isthmus_model::component::{ComponentKind, Object};
use isthmus_model::reason::{Reason, Violation};
use serde_json::{Value, json};

use super::backend::Backend;
use super::build::build;
use super::child::{ChildKind, CustomKind};
use super::config::Config;
use super::mesh;
use super::owner::Owner;
use super::validate::{self, sentence, validate, validate_new};

/// Stands for the identity that only a cluster can give.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// What is printed, and what is refused.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rendered {
    /// The objects, in the order in which they would be applied. Values of Secrets are not shown.
    pub objects: Vec<Object>,
    /// The resources that become nothing: one that is refused hinders no other.
    pub refused: Vec<Refused>,
}

/// A resource that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("document {document}: {}", sentence(violations))]
pub struct Refused {
    /// The text that it stands in, from 0.
    pub text: usize,
    /// The document of that, from 1.
    pub document: usize,
    /// What is wrong with it; at least one.
    pub violations: Vec<Violation>,
}

/// Whether the resources that are rendered exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// They are about to be created.
    Creation,
    /// They exist, and become what is written: with no instances, too.
    Update,
}

/// The objects of every resource in the texts: of a FunctionMesh its members, each followed by what that becomes. BackendConfigs
/// become nothing, but count for the others as they would in a cluster.
///
/// # Errors
/// A text is not YAML or JSON: which, from 0, and why.
pub fn render(
    texts: &[Vec<u8>],
    moment: Moment,
    config: &Config,
) -> Result<Rendered, (usize, isthmus_dialects::Problem)> {
    let mut documents = Vec::new();
    for (text, bytes) in texts.iter().enumerate() {
        let parsed =
            isthmus_dialects::document::parse(bytes, bytes.len()).map_err(|problem| (text, problem))?;
        documents.extend(
            parsed.into_iter().enumerate().map(|(index, document)| (text, index + 1, document.value)),
        );
    }
    let (backends, documents): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|(_, _, document)| Backend::is(document));
    let backends = backends.into_iter().map(|(_, _, document)| document).collect();
    let renderer = Renderer { moment, config, backends };
    let mut rendered = Rendered::default();
    for (text, number, document) in documents {
        let outcome = match Place::of(&document) {
            Ok(Place { kind: CustomKind::Component(kind), namespace, name, uid }) => {
                let owner = Owner { kind, namespace, name, uid };
                renderer.component(owner, document, &mut rendered.objects).map_err(|error| vec![error])
            }
            Ok(Place { kind: CustomKind::FunctionMesh, namespace, name, uid }) => {
                let owner = mesh::Owner { namespace, name, uid };
                renderer.mesh(&owner, &document, &mut rendered.objects)
            }
            Err(violation) => Err(vec![violation.into()]),
        };
        let refused = outcome.err().into_iter().flatten();
        rendered.refused.extend(refused.map(|validate::Error { violations }| Refused {
            text,
            document: number,
            violations,
        }));
    }
    Ok(rendered)
}

/// What all resources of a call have in common.
struct Renderer<'a> {
    moment: Moment,
    config: &'a Config,
    backends: Vec<Value>,
}

impl Renderer<'_> {
    fn component(
        &self,
        owner: Owner,
        resource: Value,
        into: &mut Vec<Object>,
    ) -> Result<(), validate::Error> {
        let Config { pods, backend_configs, .. } = self.config;
        let backend = Backend::of(&self.backends, &owner.namespace, backend_configs)?;
        let validated = match self.moment {
            Moment::Creation => validate_new(owner, resource, pods)?,
            Moment::Update => validate(owner, resource, pods)?,
        };
        for mut child in build(&validated.with(backend, pods), pods) {
            if child.kind == ChildKind::Secret {
                redact(&mut child.body);
            }
            into.push(child.body);
        }
        Ok(())
    }

    /// Every member that is not refused, and what it becomes.
    fn mesh(
        &self,
        mesh: &mesh::Owner,
        resource: &Value,
        into: &mut Vec<Object>,
    ) -> Result<(), Vec<validate::Error>> {
        let mut refused = Vec::new();
        let mut members = 0;
        for (field, kind) in mesh::LISTS {
            let at = path::field("spec", field);
            let list = match resource.get("spec").and_then(|spec| spec.get(field)) {
                None | Some(Value::Null) => continue,
                Some(Value::Array(list)) => list,
                Some(other) => {
                    let violation =
                        Violation::new(at, Reason::InvalidField, "it must be a list of components");
                    refused.push(violation.with_value(&other.to_string()).into());
                    continue;
                }
            };
            for (index, spec) in list.iter().enumerate() {
                members += 1;
                let (owner, body) = member(mesh, kind, spec);
                let mut made = vec![body.clone()];
                match self.component(owner, Value::Object(body), &mut made) {
                    Ok(()) => into.append(&mut made),
                    Err(error) => refused.push(within(error, &path::index(&at, index))),
                }
            }
        }
        if members == 0 && refused.is_empty() {
            let message = "a FunctionMesh must have at least one function, source or sink";
            refused.push(Violation::new("spec", Reason::MissingField, message).into());
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }
}

/// Which resource a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    kind: CustomKind,
    namespace: String,
    name: String,
    uid: String,
}

impl Place {
    fn of(document: &Value) -> Result<Self, Violation> {
        let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let name = text("/kind");
        let component = ComponentKind::ALL.into_iter().find(|kind| kind.as_str() == name);
        let kind = match component {
            Some(kind) => Some(kind.into()),
            None => Some(CustomKind::FunctionMesh).filter(|mesh| mesh.as_str() == name),
        };
        let Some(kind) = kind.filter(|_| text("/apiVersion") == API_VERSION) else {
            let what = or(name.clone(), "a document without a kind");
            let message = format!(
                "{what} is not reconciled here; it must be a Function, Source, Sink or FunctionMesh of {API_VERSION}"
            );
            return Err(
                Violation::new("kind", Reason::InvalidField, message).with_value(&json!(name).to_string())
            );
        };
        Ok(Self {
            kind,
            namespace: or(text("/metadata/namespace"), "default"),
            name: text("/metadata/name"),
            uid: or(text("/metadata/uid"), NO_UID),
        })
    }
}

/// A component of a mesh as a resource of its own.
fn member(mesh: &mesh::Owner, kind: ComponentKind, spec: &Value) -> (Owner, Object) {
    let name = spec.get("name").and_then(Value::as_str).unwrap_or_default();
    let body = mesh::resource(mesh, kind, name, &spec.as_object().cloned().unwrap_or_default());
    let (namespace, name) = (mesh.namespace.clone(), mesh::resource_name(mesh, name));
    (Owner { kind, namespace, name, uid: NO_UID.to_owned() }, body)
}

/// What is wrong with a member, by the paths of the mesh.
fn within(error: validate::Error, at: &str) -> validate::Error {
    let violations = error.violations.into_iter().map(|violation| {
        let field = match violation.field.strip_prefix("spec") {
            Some(rest) => format!("{at}{rest}"),
            // Its name is made of the mesh's and this.
            None => path::field(at, "name"),
        };
        Violation { field, ..violation }
    });
    validate::Error { violations: violations.collect() }
}

fn redact(secret: &mut Object) {
    let data = secret.get_mut("data").and_then(Value::as_object_mut);
    for value in data.into_iter().flat_map(|data| data.values_mut()) {
        *value = "(redacted)".into();
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Pods;
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

    fn call(text: &str, moment: Moment) -> Rendered {
        render(&[text.as_bytes().to_vec()], moment, &Config::default()).unwrap()
    }

    fn rendered(text: &str) -> Vec<Object> {
        let Rendered { objects, refused } = call(text, Moment::Creation);
        assert_eq!(refused, []);
        objects
    }

    fn refused(text: &str) -> String {
        call(text, Moment::Creation).refused[0].to_string()
    }

    fn kinds(objects: &[Object]) -> Vec<&str> {
        objects.iter().filter_map(|object| object["kind"].as_str()).collect()
    }

    #[test]
    fn a_function_is_a_service_and_a_stateful_set_of_the_default_namespace() {
        let objects = rendered(FUNCTION);
        assert_eq!(kinds(&objects), ["Service", "StatefulSet"]);
        assert_eq!(objects[1]["metadata"]["name"], "greet-function");
        assert_eq!(objects[1]["metadata"]["namespace"], "default");
    }

    #[test]
    fn what_exists_may_be_scaled_to_nothing_and_nothing_is_created_so() {
        let text = FUNCTION.replace("className", "replicas: 0\n  className");
        assert!(refused(&text).contains("spec.replicas"));
        let rendered = call(&text, Moment::Update);
        assert_eq!(rendered.objects[1]["spec"]["replicas"], 0);
    }

    #[test]
    fn values_of_secrets_are_not_printed() {
        let text = FUNCTION.replace(
            "pulsarConfig: main",
            "pulsarConfig: main, authConfig: {genericAuth: {clientAuthenticationPlugin: p, clientAuthenticationParameters: token-x}}",
        );
        let objects = rendered(&text);
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
        let refused = refused(&text);
        assert!(refused.contains("spec.java.jarLocation: this agent gives no packages to pods"), "{refused}");
        let pods = Pods { packages_url: "http://agent.isthmus.svc:9091".to_owned(), ..Pods::default() };
        let config = Config { pods, ..Config::default() };
        let objects = render(&[text.into_bytes()], Moment::Creation, &config).unwrap().objects;
        let command = &objects[1]["spec"]["template"]["spec"]["containers"][0]["command"][2];
        let fetch = format!("wget http://agent.isthmus.svc:9091/packages/{digest} -O greet.jar ");
        assert!(command.as_str().unwrap().contains(&fetch), "{command}");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_document_and_all_fields_and_hinders_no_other() {
        let second = FUNCTION.replace("java: {jar: /pulsar/greet.jar}", "").replace("topics: [in]", "");
        let both = call(&format!("{FUNCTION}---{second}"), Moment::Creation);
        assert_eq!(kinds(&both.objects), ["Service", "StatefulSet"]);
        let sentence = both.refused[0].to_string();
        assert!(sentence.starts_with("document 2: ") && sentence.contains("spec.java"), "{sentence}");
        assert!(sentence.contains("spec.input"), "{sentence}");
        let other = refused(&FUNCTION.replace("kind: Function", "kind: Gadget"));
        assert!(other.contains("Gadget is not reconciled here"), "{other}");
    }

    #[test]
    fn a_mesh_is_its_members_and_what_they_become_but_for_those_that_are_refused() {
        let mesh = "
apiVersion: compute.functionmesh.io/v1alpha1
kind: FunctionMesh
metadata: {name: shop, uid: 1-2}
spec:
  sinks:
  - name: out
    className: org.example.Out
    java: {jar: out.nar}
    input: {topics: [in]}
    sinkConfig: {}
    pulsar: {pulsarConfig: main}
    resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}
  - {name: broken}
";
        let Rendered { objects, refused } = call(mesh, Moment::Creation);
        assert_eq!(kinds(&objects), ["Sink", "Service", "StatefulSet"]);
        assert_eq!(objects[0]["metadata"]["name"], "shop-out");
        assert_eq!(objects[0]["metadata"]["ownerReferences"][0]["uid"], "1-2");
        assert_eq!(objects[2]["metadata"]["name"], "shop-out-sink");
        let fields: Vec<&str> = refused[0].violations.iter().map(|one| one.field.as_str()).collect();
        assert!(fields.contains(&"spec.sinks[1].java"), "{fields:?}");
        assert!(fields.iter().all(|field| field.starts_with("spec.sinks[1].")), "{fields:?}");
    }
}
