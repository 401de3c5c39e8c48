//! What pods find: one another, names, the API server, a Pulsar outside.

use std::{path::Path, time::Duration};

use isthmus_testbed::{
    Cache, ImageServer, NodeImages, ProgramImages, Pulsar, PulsarOptions,
    kubernetes::{Client, Cluster},
    wait::until,
};
use serde_json::{Value, json};

use super::cluster;

/// Enough for a machine that does other things beside.
const SOON: Duration = Duration::from_mins(5);

/// A pod with the Python runner's image that runs this script as the runner's user.
fn pod(name: &str, script: &str, restart: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "default", "labels": { "name": name } },
        "spec": {
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": 0,
            "securityContext": { "runAsNonRoot": true, "runAsUser": 10000, "runAsGroup": 10001 },
            "containers": [{
                "name": "main",
                "image": NodeImages::python(),
                "command": ["python", "-u", "-c", script],
            }],
        },
    })
}

async fn apply(kubectl: &Client, objects: &[Value]) -> anyhow::Result<()> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    kubectl.call_with(&["apply", "-f", "-"], &list.to_string()).await?;
    Ok(())
}

async fn phase(kubectl: &Client, pod: &str, wanted: &str) -> anyhow::Result<()> {
    let seen = ["get", "pod", pod, "-o", "jsonpath={.status.phase}"];
    until(format!("the pod {pod} to be {wanted}"), SOON, async || match kubectl.call(&seen).await {
        Ok(phase) if phase == wanted => Ok(()),
        Ok(phase) => Err(phase),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    Ok(())
}

/// Runs a pod to its end and answers what it printed.
async fn output(cluster: &Cluster, name: &str, script: &str) -> anyhow::Result<String> {
    let kubectl = cluster.control_plane().kubectl();
    apply(&kubectl, &[pod(name, script, "Never")]).await?;
    let ended = phase(&kubectl, name, "Succeeded").await;
    let printed = kubectl.call(&["logs", name]).await?;
    ended.map_err(|error| error.context(printed.clone()))?;
    Ok(printed)
}

const SERVES: &str = r#"
import http.server, os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
http.server.ThreadingHTTPServer(("", 8080), Hello).serve_forever()
"#;

/// The Service by two names, then the API server as a client in a cluster finds it.
const ASKS: &str = r#"
import os, ssl, time, urllib.error, urllib.request
def ask(url, **more):
    for _ in range(100):
        try:
            return urllib.request.urlopen(url, timeout=5, **more).read().decode()
        except urllib.error.HTTPError as refused:
            return f"{refused.code} {refused.read().decode()}"
        except OSError as error:
            last = error
            time.sleep(0.2)
    raise last
print(ask("http://web:8080/"))
print(ask("http://web.default.svc.cluster.local:8080/"))
account = "/var/run/secrets/kubernetes.io/serviceaccount/"
request = urllib.request.Request(
    f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}/api/v1/namespaces/default/pods",
    headers={"Authorization": "Bearer " + open(account + "token").read()},
)
print(ask(request, context=ssl.create_default_context(cafile=account + "ca.crt")))
"#;

#[tokio::test]
async fn a_pod_finds_services_by_name_and_the_api_server_by_its_account() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let cluster = cluster(&cache).await?;
    let kubectl = cluster.control_plane().kubectl();
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": { "selector": { "name": "web" }, "ports": [{ "port": 8080 }] },
    });
    apply(&kubectl, &[service, pod("web", SERVES, "Always")]).await?;

    let printed = output(&cluster, "asks", ASKS).await?;

    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.get(..2), Some(&["hello"; 2][..]), "{printed}");
    let refused = r#"User \"system:serviceaccount:default:default\" cannot list resource \"pods\""#;
    assert!(lines.get(2).is_some_and(|line| line.starts_with("403 ") && line.contains(refused)), "{printed}");

    phase(&kubectl, "web", "Running").await?;
    let user = kubectl.call(&["exec", "web", "--", "id"]).await?;
    assert!(user.starts_with("uid=10000(pulsar) gid=10001(pulsar)"), "{user}");
    Ok(())
}

