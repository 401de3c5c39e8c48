//! Wrong calls about clusters and Pulsar clusters.

use anyhow::Result;
use isthmus_agent::link::identity::FreshKey;
use isthmus_model::reason::Reason::{Forbidden, InUse, InvalidField, MissingField, NotFound};
use isthmus_proto::cluster::v1::{
    ApplyPulsarClusterRequest, ConfirmRemovalsRequest, CordonClusterRequest, CreateJoinTokenRequest,
    DeletePulsarClusterRequest, ForgetClusterRequest, GetClusterRequest, GetPulsarClusterRequest, Link,
    LinkClusterRequest, ListClustersRequest, PulsarCluster, RevokeClusterRequest, Taint,
    UnlinkClusterRequest, UpdateClusterRequest,
};
use isthmus_proto::sync::v1::JoinRequest;
use isthmus_tests::federation::PULSAR;
use tonic::Code;

use super::case::{Case, case, fields, run};
use super::setting::Setting;

fn link(pulsar_cluster: &str, service_url: &str, admin_url: &str) -> Link {
    let [pulsar_cluster, service_url, admin_url] =
        [pulsar_cluster, service_url, admin_url].map(str::to_owned);
    Link { pulsar_cluster, service_url, admin_url }
}

fn pulsar(name: &str, service_url: &str, admin_url: &str) -> PulsarCluster {
    let [name, service_url, admin_url] = [name, service_url, admin_url].map(str::to_owned);
    PulsarCluster { name, service_url, admin_url, ..PulsarCluster::default() }
}

