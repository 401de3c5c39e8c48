//! The log is the history that a watch replays.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1::watch_response::Event;
use isthmus_proto::component::v1::{WatchRequest, WatchResponse};
use isthmus_tests::fixture::{delete, function, name};
use isthmus_tests::refusal::of_status;
use isthmus_tests::{Client, Federation, SOON};
use tonic::{Code, Streaming};

use super::name_of;

/// What a watch tells about specs: the commit, what happened, to what.
type Told = (u64, &'static str, String);

/// Reads until `is_last`, leaving out bookmarks and statuses.
async fn read(stream: &mut Streaming<WatchResponse>, is_last: impl Fn(&Told) -> bool) -> Result<Vec<Told>> {
    let mut all = Vec::new();
    let reading = async {
        while let Some(WatchResponse { event, log_index }) = stream.message().await? {
            let told = match event.context("an event says what happened")? {
                Event::Added(component) => ("added", name_of(&component).to_owned()),
                Event::Modified(component) => ("modified", name_of(&component).to_owned()),
                Event::Deleted(component) => ("deleted", name_of(&component).to_owned()),
                Event::Status(_) | Event::Bookmark(_) => continue,
            };
            all.push((log_index, told.0, told.1));
            if all.last().is_some_and(&is_last) {
                break;
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let reached = tokio::time::timeout(SOON, reading).await;
    reached.with_context(|| format!("the last event did not come; these did: {all:?}"))??;
    Ok(all)
}

async fn watch(client: &Client, from_log_index: u64) -> Result<Streaming<WatchResponse>> {
    let request = WatchRequest { from_log_index, ..WatchRequest::default() };
    Ok(client.functions().watch(request).await?.into_inner())
}

#[tokio::test]
async fn a_watch_from_any_index_tells_every_later_change_in_order_and_once() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).start().await?;
    let client = federation.client().clone();
    let mut functions = client.functions();
    let start = functions.create(function("first").create()).await?.into_inner().log_index;
    let mut live = watch(&client, start).await?;

    let mut changes = vec![(start, "added", "first".to_owned())];
    for number in 0..20 {
        let name = format!("f{number}");
        let created = functions.create(function(&name).create()).await?.into_inner();
        changes.push((created.log_index, "added", name.clone()));
        let updated = functions.update(function(&name).label("n", "1").update()).await?.into_inner();
        changes.push((updated.log_index, "modified", name));
    }
    functions.delete(delete("first")).await?;
    federation.until_gone(name("first")).await?;
    let is_last = |told: &Told| told.1 == "deleted";

    let told = read(&mut live, is_last).await?;
    let of_changes = |told: &[Told]| -> Vec<Told> {
        told.iter().filter(|(_, _, name)| name != "first").cloned().collect()
    };
    assert_eq!(of_changes(&told), changes[1..], "the watch that was there all the time");
    assert_eq!(told.last().map(|told| (told.1, told.2.as_str())), Some(("deleted", "first")));

    // From every index, after a crash of the gateway too: the log is what is replayed.
    federation.kill_gateway().await?;
    federation.resume_gateway().await?;
    for from in [start - 1, changes[7].0, changes[30].0] {
        let told = read(&mut watch(&client, from).await?, is_last).await?;
        let expected: Vec<Told> = changes[1..].iter().filter(|(index, ..)| *index > from).cloned().collect();
        assert_eq!(of_changes(&told), expected, "from {from}");
        assert!(told.is_sorted_by_key(|(index, ..)| *index));
    }
    federation.end().await
}

#[tokio::test]
async fn a_watch_from_the_begin_lists_first_and_then_follows() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let client = federation.client();
    for name in ["a", "b"] {
        client.functions().create(function(name).create()).await?;
    }
    let mut stream = watch(client, 0).await?;
    let listed = read(&mut stream, |told| told.2 == "b").await?;
    let names: BTreeSet<_> = listed.iter().map(|(_, what, name)| (*what, name.as_str())).collect();
    assert_eq!(names, BTreeSet::from([("added", "a"), ("added", "b")]));

    client.functions().create(function("c").create()).await?;
    let followed = read(&mut stream, |told| told.2 == "c").await?;
    assert_eq!(followed.len(), 1);
    federation.end().await
}

#[tokio::test]
async fn a_watch_from_a_commit_that_never_was_is_refused() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let request = WatchRequest { from_log_index: 1 << 40, ..WatchRequest::default() };
    let refusal = match federation.client().functions().watch(request).await {
        Err(status) => status,
        Ok(stream) => stream.into_inner().message().await.expect_err("such a commit is not there yet"),
    };
    // A gateway that was restored from a backup has forgotten commits: its clients must list again, as after a compaction.
    assert_eq!(of_status(&refusal), (Code::OutOfRange, Reason::Compacted));
    federation.end().await
}
