//! An API server that answers badly, or not at all, for a while.

use anyhow::Result;
use isthmus_testbed::kubernetes::User;
use isthmus_tests::{PATIENCE, until};

use super::changes::{change, until_exact};
use super::proxy::{Proxy, Weather};
use super::world::{CLUSTER, NAMESPACE, World, plane};

const SEED: u64 = 23;
const CHANGES: u64 = 200;
/// Calls that are spoilt before the weather changes.
const CALLS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_api_server_answers_429_409_500_or_nothing_for_a_while() -> Result<()> {
    let plane = plane().await?;
    let account = plane.kubeconfig_of(&User::named("system:serviceaccount:isthmus:isthmus-agent"))?;
    let proxy = Proxy::start(account.path()).await?;
    let world = World::over(plane, proxy.kubeconfig()).await?;
    let changing = tokio::spawn(change(world.federation.client().clone(), SEED, CHANGES));
    for weather in [Weather::Answers(429), Weather::Answers(409), Weather::Answers(500), Weather::Silent] {
        let before = proxy.spoilt();
        proxy.set(weather);
        until(format!("{weather:?} to spoil calls"), PATIENCE, async || match proxy.spoilt() - before {
            CALLS.. => Ok(()),
            calls => Err(format!("{calls} were spoilt")),
        })
        .await?;
        proxy.set(Weather::Fair);
    }
    let made = changing.await??;
    world.federation.until_in_step(CLUSTER).await?;
    let left = until_exact(&world).await?;
    println!("{} calls were spoilt during {made:?}, {} left", proxy.spoilt(), left.len());

    // Neither was any of the workloads.
    let wanted: Vec<String> =
        left.iter().filter_map(|it| Some(format!("{}-function", it.metadata.as_ref()?.name))).collect();
    until("the workloads to be those of the components", PATIENCE, async || {
        let list = ["get", "statefulsets", "-n", NAMESPACE, "-o", "jsonpath={.items[*].metadata.name}"];
        let text = world.kubectl.call(&list).await.map_err(|error| error.to_string())?;
        let mut found: Vec<&str> = text.split_whitespace().collect();
        let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        if found == wanted { Ok(()) } else { Err(format!("wanted {wanted:?}, found {found:?}")) }
    })
    .await?;
    world.end().await
}
