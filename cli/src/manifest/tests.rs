use super::*;

fn text(bytes: &str) -> Text {
    Text { name: "greet.yaml".into(), directory: PathBuf::from("dir"), bytes: bytes.as_bytes().to_vec() }
}

fn stored(path: &Path) -> Option<Stored> {
    let file = path.file_name()?.to_str()?.to_owned();
    Some(Stored { file, location: format!("sha256:{}", "ab".repeat(32)) })
}

/// The packages of a text after its local ones were replaced.
fn packages(local: Local) -> Vec<(String, String)> {
    let text = local.into_text(stored).unwrap();
    let read = isthmus_dialects::read(&text, &Options::default()).unwrap();
    let package =
        |draft: &Draft| draft.spec.runtime.as_ref().map(|runtime| runtime.package().clone()).unwrap();
    read.drafts
        .iter()
        .map(|w| package(w.draft()))
        .map(|p| (p.file, p.location.chars().take(9).collect()))
        .collect()
}

const FUNCTION_CONFIG: &str = "
tenant: public
namespace: default
name: greet
className: org.example.Greet
inputs: [persistent://public/default/names]
jar: JAR
";

const FUNCTION_MESH: &str = "
apiVersion: compute.functionmesh.io/v1alpha1
kind: Function
metadata: {name: greet}
spec:
  className: org.example.Greet
  input: {topics: [persistent://public/default/names]}
  java: {jar: greet.jar, jarLocation: 'LOCATION'}
  pulsar: {pulsarConfig: east}
  resources:
    requests: {cpu: 100m, memory: 256Mi}
    limits: {cpu: '1', memory: 1Gi}
";

#[test]
fn a_path_in_a_pulsar_config_and_a_file_url_anywhere_are_local() {
    let path = text(&FUNCTION_CONFIG.replace("JAR", "./target/greet.jar"));
    let local = local(&path, &Files::default(), None).unwrap().unwrap();
    assert_eq!(local.files(), [PathBuf::from("dir/./target/greet.jar")]);
    assert_eq!(packages(local), [("greet.jar".to_owned(), "sha256:ab".to_owned())]);
    let url = text(&FUNCTION_MESH.replace("LOCATION", "file:///opt/code.jar"));
    let local = super::local(&url, &Files::default(), None).unwrap().unwrap();
    assert_eq!(local.files(), [PathBuf::from("/opt/code.jar")]);
    assert_eq!(packages(local), [("code.jar".to_owned(), "sha256:ab".to_owned())]);
}

#[test]
fn a_text_without_local_packages_goes_as_it_is() {
    let stored = format!("sha256:{}", "cd".repeat(32));
    for elsewhere in ["function://public/default/greet@1", "https://example.org/greet.jar", &stored] {
        let config = text(&FUNCTION_CONFIG.replace("JAR", elsewhere));
        assert!(local(&config, &Files::default(), None).unwrap().is_none(), "{elsewhere}");
    }
    let in_image = text(&FUNCTION_MESH.replace("LOCATION", ""));
    assert!(local(&in_image, &Files::default(), None).unwrap().is_none());
    assert!(
        local(&text("{"), &Files::default(), None).unwrap().is_none(),
        "the gateway says what is wrong with it"
    );
}

#[test]
fn a_given_package_is_the_code_of_the_one_component() {
    let in_image = FUNCTION_MESH.replace("LOCATION", "");
    let local = |written: &str, file: &str| local(&text(written), &Files::default(), Some(Path::new(file)));
    assert_eq!(packages(local(&in_image, "x/own.jar").unwrap().unwrap())[0].0, "own.jar");
    let two = format!("{in_image}---{}", in_image.replace("name: greet", "name: other"));
    assert!(local(&two, "own.jar").unwrap_err().to_string().contains("has 2"));
}

#[test]
fn a_text_with_local_packages_is_refused_before_anything_is_uploaded() {
    let wrong = text(&(FUNCTION_CONFIG.replace("JAR", "greet.jar") + "paralelism: 3\n"));
    let error = local(&wrong, &Files::default(), None).unwrap_err();
    assert!(matches!(error, Error::Invalid { problems, .. } if problems[0].violation.field == "paralelism"));
}
