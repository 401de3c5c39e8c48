//! Tokens and certificates that let nobody in.

use anyhow::{Context as _, Result};
use isthmus_agent::link::identity::{Credentials, FreshKey};
use isthmus_model::join_token::JoinToken;
use isthmus_model::name::Digest;
use isthmus_model::reason::Reason::{
    CertificateRevoked, Forbidden, InvalidField, TokenInvalid, TokenUsed, Unauthenticated,
};
use isthmus_proto::cluster::v1::{ForgetClusterRequest, RevokeClusterRequest};
use isthmus_proto::component::v1::ListRequest;
use isthmus_proto::failure::Failure;
use isthmus_proto::sync::v1::{
    AgentFrame, FetchPackageRequest, Hello, JoinRequest, RenewRequest, agent_frame,
};
use isthmus_tests::{Client, Federation};
use tonic::{Code, Status};

use super::case::{Case, case, fields, run};
use super::setting::Setting;

/// An agent's credentials, without the agent.
struct Joined {
    client: Client,
    credentials: Credentials,
}

async fn join(federation: &Federation, cluster: &str) -> Result<Joined> {
    let token = federation.token(cluster).await?;
    let key = FreshKey::generate()?;
    let request = JoinRequest { token, csr: key.request.clone().into() };
    let answer = federation.connection().anonymous()?.joining().join(request).await?.into_inner();
    let chain = answer.chain.into_iter().map(Into::into).collect();
    let credentials =
        key.certified(cluster.parse()?, chain, Vec::new(), answer.renewal_credential, Digest([0; 32]));
    Ok(Joined { client: federation.connection().credentials(&credentials)?, credentials })
}

async fn session(client: &Client) -> Result<(), Status> {
    let frame = agent_frame::Frame::Hello(Hello { boot_id: vec![1; 16].into(), ..Hello::default() });
    let frames = tokio_stream::iter([AgentFrame { frame: Some(frame) }]);
    let mut answers = client.sync().session(frames).await?.into_inner();
    answers.message().await.map(drop)
}

#[tokio::test]
async fn every_wrong_credential_is_refused_and_changes_nothing() -> Result<()> {
    let setting = Setting::new().await?;
    let Setting { admin, nobody, federation, .. } = &setting;
    let there = Federation::builder().start().await?;
    let foreign_token = there.token("east").await?;
    let foreign = join(&there, "west").await?;

    let used = federation.token("east").await?;
    let csr = FreshKey::generate()?.request;
    nobody.joining().join(JoinRequest { token: used.clone(), csr: csr.clone().into() }).await?;
    let fresh = federation.token("north").await?;
    let JoinToken { cluster, expires, ca_fingerprint, gateways, .. } = fresh.parse()?;
    let guessed = JoinToken::new(cluster, expires, ca_fingerprint, gateways, [7; 32]).to_string();
    let cut = fresh.get(..fresh.len() - 9).context("a token is long")?.to_owned();
    let agent = join(federation, "west").await?;
    let revoked = join(federation, "south").await?;
    admin.clusters().revoke_cluster(RevokeClusterRequest { cluster: "south".into() }).await?;
    let forgotten = join(federation, "past").await?;
    admin.clusters().forget_cluster(ForgetClusterRequest { cluster: "past".into() }).await?;
    let spent = agent.credentials.renewal_credential.clone();
    let renewal = RenewRequest { credential: spent.clone(), csr: FreshKey::generate()?.request.into() };
    let good = nobody.joining().renew(renewal).await?.into_inner().renewal_credential;

    let joining = |token: &str, csr: &[u8]| {
        let request = JoinRequest { token: token.into(), csr: csr.to_vec().into() };
        async move { nobody.joining().join(request).await.map(drop) }
    };
    let renewing = |credential: &str, csr: &[u8]| {
        let request = RenewRequest { credential: credential.into(), csr: csr.to_vec().into() };
        async move { nobody.joining().renew(request).await.map(drop) }
    };

    let cases: Vec<Case<'_>> = vec![
        case("no token", Code::Unauthenticated, TokenInvalid, joining("", &csr)),
        case(
            "a token that is none",
            Code::Unauthenticated,
            TokenInvalid,
            joining("isthmus-join-1.nonsense", &csr),
        ),
        case("a token that was cut", Code::Unauthenticated, TokenInvalid, joining(&cut, &csr)),
        case("a token that was guessed", Code::Unauthenticated, TokenInvalid, joining(&guessed, &csr)),
        case(
            "a token of another federation",
            Code::Unauthenticated,
            TokenInvalid,
            joining(&foreign_token, &csr),
        ),
        case("a token that was used", Code::Unauthenticated, TokenUsed, joining(&used, &csr)),
        fields(
            "a good token with a request that is none",
            &[(InvalidField, "csr", "")],
            joining(&fresh, b"no request"),
        ),
        fields("a good token without request", &[(InvalidField, "csr", "")], joining(&fresh, b"")),
        case(
            "a renewal credential that is none",
            Code::Unauthenticated,
            TokenInvalid,
            renewing("isthmus-renew-west.0", &csr),
        ),
        case(
            "a renewal credential that was used",
            Code::Unauthenticated,
            TokenInvalid,
            renewing(&spent, &csr),
        ),
        case(
            "a renewal credential of another cluster",
            Code::Unauthenticated,
            TokenInvalid,
            renewing(&good.replace("west", "east"), &csr),
        ),
        case(
            "a renewal credential of a revoked cluster",
            Code::Unauthenticated,
            CertificateRevoked,
            renewing(&revoked.credentials.renewal_credential, &csr),
        ),
        case(
            "a renewal credential of another federation",
            Code::Unauthenticated,
            TokenInvalid,
            renewing(&foreign.credentials.renewal_credential, &csr),
        ),
        case("a session of nobody", Code::Unauthenticated, Unauthenticated, session(nobody)),
        case("a session of an administrator", Code::PermissionDenied, Forbidden, session(admin)),
        case(
            "a session with a revoked certificate",
            Code::Unauthenticated,
            CertificateRevoked,
            session(&revoked.client),
        ),
        case(
            "a session of a forgotten cluster",
            Code::Unauthenticated,
            Unauthenticated,
            session(&forgotten.client),
        ),
        case("an agent that reads components", Code::PermissionDenied, Forbidden, async {
            agent.client.functions().list(ListRequest::default()).await.map(drop)
        }),
        case("an agent that revokes another cluster", Code::PermissionDenied, Forbidden, async {
            let request = RevokeClusterRequest { cluster: "east".into() };
            agent.client.clusters().revoke_cluster(request).await.map(drop)
        }),
        case(
            "an agent that fetches what its cluster does not need",
            Code::PermissionDenied,
            Forbidden,
            async {
                let request = FetchPackageRequest { digest: vec![7; 32].into() };
                agent.client.sync().fetch_package(request).await.map(drop)
            },
        ),
        fields("an agent that fetches a digest that is none", &[(InvalidField, "digest", "")], async {
            let request = FetchPackageRequest { digest: vec![7; 3].into() };
            agent.client.sync().fetch_package(request).await.map(drop)
        }),
    ];
    run(admin, cases).await?;

    // A certificate that another root signed does not even come to the gateway's services: the handshake fails.
    let stranger = federation.connection().credentials(&foreign.credentials)?;
    let refusal = session(&stranger).await.expect_err("another federation's root signed this");
    assert_eq!(Failure::from(&refusal).reason, None, "nobody at the gateway answered: {refusal:?}");
    there.end().await?;
    setting.end().await
}
