//! Requests as a pod's tool sends them, over a real connection.

use std::collections::BTreeMap;

use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::component::{ComponentKind, Spec};
use isthmus_model::name::{FullName, PulsarClusterName};
use isthmus_model::order::Revision;
use isthmus_model::policy::Placement;
use isthmus_model::pulsar_cluster::PulsarCluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::super::tests::{Store, digest_of, open, store};
use super::*;
use crate::target::{DesiredSet, DesiredWriter, desired};

const CODE: &[u8] = b"the bytes of a package";

/// A function whose code is stored under this digest.
fn function(n: u128, generation: u64, digest: Digest) -> Arc<Assignment> {
    let package =
        PackageRef { file: "f.py".into(), location: format!("sha256:{digest}"), digest: Some(digest) };
    let name = FullName::new("public", "default", &format!("f{n}")).unwrap();
    let spec = Spec { runtime: Some(Runtime::Python { package, log: None }), ..Spec::default() };
    let component = Component {
        kind: ComponentKind::Function,
        name: name.clone(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        placement: Placement::default(),
        spec: Box::new(spec),
    };
    Arc::new(Assignment {
        sealed: None,
        uid: Uid(Uuid::from_u128(n)),
        name,
        kind: ComponentKind::Function,
        generation: Generation(generation),
        revision: Revision(1),
        replicas: 1,
        pulsar: Arc::new(PulsarCluster {
            name: PulsarClusterName::new("main").unwrap(),
            service_url: "pulsar://localhost:6650".into(),
            admin_url: "http://localhost:8080".into(),
            pulsar_name: String::new(),
            state_service_url: String::new(),
            peers: Vec::new(),
        }),
        spec: Arc::from(&isthmus_proto::convert::component::encode(&component)[..]),
    })
}

/// Makes the cluster's share these functions.
fn share(writer: &DesiredWriter, functions: &[Arc<Assignment>]) {
    writer.update(|set| {
        set.entries = functions.iter().map(|one| (one.uid, Desired::Run(Arc::clone(one)))).collect();
    });
}

/// A server, and whoever it asks.
struct World {
    address: SocketAddr,
    writer: DesiredWriter,
    store: Arc<Store>,
    _directory: tempfile::TempDir,
    _stop: tokio_util::sync::DropGuard,
}

/// Starts a server whose gateway stores these packages.
async fn serve(packages: &[&[u8]]) -> World {
    let (writer, handle) = desired(DesiredSet::default());
    let (directory, store) = (tempfile::tempdir().unwrap(), store(packages));
    let cache = open(directory.path(), 1_000_000, &store);
    let server = PackageServer::bind("127.0.0.1:0".parse().unwrap(), handle, cache).await.unwrap();
    let (address, tasks, stop) = (server.local_address().unwrap(), Tasks::new(), CancellationToken::new());
    let (spawned, token) = (tasks.clone(), stop.clone());
    tasks.spawn_request(move |_| server.serve(spawned, token));
    World { address, writer, store, _directory: directory, _stop: stop.drop_guard() }
}

/// The whole answer: head and body.
async fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: packages\r\nUser-Agent: Wget\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // It ends because each connection serves one request.
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap().to_ascii_lowercase(), body)
}

#[tokio::test]
async fn a_package_of_the_share_is_served_whole_and_fetched_once() {
    let large: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let world = serve(&[CODE, &large]).await;
    share(&world.writer, &[function(1, 1, digest_of(CODE)), function(2, 1, digest_of(&large))]);

    for _ in 0..2 {
        let (head, body) = get(world.address, &format!("/packages/{}", digest_of(&large))).await;
        assert!(head.starts_with("http/1.1 200") && head.contains("content-length: 300000"), "{head}");
        assert_eq!(body, large);
    }
    assert_eq!(world.store.asked(), 1);
}

#[tokio::test]
async fn what_no_component_here_needs_is_not_even_asked_for_until_one_does_and_after_it_is_gone() {
    let world = serve(&[CODE, b"other"]).await;
    let path = format!("/packages/{}", digest_of(CODE));
    share(&world.writer, &[function(1, 1, digest_of(b"other"))]);
    let (head, body) = get(world.address, &path).await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("nothing that this cluster shall run"));
    assert_eq!(world.store.asked(), 0);

    share(&world.writer, &[function(1, 2, digest_of(CODE))]);
    assert_eq!(get(world.address, &path).await.1, CODE);

    let removal = Removal { uid: Uid(Uuid::from_u128(1)), generation: Generation(3) };
    world.writer.update(|set| {
        set.entries.insert(removal.uid, Desired::Stop(removal));
    });
    assert!(get(world.address, &path).await.0.starts_with("http/1.1 404"));
}

#[tokio::test]
async fn what_the_gateway_does_not_give_is_unavailable_and_what_is_no_digest_is_refused() {
    let world = serve(&[]).await;
    share(&world.writer, &[function(1, 1, digest_of(CODE))]);

    let (head, body) = get(world.address, &format!("/packages/{}", digest_of(CODE))).await;
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("cannot fetch package"));
    for (path, status) in [("/packages/12", "400"), ("/packages/..%2f..%2fetc", "400"), ("/", "404")] {
        assert!(get(world.address, path).await.0.starts_with(&format!("http/1.1 {status}")), "{path}");
    }
}
