//! A real API server, seen by kubectl.

use std::time::Duration;

use isthmus_testbed::{
    Cache,
    kubernetes::{Component, ControlPlane, Extent, User},
    progress::Step,
    wait::until,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

fn greeting() -> String {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "greeting", "namespace": "default" },
        "data": { "says": "hello" },
    })
    .to_string()
}

#[tokio::test]
async fn what_an_api_server_took_survives_its_sudden_end_and_that_of_etcd() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    cache.kubernetes().await?;
    let starting = Step::begin("Starting etcd and an API server");
    let mut plane = ControlPlane::start(&cache, Extent::ApiServer).await?;
    starting.done();
    let kubectl = plane.kubectl();
    kubectl.call_with(&["apply", "-f", "-"], &greeting()).await?;

    plane.crash(Component::ApiServer).await?;
    plane.crash(Component::Etcd).await?;
    plane.resume(Component::Etcd).await?;
    plane.resume(Component::ApiServer).await?;

    let found = kubectl.call(&["get", "configmap", "greeting", "-o", "jsonpath={.data.says}"]).await?;
    assert_eq!(found, "hello");
    let version: Value = serde_json::from_str(&kubectl.call(&["version", "-o", "json"]).await?)?;
    assert_eq!(version.pointer("/serverVersion/gitVersion"), Some(&json!("v1.34.4")), "{version}");
    plane.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_user_may_do_what_is_bound_to_it_and_nothing_else() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let plane = ControlPlane::start(&cache, Extent::ApiServer).await?;
    let admin = plane.kubectl();
    let jane = plane.kubectl_as(&plane.kubeconfig_of(&User::named("jane").in_group("readers"))?);
    let list = ["get", "configmaps", "-n", "default"];

    let refused = jane.call(&list).await.expect_err("nothing is bound yet").to_string();
    assert!(refused.contains(r#"User "jane" cannot list resource "configmaps""#), "{refused}");
    admin
        .call(&["create", "role", "reader", "--verb=list", "--resource=configmaps", "-n", "default"])
        .await?;
    admin
        .call(&["create", "rolebinding", "readers", "--role=reader", "--group=readers", "-n", "default"])
        .await?;

    until("jane to be allowed to list", SOON, async || jane.call(&list).await).await?;
    let written = jane.call_with(&["apply", "-f", "-"], &greeting()).await;
    assert!(written.is_err(), "{written:?}");
    Ok(())
}

#[tokio::test]
async fn controllers_make_pods_of_a_stateful_set_until_they_are_halted() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let mut plane = ControlPlane::start(&cache, Extent::Whole).await?;
    let kubectl = plane.kubectl();
    let set = |name: &str| {
        json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": { "name": name, "namespace": "default" },
            "spec": {
                "serviceName": name,
                "selector": { "matchLabels": { "name": name } },
                "template": {
                    "metadata": { "labels": { "name": name } },
                    "spec": { "containers": [{ "name": "main", "image": "docker.io/isthmus/pause:testbed" }] },
                },
            },
        })
        .to_string()
    };
    kubectl.call_with(&["apply", "-f", "-"], &set("first")).await?;
    until("a pod", SOON, async || kubectl.call(&["get", "pod", "first-0"]).await).await?;

    plane.halt(Component::ControllerManager).await?;
    kubectl.call_with(&["apply", "-f", "-"], &set("second")).await?;
    let seen = ["get", "statefulset", "second", "-o", "jsonpath={.status.observedGeneration}"];
    assert_eq!(kubectl.call(&seen).await?, "");
    plane.resume(Component::ControllerManager).await?;

    until("the other pod", SOON, async || kubectl.call(&["get", "pod", "second-0"]).await).await?;
    Ok(())
}

#[tokio::test]
async fn a_chart_is_installed_by_helm() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let plane = ControlPlane::start(&cache, Extent::ApiServer).await?;
    let chart = tempfile::tempdir()?;
    std::fs::create_dir(chart.path().join("templates"))?;
    std::fs::write(chart.path().join("Chart.yaml"), "apiVersion: v2\nname: greeting\nversion: 0.1.0\n")?;
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  says: {{ .Values.says }}\n";
    std::fs::write(chart.path().join("templates/greeting.yaml"), template)?;
    let path = chart.path().to_string_lossy().into_owned();

    plane.helm().call(&["install", "hello", &path, "--set", "says=hello"]).await?;

    let found = plane.kubectl().call(&["get", "configmap", "hello", "-o", "jsonpath={.data.says}"]).await?;
    assert_eq!(found, "hello");
    Ok(())
}