#[tokio::test]
async fn every_wrong_call_about_clusters_is_refused_and_changes_nothing() -> Result<()> {
    let setting = Setting::new().await?;
    let Setting { admin, dev, viewer, federation, nobody, .. } = &setting;
    let csr = FreshKey::generate()?.request;
    nobody.joining().join(JoinRequest { token: federation.token("east").await?, csr: csr.into() }).await?;
    let linked =
        LinkClusterRequest { cluster: "east".into(), link: Some(link(PULSAR, "", "")), default: true };
    admin.clusters().link_cluster(linked).await?;

    let token = |cluster: &str, label: (&str, &str), seconds: i64| {
        let request = CreateJoinTokenRequest {
            cluster: cluster.into(),
            labels: [(label.0.to_owned(), label.1.to_owned())].into(),
            ttl: Some(prost_types::Duration { seconds, nanos: 0 }),
        };
        async move { admin.clusters().create_join_token(request).await.map(drop) }
    };
    let linking = |cluster: &str, link: Option<Link>| {
        let request = LinkClusterRequest { cluster: cluster.into(), link, default: false };
        async move { admin.clusters().link_cluster(request).await.map(drop) }
    };
    let update = |cluster: &str, label: &str, taints: Vec<Taint>| {
        let request = UpdateClusterRequest {
            cluster: cluster.into(),
            labels: [("tier".to_owned(), label.to_owned())].into(),
            taints,
        };
        async move { admin.clusters().update_cluster(request).await.map(drop) }
    };
    let put = |pulsar_cluster: Option<PulsarCluster>| {
        let request = ApplyPulsarClusterRequest { pulsar_cluster };
        async move { admin.pulsar_clusters().apply_pulsar_cluster(request).await.map(drop) }
    };
    let taint = |key: &str, effect: i32| vec![Taint { key: key.into(), value: "x".into(), effect }];
    let (binary, web) = ("pulsar://p:6650", "http://p:8080");

    let cases: Vec<Case<'_>> = vec![
        fields(
            "a cluster that no DNS name can be",
            &[(InvalidField, "cluster", "\"East_1\"")],
            token("East_1", ("a", "b"), 60),
        ),
        fields("a token for no cluster", &[(MissingField, "cluster", "")], token("", ("a", "b"), 60)),
        fields(
            "a token with a label that is none",
            &[(InvalidField, "labels[tier]", "\"a b\"")],
            token("west", ("tier", "a b"), 60),
        ),
        fields("a token that ends too soon", &[(InvalidField, "ttl", "59s")], token("west", ("a", "b"), 59)),
        fields(
            "a token that lives too long",
            &[(InvalidField, "ttl", "86401s")],
            token("west", ("a", "b"), 86_401),
        ),
        fields(
            "a token that has ended before",
            &[(InvalidField, "ttl", "-60s")],
            token("west", ("a", "b"), -60),
        ),
        case("a cluster that is not there", Code::NotFound, NotFound, async {
            admin.clusters().get_cluster(GetClusterRequest { name: "west".into() }).await.map(drop)
        }),
        fields("a selector that is none", &[(InvalidField, "labelSelector", "\"a=b=c\"")], async {
            let request = ListClustersRequest { label_selector: "a=b=c".into() };
            admin.clusters().list_clusters(request).await.map(drop)
        }),
        fields("a link to nothing", &[(MissingField, "link", "")], linking("east", None)),
        fields(
            "a link to no name",
            &[(MissingField, "link.pulsarCluster", "")],
            linking("east", Some(link("", "", ""))),
        ),
        fields(
            "a link by URLs of another kind",
            &[
                (InvalidField, "link.serviceUrl", "\"http://p:6650\""),
                (InvalidField, "link.adminUrl", "\"pulsar://p:8080\""),
            ],
            linking("east", Some(link(PULSAR, "http://p:6650", "pulsar://p:8080"))),
        ),
        case(
            "a link to a Pulsar cluster that is not there",
            Code::NotFound,
            NotFound,
            linking("east", Some(link("elsewhere", "", ""))),
        ),
        case(
            "a link of a cluster that is not there",
            Code::NotFound,
            NotFound,
            linking("west", Some(link(PULSAR, "", ""))),
        ),
        case("an unlinking of a cluster that is not there", Code::NotFound, NotFound, async {
            let request = UnlinkClusterRequest { cluster: "west".into(), pulsar_cluster: PULSAR.into() };
            admin.clusters().unlink_cluster(request).await.map(drop)
        }),
        case("a cordon around nothing", Code::NotFound, NotFound, async {
            admin
                .clusters()
                .cordon_cluster(CordonClusterRequest { cluster: "west".into(), cordoned: true })
                .await
                .map(drop)
        }),
        fields(
            "a label that is none",
            &[(InvalidField, "labels[tier]", "\"a b\"")],
            update("east", "a b", vec![]),
        ),
        fields(
            "a good label beside a taint without effect",
            &[(MissingField, "taints[0].effect", "")],
            update("east", "a", taint("gpu", 0)),
        ),
        fields(
            "a good label beside a taint of a key that is none",
            &[(InvalidField, "taints[0].key", "\"a b\"")],
            update("east", "a", taint("a b", 1)),
        ),
        case("labels for a cluster that is not there", Code::NotFound, NotFound, update("west", "a", vec![])),
        case("removals that are not held", Code::NotFound, NotFound, async {
            let request = ConfirmRemovalsRequest { cluster: "east".into(), digest: vec![0; 32] };
            admin.clusters().confirm_removals(request).await.map(drop)
        }),
        case("a revocation of nothing", Code::NotFound, NotFound, async {
            admin.clusters().revoke_cluster(RevokeClusterRequest { cluster: "west".into() }).await.map(drop)
        }),
        case("a cluster to forget that is not there", Code::NotFound, NotFound, async {
            admin.clusters().forget_cluster(ForgetClusterRequest { cluster: "west".into() }).await.map(drop)
        }),
        case("a cordon by a viewer", Code::PermissionDenied, Forbidden, async {
            viewer
                .clusters()
                .cordon_cluster(CordonClusterRequest { cluster: "east".into(), cordoned: true })
                .await
                .map(drop)
        }),
        case("a cluster to forget, by a developer", Code::PermissionDenied, Forbidden, async {
            dev.clusters().forget_cluster(ForgetClusterRequest { cluster: "east".into() }).await.map(drop)
        }),
        fields("no Pulsar cluster", &[(MissingField, "pulsarCluster", "")], put(None)),
        fields(
            "a Pulsar cluster without name",
            &[(MissingField, "pulsarCluster.name", "")],
            put(Some(pulsar("", binary, web))),
        ),
        fields(
            "a Pulsar cluster that no DNS name can be",
            &[(InvalidField, "pulsarCluster.name", "\"P_1\"")],
            put(Some(pulsar("P_1", binary, web))),
        ),
        fields(
            "a Pulsar cluster without URLs",
            &[(MissingField, "pulsarCluster.serviceUrl", ""), (MissingField, "pulsarCluster.adminUrl", "")],
            put(Some(pulsar("p", "", ""))),
        ),
        fields(
            "a Pulsar cluster whose URLs are exchanged",
            &[
                (InvalidField, "pulsarCluster.serviceUrl", "\"http://p:8080\""),
                (InvalidField, "pulsarCluster.adminUrl", "\"pulsar://p:6650\""),
            ],
            put(Some(pulsar("p", web, binary))),
        ),
        fields(
            "a Pulsar cluster without host",
            &[(InvalidField, "pulsarCluster.adminUrl", "\"http://\"")],
            put(Some(pulsar("p", binary, "http://"))),
        ),
        case("a Pulsar cluster that is not there", Code::NotFound, NotFound, async {
            let request = GetPulsarClusterRequest { name: "elsewhere".into() };
            admin.pulsar_clusters().get_pulsar_cluster(request).await.map(drop)
        }),
        case("an end of a Pulsar cluster that is linked to", Code::FailedPrecondition, InUse, async {
            let request = DeletePulsarClusterRequest { name: PULSAR.into() };
            admin.pulsar_clusters().delete_pulsar_cluster(request).await.map(drop)
        }),
        case("an end of a Pulsar cluster that is not there", Code::NotFound, NotFound, async {
            let request = DeletePulsarClusterRequest { name: "elsewhere".into() };
            admin.pulsar_clusters().delete_pulsar_cluster(request).await.map(drop)
        }),
        case("a Pulsar cluster by a developer", Code::PermissionDenied, Forbidden, async {
            let request = ApplyPulsarClusterRequest { pulsar_cluster: Some(pulsar("p", binary, web)) };
            dev.pulsar_clusters().apply_pulsar_cluster(request).await.map(drop)
        }),
    ];
    run(admin, cases).await?;
    setting.end().await
}
