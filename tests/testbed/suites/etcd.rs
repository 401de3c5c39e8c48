//! A real etcd keeps what it acknowledged.

use isthmus_testbed::{Cache, Etcd, etcd::Durability};
use serde_json::{Value, json};

async fn call(etcd: &Etcd, method: &str, body: Value) -> anyhow::Result<Value> {
    let url = format!("{}/v3/kv/{method}", etcd.url());
    let client = reqwest::Client::builder().no_proxy().build()?;
    Ok(client.post(url).json(&body).send().await?.error_for_status()?.json().await?)
}

#[tokio::test]
async fn what_was_put_survives_a_killed_server() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let mut etcd = Etcd::start(&cache, Durability::Synced).await?;
    // "key" and "value", in the base64 of etcd's JSON gateway.
    call(&etcd, "put", json!({ "key": "a2V5", "value": "dmFsdWU=" })).await?;

    etcd.crash().await?;
    etcd.resume().await?;

    let found = call(&etcd, "range", json!({ "key": "a2V5" })).await?;
    assert_eq!(found.pointer("/kvs/0/value"), Some(&json!("dmFsdWU=")), "{found}");
    etcd.stop().await?;
    Ok(())
}
