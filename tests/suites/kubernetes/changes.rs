//! A seeded stream of changes, and what must be true when it has been followed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use isthmus_proto::component::v1::Component;
use isthmus_tests::Client;
use isthmus_tests::fixture::{delete, function, package};
use isthmus_tests::{PATIENCE, until};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::world::{CLUSTER, World, annotation};

/// Components that come and go.
const NAMES: usize = 40;

/// How many changes of each sort were accepted.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Made {
    pub(super) applied: u64,
    pub(super) deleted: u64,
}

/// Creates, updates and deletes until so many changes were accepted.
pub(super) async fn change(client: Client, seed: u64, changes: u64) -> Result<Made> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut functions = client.functions();
    let mut made = Made::default();
    while made.applied + made.deleted < changes {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..120))).await;
        let name = format!("f-{}", random.random_range(0..NAMES));
        if random.random_bool(0.25) {
            made.deleted += u64::from(functions.delete(delete(&name)).await.is_ok());
            continue;
        }
        let file = format!("/pulsar/version-{}", made.applied);
        // One that is being deleted, or is not there, cannot be changed; the next change has another name.
        made.applied +=
            u64::from(functions.apply(function(&name).go(package(&file, "")).apply()).await.is_ok());
    }
    Ok(made)
}

/// Waits until the cluster has exactly what the gateway wants there: every component once, at its generation, with its
/// package, and nothing else.
pub(super) async fn until_exact(world: &World) -> Result<Vec<Component>> {
    let all = world.federation.settled().await?;
    let wanted: BTreeMap<String, (String, String)> = all.iter().map(expected).collect::<Result<_>>()?;
    ensure!(!wanted.is_empty(), "nothing is left to compare");
    until("the cluster to have what the gateway wants", PATIENCE, async || {
        let found = world.functions().await.map_err(|error| format!("{error:#}"))?;
        let found: BTreeMap<String, (String, String)> = found
            .into_iter()
            .map(|(name, resource)| {
                let said =
                    format!("{} {}", annotation(&resource, "uid"), annotation(&resource, "generation"));
                (name, (said, resource["spec"]["golang"]["go"].as_str().unwrap_or_default().to_owned()))
            })
            .collect();
        if found == wanted { Ok(()) } else { Err(format!("wanted {wanted:#?}, found {found:#?}")) }
    })
    .await?;
    Ok(all)
}

fn expected(component: &Component) -> Result<(String, (String, String))> {
    use isthmus_proto::component::v1::spec::Runtime;
    let metadata = component.metadata.as_ref().context("metadata")?;
    let status = component.status.as_ref().context("a status")?;
    let share = status.clusters.iter().find(|share| share.cluster == CLUSTER).context("a share")?;
    let Some(Runtime::Go(go)) = component.spec.as_ref().and_then(|spec| spec.runtime.as_ref()) else {
        anyhow::bail!("no Go in {component:?}");
    };
    let file = go.package.as_ref().map(|package| package.file.clone()).unwrap_or_default();
    Ok((metadata.name.clone(), (format!("{} {}", metadata.uid, share.generation), file)))
}
