//! The charts that users install with, installed on a real API server: what comes of them, what it may do, what it leaves.

use std::{collections::BTreeSet, time::Duration};

use isthmus_testbed::{
    Cache,
    kubernetes::{ClientError, ControlPlane, Extent},
    wait::until,
};
use serde_json::{Value, json};

/// Controllers answer within seconds, on whatever the machine has left.
const SOON: Duration = Duration::from_mins(1);

const GATEWAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/charts/isthmus-gateway");
const AGENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/charts/isthmus-agent");

/// Whom the agent calls the API server as.
const ACCOUNT: &str = "--as=system:serviceaccount:isthmus:isthmus-agent";

/// What most installations of an agent say.
const JOINS: [&str; 4] =
    ["--set", "gateways={gateway.example.com:7443}", "--set", "joinToken.existingSecret=isthmus-join-token"];

/// A control plane with a namespace that takes no pod below the restricted level, and one for functions.
async fn plane(extent: Extent) -> anyhow::Result<ControlPlane> {
    let plane = ControlPlane::start(&Cache::from_env()?, extent).await?;
    let namespace = |name: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": name, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
        })
    };
    let both = json!({ "apiVersion": "v1", "kind": "List", "items": [namespace("isthmus"), namespace("functions")] });
    plane.kubectl().call_with(&["apply", "-f", "-"], &both.to_string()).await?;
    Ok(plane)
}

async fn helm(plane: &ControlPlane, words: &[&[&str]]) -> Result<String, ClientError> {
    let words: Vec<&str> =
        ["-n", "isthmus"].into_iter().chain(words.iter().copied().flatten().copied()).collect();
    plane.helm().call(&words).await
}

/// Names of all objects that a release could have made.
async fn objects(plane: &ControlPlane) -> anyhow::Result<BTreeSet<String>> {
    const NAMESPACED: &str = "pods,services,statefulsets,controllerrevisions,configmaps,secrets,serviceaccounts,\
        persistentvolumeclaims,roles,rolebindings,poddisruptionbudgets,networkpolicies,leases";
    let kubectl = plane.kubectl();
    let mut all = BTreeSet::new();
    for namespace in ["isthmus", "functions"] {
        let found = kubectl.call(&["get", NAMESPACED, "-n", namespace, "-o", "name"]).await?;
        all.extend(found.lines().map(|name| format!("{namespace} {name}")));
    }
    let found = kubectl.call(&["get", "clusterroles,clusterrolebindings", "-o", "name"]).await?;
    all.extend(found.lines().map(str::to_owned));
    Ok(all)
}

/// What an account may do in a namespace: one line for each resource, with its verbs.
async fn rights(plane: &ControlPlane, account: &str, namespace: &str) -> anyhow::Result<BTreeSet<String>> {
    let list = ["auth", "can-i", "--list", "--no-headers", "-n", namespace, account];
    let table = plane.kubectl().call(&list).await?;
    Ok(table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
}

/// What the agent may do there beyond what everybody may.
async fn rights_of_the_agent(plane: &ControlPlane, namespace: &str) -> anyhow::Result<BTreeSet<String>> {
    let everybody = rights(plane, "--as=system:serviceaccount:isthmus:somebody", namespace).await?;
    Ok(rights(plane, ACCOUNT, namespace).await?.difference(&everybody).cloned().collect())
}

fn lines(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&line| line.to_owned()).collect()
}

