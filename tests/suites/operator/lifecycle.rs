//! From a manifest to objects, through changes, to nothing.

use anyhow::Result;
use isthmus_testbed::kubernetes::Extent;
use serde_json::{Value, json};

use super::world::{NAMESPACE, World, manifest, reason};

#[tokio::test]
async fn a_manifest_for_function_mesh_becomes_a_workload_follows_its_changes_and_goes_with_it() -> Result<()>
{
    let mut world = World::start(Extent::Whole).await?;
    world.reconcile().await?;
    let mut tally = manifest("001-java-minimal.in.yaml", "tally")?;
    tally["spec"]["pod"] = json!({"nodeSelector": {"disk": "fast"}});
    world.apply(&tally).await?;

    let set = world.until("statefulset", "tally-function", "to be there", |_| true).await?;
    assert_eq!(set["spec"]["template"]["spec"]["nodeSelector"], json!({"disk": "fast"}));
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let function = world.get("function", "tally").await.map_err(anyhow::Error::msg)?;
    let uid = function["metadata"]["uid"].as_str().unwrap();
    let script = container["command"][2].as_str().unwrap();
    assert!(script.contains(&format!("--function_id ${{SHARD_ID}}-{uid} ")), "{script}");
    assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], uid);
    let service = world.get("service", "tally-function-headless").await.map_err(anyhow::Error::msg)?;
    assert_eq!(service["spec"]["clusterIP"], "None");
    // No node runs here, so that pods wait; and the status says it.
    let function =
        world.until("function", "tally", "to wait for pods", |it| reason(it) == "Starting").await?;
    assert_eq!(function["status"]["replicas"], 1);
    assert_eq!(function["status"]["observedGeneration"], function["metadata"]["generation"]);

    world.kubectl.call(&["scale", "function", "tally", "--replicas=3", "-n", NAMESPACE]).await?;
    world.until("statefulset", "tally-function", "three instances", |it| it["spec"]["replicas"] == 3).await?;
    world.until("function", "tally", "to say so", |it| it["status"]["replicas"] == 3).await?;
    world.kubectl.call(&["scale", "function", "tally", "--replicas=0", "-n", NAMESPACE]).await?;
    world.until("statefulset", "tally-function", "no instance", |it| it["spec"]["replicas"] == 0).await?;
    let ready = world.until("function", "tally", "to be ready with none", |it| {
        it["status"]["conditions"]["Ready"]["status"] == "True"
    });
    ready.await?;

    tally["spec"]["replicas"] = json!(1);
    tally["spec"]["maxReplicas"] = json!(4);
    tally["spec"]["funcConfig"] = json!({"mode": "it's fast"});
    // Names that stand twice, which the API server takes in a Function but applies to no pod.
    tally["spec"]["pod"] = json!({
        "env": [{"name": "MODE", "value": "slow"}, {"name": "MODE", "value": "fast"}],
        "imagePullSecrets": [{"name": "registry"}, {"name": "registry"}],
    });
    world.apply(&tally).await?;
    let scaler = world.until("hpa", "tally-function", "to be there", |_| true).await?;
    assert_eq!(scaler["spec"]["scaleTargetRef"]["kind"], "Function");
    let changed = world.until("statefulset", "tally-function", "the configuration", |it| {
        it["spec"]["template"]["spec"]["containers"][0]["command"][2].as_str().unwrap().contains("fast")
    });
    let pod = &changed.await?["spec"]["template"]["spec"];
    let modes = pod["containers"][0]["env"].as_array().unwrap().iter().filter(|it| it["name"] == "MODE");
    assert_eq!(modes.map(|it| &it["value"]).collect::<Vec<_>>(), ["fast"]);
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    // What was created and is no longer wanted goes, as what was applied does.
    assert_eq!(pod["nodeSelector"], Value::Null);
    tally["spec"].as_object_mut().unwrap().remove("maxReplicas");
    world.apply(&tally).await?;
    world.until_gone("hpa", "tally-function").await?;

    tally["spec"]["java"] = json!({"jar": ""});
    world.apply(&tally).await?;
    let refused =
        world.until("function", "tally", "to be refused", |it| reason(it) == "MissingField").await?;
    let message = refused["status"]["conditions"]["Ready"]["message"].as_str().unwrap();
    assert!(message.contains("spec.java.jar"), "{message}");
    let kept = world.get("statefulset", "tally-function").await.map_err(anyhow::Error::msg)?;
    assert!(
        kept["spec"]["template"]["spec"]["containers"][0]["command"][2]
            .as_str()
            .unwrap()
            .contains("shop.jar")
    );

    world.kubectl.call(&["delete", "function", "tally", "-n", NAMESPACE]).await?;
    world.until_gone("statefulset", "tally-function").await?;
    world.until_gone("service", "tally-function-headless").await?;
    world.rest().await
}

#[tokio::test]
async fn every_manifest_of_function_mesh_is_taken_by_the_api_server() -> Result<()> {
    let world = World::start(Extent::ApiServer).await?;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/function-mesh");
    let mut taken = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("bad-") || !name.ends_with(".in.yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        // Read by YAML 1.2, as the recorded ones were: kubectl takes a label's value `y` for a boolean.
        let options = serde_saphyr::options! { strict_booleans: true };
        let items: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, options)?;
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": items });
        // Server-side validation, which refuses what the schema does; unknown fields are pruned.
        let dry = ["apply", "--server-side", "--dry-run=server", "--validate=ignore", "-f", "-"];
        let applied = world.kubectl.call_with(&dry, &list.to_string()).await;
        applied.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        taken += 1;
    }
    assert!(taken > 80, "{taken}");
    Ok(())
}