const EXCHANGES: &str = r#"
import pulsar, sys
client = pulsar.Client("SERVICE")
consumer = client.subscribe("persistent://public/default/hello", "reader", initial_position=pulsar.InitialPosition.Earliest)
producer = client.create_producer("persistent://public/default/hello")
producer.send(b"from a pod")
print(consumer.receive(30000).data().decode())
client.close()
"#;

#[tokio::test]
async fn a_pod_reaches_a_pulsar_on_the_host() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let cluster = cluster(&cache).await?;
    let pulsar = Pulsar::start(&cache, PulsarOptions::named("east").reachable_from_clusters()).await?;

    let printed = output(&cluster, "exchanges", &EXCHANGES.replace("SERVICE", &pulsar.service_url())).await?;

    assert!(printed.lines().any(|line| line == "from a pod"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn clusters_side_by_side_know_nothing_of_one_another() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let (east, west) = (cluster(&cache).await?, cluster(&cache).await?);
    assert_ne!(east.address(), west.address());
    let (in_east, in_west) = (east.control_plane().kubectl(), west.control_plane().kubectl());
    apply(&in_east, &[pod("greets", SERVES, "Always")]).await?;
    apply(&in_west, &[pod("greets", SERVES, "Always")]).await?;
    phase(&in_east, "greets", "Running").await?;
    phase(&in_west, "greets", "Running").await?;

    in_west.call(&["delete", "pod", "greets"]).await?;

    assert_eq!(in_west.call(&["get", "pods", "-o", "name"]).await?, "");
    assert_eq!(in_east.call(&["get", "pods", "-o", "name"]).await?, "pod/greets\n");
    phase(&in_east, "greets", "Running").await
}

/// What the command lines of instances name, whatever the language.
const LAYOUT: &str = r#"
import os, subprocess, sys
assert (os.getuid(), os.getgid(), os.getcwd()) == (10000, 10001, "/pulsar"), (os.getuid(), os.getgid(), os.getcwd())
for path in ["instances/java-instance.jar", "instances/python-instance/python_instance_main.py", "bin/pulsar-admin", "conf/functions-logging/logging_config.ini"]:
    assert os.path.isfile("/pulsar/" + path), path
for path in ["connectors", "logs", "tmp", "download", "conf"]:
    open(f"/pulsar/{path}/written", "w").close()
print(subprocess.run(["python", "/pulsar/instances/python-instance/python_instance_main.py", "--help"], capture_output=True, text=True).stdout)
print(subprocess.run(["java", "-version"], capture_output=True, text=True).stderr)
print(subprocess.run(["/pulsar/bin/pulsar-admin", "--version"], capture_output=True, text=True).stdout)
"#;

#[tokio::test]
async fn a_runner_is_laid_out_as_command_lines_expect() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let cluster = cluster(&cache).await?;

    let printed = output(&cluster, "layout", LAYOUT).await?;

    for expected in ["--function_details", "openjdk version \"17", "4.0.8"] {
        assert!(printed.contains(expected), "{expected} is not in {printed}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_of_ours_becomes_an_image_that_runs_as_nobody_special() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let cluster = cluster(&cache).await?;
    // What the program does is its own business: this one tells who runs it, and ends.
    let images = ProgramImages::build(&cache, &[(ImageServer::Agent, Path::new("/usr/bin/id"))]).await?;
    cluster.import(images.archive()).await?;
    let kubectl = cluster.control_plane().kubectl();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "agent", "namespace": "default" },
        "spec": {
            "restartPolicy": "Never",
            "securityContext": { "runAsNonRoot": true },
            "containers": [{ "name": "main", "image": ImageServer::Agent.image() }],
        },
    });

    apply(&kubectl, &[pod]).await?;
    phase(&kubectl, "agent", "Succeeded").await?;

    let user = kubectl.call(&["logs", "agent"]).await?;
    assert_eq!(user, "uid=10000(isthmus) gid=10001(isthmus) groups=10001(isthmus)\n");
    Ok(())
}
