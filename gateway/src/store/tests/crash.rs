//! Power goes at any point: what was acknowledged is there, whole, and nothing is there by half.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::fixture::*;
use super::writer::{Running, submission};
use crate::store::simulated::{Disk, Fault};

/// What a client wrote down: functions by name with the specs that were acknowledged and those that were only asked for.
#[derive(Debug, Default)]
struct Journal {
    acknowledged: BTreeMap<String, String>,
    asked: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    lost: Vec<String>,
    half_written: Vec<String>,
}

/// One life of a gateway: it is asked for things until its disk fails, and the journal says what it answered.
async fn live(disk: &Disk, journal: &mut Journal, chance: &mut StdRng, round: u64, fault: Option<Fault>) {
    let running = Running::start(disk.engine());
    if round == 0 {
        running.clusters(&["a", "b"], 1_000_000).await;
    }
    if let Some(fault) = fault {
        disk.fail_after(chance.random_range(0..6), fault);
    }
    for wave in 0..8 {
        let writes: Vec<(String, String)> = (0..chance.random_range(1..30))
            .map(|n| (format!("f{}", chance.random_range(0..60)), format!("{round}-{wave}-{n}")))
            .collect();
        for (name, spec) in &writes {
            journal.asked.entry(name.clone()).or_default().push(spec.clone());
        }
        let asked = writes.iter().map(|(name, spec)| {
            let one = uid(u128::from(chance.random::<u64>()) << 64 | u128::from(chance.random::<u64>()));
            let write = function(name).spec(spec).with(|write| write.uid = one).apply();
            running.handle.submit(submission(write))
        });
        let answers = futures::future::join_all(asked.collect::<Vec<_>>()).await;
        for ((name, spec), answer) in writes.into_iter().zip(answers) {
            if answer.is_ok() {
                // The last of a wave to be decided is the last that was asked, since the queue keeps the order.
                journal.acknowledged.insert(name, spec);
            }
        }
    }
    if fault.is_none() {
        running.stop().await;
    } else {
        let _ = running.ended.await.unwrap();
    }
}

/// What a gateway that starts on this disk knows, held against the journal.
async fn verify(disk: &Disk, journal: &Journal) -> Found {
    let running = Running::start(disk.engine());
    let mut found = Found::default();
    running
        .handle
        .read(|state| {
            for (name, acknowledged) in &journal.acknowledged {
                let view = state.component(&format!("t/n/{name}").parse().unwrap());
                let spec = view.map(|view| String::from_utf8(view.current().spec.to_vec()).unwrap());
                let later = |spec: &String| {
                    let asked = &journal.asked[name];
                    let at = |wanted: &String| asked.iter().position(|asked| asked == wanted);
                    at(spec).is_some_and(|at_spec| at_spec >= at(acknowledged).unwrap())
                };
                if !spec.as_ref().is_some_and(later) {
                    found.lost.push(format!("{name}: acknowledged {acknowledged}, found {spec:?}"));
                }
            }
            for view in state.components(None, None, None) {
                let current = view.current().revision;
                let whole = view.assignments().count() == 1
                    && view.assignments().all(|one| one.revision() == current && !one.removed());
                if !whole {
                    found.half_written.push(view.name().to_string());
                }
            }
        })
        .await
        .unwrap();
    running.stop().await;
    found
}

async fn story(seed: u64, lies: bool) -> Found {
    let disk = Disk::new(seed);
    let mut chance = StdRng::seed_from_u64(seed);
    let mut journal = Journal::default();
    if lies {
        disk.lie_about_syncs();
    }
    for round in 0..4 {
        let fault = match chance.random_range(0..3) {
            _ if round == 0 => None,
            0 => Some(Fault::AfterSync),
            1 => Some(Fault::BeforeSync),
            _ => None,
        };
        live(&disk, &mut journal, &mut chance, round, fault).await;
        disk.crash();
        let found = verify(&disk, &journal).await;
        if found != Found::default() {
            return found;
        }
    }
    Found::default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_commit_is_lost_and_none_is_there_by_half() {
    for seed in 0..60 {
        assert_eq!(story(seed, false).await, Found::default(), "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_check_fails_when_the_sync_is_taken_out() {
    let mut noticed = 0;
    for seed in 0..10 {
        // The clusters themselves may be lost, and then nothing is as it was.
        noticed += u32::from(story(seed, true).await != Found::default());
    }
    assert!(noticed >= 8, "only {noticed} of 10 were noticed");
}
