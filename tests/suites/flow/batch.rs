//! Many changes over one stream.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1::batch_item::Action;
use isthmus_proto::component::v1::batch_result::Outcome;
use isthmus_proto::component::v1::{BatchItem, BatchRequest, BatchResponse, Change};
use isthmus_proto::failure::unembedded;
use isthmus_tests::fixture::{delete, function, name, sink};
use isthmus_tests::refusal::of_status;
use isthmus_tests::{Federation, SOON};
use tonic::{Code, Streaming};

/// Reads results until there are `count` of them.
async fn results(stream: &mut Streaming<BatchResponse>, count: usize) -> Result<BTreeMap<u64, Outcome>> {
    let mut results = BTreeMap::new();
    let reading = async {
        while results.len() < count {
            let response = stream.message().await?.context("the stream ended")?;
            for result in response.results {
                let outcome = result.outcome.context("a result says what came of it")?;
                assert!(results.insert(result.sequence, outcome).is_none(), "answered twice");
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let reached = tokio::time::timeout(SOON, reading).await;
    reached.with_context(|| format!("{count} results were to come"))??;
    Ok(results)
}

#[tokio::test]
async fn every_item_of_a_batch_has_its_own_result() -> Result<()> {
    /// More than one commit's worth.
    const ITEMS: u64 = 300;

    let federation = Federation::builder().agents(["east", "west"]).start().await?;
    federation.client().sinks().create(sink("taken").create()).await?;
    let item = |sequence: u64| {
        let component = match sequence % 100 {
            7 => function("taken").build(),
            8 => function("Not a name").build(),
            _ => function(&format!("f{sequence}")).build(),
        };
        BatchItem { sequence, action: Some(Action::Create(component)), ..BatchItem::default() }
    };
    let (send, receive) = tokio::sync::mpsc::channel(8);
    let mut stream = federation
        .client()
        .batch()
        .batch(tokio_stream::wrappers::ReceiverStream::new(receive))
        .await?
        .into_inner();
    let all: Vec<_> = (0..ITEMS).map(item).collect();
    let sending = async {
        for items in all.chunks(64) {
            send.send(BatchRequest { items: items.to_vec() }).await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let (sent, results) = tokio::join!(sending, results(&mut stream, 300));
    sent?;
    let results = results?;

    for (sequence, outcome) in &results {
        match (sequence % 100, outcome) {
            (7, Outcome::Rejected(status)) => {
                assert_eq!(of_status(&unembedded(status)), (Code::AlreadyExists, Reason::NameTaken));
            }
            (8, Outcome::Rejected(status)) => assert_eq!(unembedded(status).code(), Code::InvalidArgument),
            (7 | 8, Outcome::Accepted(_)) => unreachable!("{sequence} was to be refused"),
            (_, Outcome::Accepted(accepted)) => {
                assert_eq!(
                    (accepted.change(), accepted.revision, accepted.clusters),
                    (Change::Created, 1, 1)
                );
                assert_eq!(accepted.uid.len(), 16);
            }
            (_, Outcome::Rejected(status)) => unreachable!("{sequence} was refused: {status:?}"),
        }
    }

    // The stream is still there for more, in any mixture.
    let items = vec![
        BatchItem { sequence: 1000, action: Some(Action::Delete(delete("f1"))), ..BatchItem::default() },
        BatchItem {
            sequence: 1001,
            action: Some(Action::Apply(function("f2").label("x", "y").build())),
            ..BatchItem::default()
        },
    ];
    send.send(BatchRequest { items }).await?;
    let more = self::results(&mut stream, 2).await?;
    let changes: Vec<_> = more
        .values()
        .map(|outcome| match outcome {
            Outcome::Accepted(accepted) => Some(accepted.change()),
            Outcome::Rejected(_) => None,
        })
        .collect();
    assert_eq!(changes, [Some(Change::Deleted), Some(Change::Updated)]);
    drop(send);
    assert!(stream.message().await?.is_none(), "the stream ends when the client has said all");
    federation.until_gone(name("f1")).await?;
    federation.end().await
}
