//! Join tokens: good once, for a while, here, and only as they were made.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use isthmus_model::join_token::JoinToken;
use isthmus_model::reason::Reason;
use isthmus_proto::cluster::v1::CreateJoinTokenRequest;
use isthmus_proto::sync::v1::JoinRequest;
use isthmus_tests::refusal::refused;
use isthmus_tests::{Federation, until};

use super::joining;

#[tokio::test]
async fn a_token_is_good_once() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let mut anonymous = federation.connection().anonymous()?.joining();
    let token = federation.token("east").await?;

    // A request that is no request uses nothing up.
    let broken = JoinRequest { token: token.clone(), csr: b"not a request".to_vec().into() };
    assert_eq!(refused(anonymous.join(broken).await).1, Reason::InvalidField);
    let joined = anonymous.join(joining(&token)).await?.into_inner();
    assert_eq!(joined.cluster, "east");
    assert_eq!(refused(anonymous.join(joining(&token)).await).1, Reason::TokenUsed);
    federation.end().await
}

#[tokio::test]
async fn a_token_raced_for_by_many_lets_one_in() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let token = federation.token("east").await?;
    let connection = federation.connection();
    let attempts = (0..16).map(async |_| {
        let mut joining = connection.anonymous()?.joining();
        Ok::<_, anyhow::Error>(joining.join(super::joining(&token)).await.is_ok())
    });
    let outcomes = futures::future::try_join_all(attempts).await?;
    assert_eq!(outcomes.into_iter().filter(|joined| *joined).count(), 1);
    federation.end().await
}

#[tokio::test]
async fn an_altered_token_is_refused_or_means_what_it_meant() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let mut anonymous = federation.connection().anonymous()?.joining();
    let text = federation.token("east").await?;
    let token: JoinToken = text.parse()?;

    let of_guess = |secret: [u8; 32]| {
        let JoinToken { cluster, expires, ca_fingerprint, gateways, .. } = token.clone();
        JoinToken::new(cluster, expires, ca_fingerprint, gateways, secret).to_string()
    };
    for guess in [[0; 32], [7; 32]] {
        assert_eq!(refused(anonymous.join(joining(&of_guess(guess))).await).1, Reason::TokenInvalid);
    }
    for text in ["", "isthmus-join-1.", &text[..text.len() - 9], &"x".repeat(10_000)] {
        assert_eq!(refused(anonymous.join(joining(text)).await).1, Reason::TokenInvalid, "{text:?}");
    }
    let mut renamed = token.clone();
    renamed.cluster = "west".parse()?;
    let joined = anonymous.join(joining(&renamed.to_string())).await?.into_inner();
    assert_eq!(joined.cluster, "east", "the gateway says which cluster a token is for, not its bearer");
    federation.end().await
}

#[tokio::test]
async fn a_token_of_another_federation_is_refused_by_both_sides() -> Result<()> {
    let (here, there) = tokio::try_join!(Federation::builder().start(), Federation::builder().start())?;
    let token = there.token("east").await?;
    let refusal = here.connection().anonymous()?.joining().join(joining(&token)).await;
    assert_eq!(refused(refusal).1, Reason::TokenInvalid);

    // The agent itself does not even ask: the gateway that it was pointed at is not the one that made its token.
    let mut agent = here.prepare("east", false, &token).await?;
    let started = agent.resume(here.run()).await;
    anyhow::ensure!(started.is_err(), "it was not to become ready");
    let log = std::fs::read_to_string(agent.log())?;
    anyhow::ensure!(log.contains("does not belong to the federation that the join token is for"), "{log}");
    there
        .connection()
        .anonymous()?
        .joining()
        .join(joining(&token))
        .await
        .context("and is still good there")?;
    here.end().await?;
    there.end().await
}

/// Takes a minute: the shortest life of a token.
#[tokio::test]
async fn a_token_ends() -> Result<()> {
    const LIFE: Duration = Duration::from_mins(1);

    let federation = Federation::builder().start().await?;
    let mut clusters = federation.client().clusters();
    let request = CreateJoinTokenRequest {
        cluster: "east".into(),
        ttl: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..CreateJoinTokenRequest::default()
    };
    let made = clusters.create_join_token(request).await?.into_inner();
    let expires: SystemTime = made.expire_time.context("a token ends")?.try_into()?;
    until("the token's end", LIFE * 2, async || match expires.duration_since(SystemTime::now()) {
        Ok(left) => Err(format!("{left:?} are left")),
        Err(_) => Ok(()),
    })
    .await?;
    let refusal = federation.connection().anonymous()?.joining().join(joining(&made.token)).await;
    assert_eq!(refused(refusal).1, Reason::TokenExpired);
    federation.end().await
}