#[tokio::test]
async fn what_charts_install_is_at_the_restricted_level_can_be_upgraded_and_goes_with_them()
-> anyhow::Result<()> {
    let plane = plane(Extent::Whole).await?;
    let kubectl = plane.kubectl();
    until("the namespaces to be furnished", SOON, async || {
        let account = ["get", "serviceaccount", "default", "-n"];
        kubectl.call(&[&account[..], &["functions"]].concat()).await?;
        kubectl.call(&[&account[..], &["isthmus"]].concat()).await
    })
    .await?;
    let before = objects(&plane).await?;

    let gateway = ["isthmus-gateway", GATEWAY, "--set", "persistence.retain=false"];
    let agent = ["isthmus-agent", AGENT, "--set", "namespaces.names={functions}"];
    helm(&plane, &[&["install"], &gateway]).await?;
    helm(&plane, &[&["install"], &agent, &JOINS]).await?;
    // A pod that the namespace refused would never be there, and neither would its claim.
    for made in [
        "pod/isthmus-gateway-0",
        "pvc/data-isthmus-gateway-0",
        "pod/isthmus-agent-0",
        "pvc/data-isthmus-agent-0",
    ] {
        until(made, SOON, async || kubectl.call(&["get", made, "-n", "isthmus"]).await).await?;
    }

    let mark = [
        "get",
        "statefulset",
        "isthmus-gateway",
        "-n",
        "isthmus",
        "-o",
        "jsonpath={.spec.template.metadata.annotations}",
    ];
    let first = kubectl.call(&mark).await?;
    helm(&plane, &[&["upgrade"], &gateway, &["--set", "config.shutdown.notice=3s"]]).await?;
    assert_ne!(kubectl.call(&mark).await?, first, "a changed configuration makes a new pod");
    helm(&plane, &[&["upgrade"], &agent, &JOINS]).await?;

    for release in ["isthmus-agent", "isthmus-gateway"] {
        helm(&plane, &[&["uninstall", release]]).await?;
    }
    until("nothing to be left", SOON, async || {
        let now = objects(&plane).await.map_err(|error| error.to_string())?;
        let left: Vec<_> = now.difference(&before).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await?;
    // What people deployed is not the release's to delete.
    let kept = kubectl.call(&["get", "crds", "-o", "name"]).await?;
    assert!(kept.contains("functions.compute.functionmesh.io"), "{kept}");
    plane.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_agent_may_do_in_its_namespaces_what_its_work_needs_and_nothing_else() -> anyhow::Result<()> {
    let plane = plane(Extent::ApiServer).await?;
    helm(&plane, &[&["install", "isthmus-agent", AGENT, "--set", "namespaces.names={functions}"], &JOINS])
        .await?;

    let work = lines(&[
        "functions.compute.functionmesh.io [] [] [get list watch create patch delete]",
        "functions.compute.functionmesh.io/status [] [] [patch]",
        "functions.compute.functionmesh.io/finalizers [] [] [update]",
        "sources.compute.functionmesh.io [] [] [get list watch create patch delete]",
        "sinks.compute.functionmesh.io [] [] [get list watch create patch delete]",
        "functionmeshes.compute.functionmesh.io [] [] [get list watch]",
        "functionmeshes.compute.functionmesh.io/status [] [] [patch]",
        "functionmeshes.compute.functionmesh.io/finalizers [] [] [update]",
        "statefulsets.apps [] [] [get list watch create patch]",
        "services [] [] [get list watch create patch]",
        "horizontalpodautoscalers.autoscaling [] [] [get list watch create patch delete]",
        "verticalpodautoscalers.autoscaling.k8s.io [] [] [get list watch create patch delete]",
        "pods [] [] [list watch]",
        "pods/log [] [] [get]",
        "configmaps [] [] [get list watch create patch delete]",
        "secrets [] [] [get create patch delete]",
    ]);
    until("the rights in the namespace of functions", SOON, async || {
        let found = rights_of_the_agent(&plane, "functions").await.map_err(|error| error.to_string())?;
        if found == work { Ok(()) } else { Err(format!("{found:#?}")) }
    })
    .await?;
    for elsewhere in ["isthmus", "default", "kube-system"] {
        assert_eq!(rights_of_the_agent(&plane, elsewhere).await?, BTreeSet::new());
    }
    for (namespace, what) in [
        ("functions", ["list", "secrets"]),
        ("kube-system", ["list", "secrets"]),
        ("default", ["get", "secrets"]),
    ] {
        let asked =
            plane.kubectl().call(&["auth", "can-i", what[0], what[1], "-n", namespace, ACCOUNT]).await;
        let refused = asked.expect_err("it has no such right").to_string();
        assert!(refused.contains("no"), "{refused}");
    }

    let all = ["--set", "namespaces.all=true"];
    helm(&plane, &[&["upgrade", "isthmus-agent", AGENT], &JOINS, &all]).await?;
    until("the rights in all namespaces", SOON, async || {
        let found = rights_of_the_agent(&plane, "default").await.map_err(|error| error.to_string())?;
        if found == work { Ok(()) } else { Err(format!("{found:#?}")) }
    })
    .await?;

    let proxy = ["--set", "config.target.custom_resources.figures.way=Proxy"];
    helm(&plane, &[&["upgrade", "isthmus-agent", AGENT], &JOINS, &all, &proxy]).await?;
    let with_proxy = &work | &lines(&["pods/proxy [] [] [get]"]);
    until("the right to ask pods through the API server", SOON, async || {
        let found = rights_of_the_agent(&plane, "default").await.map_err(|error| error.to_string())?;
        if found == with_proxy { Ok(()) } else { Err(format!("{found:#?}")) }
    })
    .await?;
    plane.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_api_server_takes_the_charts_with_everything_on_and_helm_refuses_what_they_do_not_know()
-> anyhow::Result<()> {
    let plane = plane(Extent::ApiServer).await?;
    let peer = json!([{ "namespaceSelector": { "matchLabels": { "name": "monitoring" } } }]);
    let common = json!({
        "image": { "registry": "registry.example.com/some", "digest": format!("sha256:{}", "0".repeat(64)) },
        "imagePullSecrets": ["pull"],
        "secretMounts": [{ "name": "certificates", "mountPath": "/etc/isthmus/secrets/certificates" }],
        "persistence": { "storageClass": "fast", "annotations": { "a": "b" } },
        "podDisruptionBudget": { "enabled": true },
        "networkPolicy": { "enabled": true, "metrics": peer, "egress": [{ "ports": [{ "port": 53, "protocol": "UDP" }] }] },
        "podLabels": { "team": "data" },
        "podAnnotations": { "a": "b" },
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "tolerations": [{ "key": "k", "operator": "Exists" }],
        "affinity": { "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [] } },
        "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway" }],
        "serviceAccount": { "name": "another", "annotations": { "a": "b" } },
        "config": { "runtime": { "threads": 2 } },
    });
    let own = [
        (
            GATEWAY,
            json!({
                "names": ["gateway.example.com"],
                "service": { "type": "LoadBalancer", "nodePort": 30443, "loadBalancerClass": "example.com/l4",
                    "loadBalancerSourceRanges": ["10.0.0.0/8"], "annotations": { "a": "b" } },
                "networkPolicy": { "callers": peer },
            }),
        ),
        (
            AGENT,
            json!({
                "gateways": ["gateway.example.com:7443"],
                "joinToken": { "existingSecret": "isthmus-join-token" },
                "namespaces": { "names": ["functions", "isthmus"] },
            }),
        ),
    ];
    for (chart, own) in own {
        let merged = merge(common.clone(), own).to_string();
        let render =
            ["-n", "isthmus", "template", "release", chart, "--kube-version=1.34", "--skip-crds", "-f", "-"];
        let manifest = plane.helm().call_with(&render, &merged).await?;
        let apply = ["apply", "--server-side", "--validate=strict", "-f", "-"];
        plane.kubectl().call_with(&[&apply[..], &["--dry-run=server"]].concat(), &manifest).await?;
        plane.kubectl().call_with(&apply, &manifest).await?;
        plane.helm().call(&["lint", chart]).await?;
    }

    // A secret in the values would be in the release's history for everybody who may read it.
    for (chart, refused, why) in [
        (AGENT, "joinToken.value=secret", "joinToken"),
        (AGENT, "namespaces.names={-}", "namespaces"),
        (GATEWAY, "replicas=2", "replicas"),
        (GATEWAY, "service.type=ExternalName", "service.type"),
    ] {
        let said = helm(&plane, &[&["template", chart, "--kube-version=1.34", "--set", refused]]).await;
        let said = said.expect_err(refused).to_string();
        assert!(said.contains("don't meet the specifications") && said.contains(why), "{said}");
    }
    plane.stop().await?;
    Ok(())
}

/// What both say; where both say something, it is a map or the second's.
fn merge(mut first: Value, second: Value) -> Value {
    match (&mut first, second) {
        (Value::Object(all), Value::Object(more)) => {
            for (key, value) in more {
                let known = all.remove(&key).unwrap_or(Value::Null);
                all.insert(key, merge(known, value));
            }
            first
        }
        (_, second) => second,
    }
}
