//! Certificates: they say which cluster somebody is, until they are revoked.

use anyhow::{Context, Result};
use isthmus_model::reason::Reason;
use isthmus_proto::cluster::v1::RevokeClusterRequest;
use isthmus_proto::component::v1::ListRequest;
use isthmus_proto::sync::v1::gateway_frame::Frame;
use isthmus_proto::sync::v1::{
    AgentFrame, CertificateRequest, FetchPackageRequest, GatewayFrame, Hello, RenewRequest, agent_frame,
};
use isthmus_tests::Federation;
use isthmus_tests::client::{Client, identity};
use isthmus_tests::refusal::{of_status, refused};
use tonic::{Code, Status, Streaming};

/// Opens a session and says hello, as an agent that has nothing yet, and then what else there is to say.
async fn session(
    client: &Client,
    then: Option<agent_frame::Frame>,
) -> Result<Streaming<GatewayFrame>, Status> {
    let hello = Hello { boot_id: vec![1; 16].into(), ..Hello::default() };
    let said = [Some(agent_frame::Frame::Hello(hello)), then].into_iter().flatten();
    let frames: Vec<_> = said.map(|frame| AgentFrame { frame: Some(frame) }).collect();
    // The sending side stays open for as long as the answer is read.
    let frames = futures::StreamExt::chain(futures::stream::iter(frames), futures::stream::pending());
    Ok(client.sync().session(frames).await?.into_inner())
}

async fn first_frame(client: &Client) -> Result<Frame, Status> {
    let mut stream = session(client, None).await?;
    let frame = stream.message().await?.and_then(|frame| frame.frame);
    frame.ok_or_else(|| Status::internal("no frame came"))
}

#[tokio::test]
async fn an_agents_certificate_opens_the_session_of_its_own_cluster_and_nothing_else() -> Result<()> {
    let mut federation = Federation::builder().agents(["east", "west"]).start().await?;
    let stolen = federation.connection().agent(federation.agent("west")?.data())?;
    federation.stop_agent("west").await?;

    let Frame::Welcome(welcome) = first_frame(&stolen).await? else { anyhow::bail!("a welcome comes first") };
    assert_eq!(welcome.cluster, "west");

    let forbidden = (Code::PermissionDenied, Reason::Forbidden);
    assert_eq!(refused(stolen.functions().list(ListRequest::default()).await), forbidden);
    assert_eq!(refused(stolen.clusters().revoke_cluster(RevokeClusterRequest::default()).await), forbidden);
    let foreign = FetchPackageRequest { digest: vec![7; 32].into() };
    let refusal = match stolen.sync().fetch_package(foreign).await {
        Err(status) => status,
        Ok(stream) => stream.into_inner().message().await.expect_err("it was given no such package"),
    };
    assert!(matches!(refusal.code(), Code::NotFound | Code::PermissionDenied), "{refusal:?}");
    federation.end().await
}

#[tokio::test]
async fn a_session_needs_an_agents_certificate_of_this_federation() -> Result<()> {
    let here = Federation::builder().start().await?;
    let there = Federation::builder().agents(["east"]).start().await?;

    let refusal = first_frame(&here.connection().anonymous()?).await.expect_err("nobody");
    assert_eq!(of_status(&refusal), (Code::Unauthenticated, Reason::Unauthenticated));
    let refusal = first_frame(here.client()).await.expect_err("an administrator is no agent");
    assert_eq!(of_status(&refusal), (Code::PermissionDenied, Reason::Forbidden));
    let foreign = here.connection().agent(there.agent("east")?.data())?;
    let refusal = first_frame(&foreign).await.expect_err("another federation's root signed this");
    // The handshake fails, and what a client makes of a connection that ends depends on what it was about to write.
    assert!(matches!(refusal.code(), Code::Unavailable | Code::Unknown | Code::Cancelled), "{refusal:?}");
    there.end().await?;
    here.end().await
}

#[tokio::test]
async fn a_revoked_cluster_is_cut_off_at_once_and_comes_back_with_a_new_token_only() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).start().await?;
    let stolen = federation.connection().agent(federation.agent("east")?.data())?;
    let credential = identity(federation.agent("east")?.data())?.renewal_credential;

    let request = RevokeClusterRequest { cluster: "east".into() };
    federation.client().clusters().revoke_cluster(request).await?;
    federation.until_connected(0).await?;

    let refusal = first_frame(&stolen).await.expect_err("the certificate was revoked");
    assert_eq!(of_status(&refusal).1, Reason::CertificateRevoked);
    let renewal = RenewRequest { credential, csr: super::joining("").csr };
    let refusal = federation.connection().anonymous()?.joining().renew(renewal).await;
    assert!(matches!(refused(refusal).1, Reason::TokenInvalid | Reason::CertificateRevoked));

    federation.stop_agent("east").await?;
    let token = federation.token("east").await?;
    let token_file = federation.agent("east")?.data().with_file_name("join-token");
    std::fs::write(&token_file, token).context("hand it the new token")?;
    federation.resume_agent("east").await?;
    federation.until_connected(1).await?;
    federation.end().await
}

#[tokio::test]
async fn a_revocation_ends_the_certificates_before_a_rotation_too() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).start().await?;
    let before = federation.connection().agent(federation.agent("east")?.data())?;
    federation.stop_agent("east").await?;
    let request = CertificateRequest { csr: super::joining("").csr };
    let mut stream = session(&before, Some(agent_frame::Frame::CertificateRequest(request))).await?;
    let rotated = loop {
        let frame = stream.message().await?.and_then(|frame| frame.frame);
        if let Frame::Certificate(certificate) = frame.context("the session goes on")? {
            break certificate;
        }
    };
    assert!(rotated.refused.is_empty() && !rotated.chain.is_empty(), "{rotated:?}");
    first_frame(&before).await.context("a renewal may get lost: the certificate before it is still good")?;

    let request = RevokeClusterRequest { cluster: "east".into() };
    federation.client().clusters().revoke_cluster(request).await?;
    let refusal = first_frame(&before).await.expect_err("all of its certificates were revoked");
    assert_eq!(of_status(&refusal).1, Reason::CertificateRevoked);
    federation.end().await
}
