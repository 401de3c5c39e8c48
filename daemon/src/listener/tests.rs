use futures::StreamExt;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tonic::transport::server::Connected;

use super::*;
use crate::tls::tests::Authority;
use crate::tls::{Alpn, Clients, client_config, server_config};

const SOON: Duration = Duration::from_secs(10);

/// A free port of this machine.
const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn plain(tasks: &Tasks, limits: Limits) -> Incoming {
    Listener::bind("test", HERE, limits, Security::Plaintext).await.unwrap().accept(tasks)
}

async fn next(incoming: &mut Incoming) -> Connection {
    let next = tokio::time::timeout(SOON, incoming.next()).await.expect("a connection comes soon");
    let Ok(connection) = next.expect("the listener accepts");
    connection
}

#[tokio::test]
async fn plain_text_is_for_this_machine_only() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused =
        Listener::bind("test", everywhere, Limits::default(), Security::Plaintext).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "0.0.0.0:0 is not served without TLS: plain text is for loopback addresses only; configure a certificate, \
         or listen on 127.0.0.1 or [::1]"
    );
    permitted("[::1]:0".parse().unwrap(), &Security::Plaintext).unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().into_std().unwrap();
    let address = taken.local_addr().unwrap();
    let refused = Listener::bind("test", address, Limits::default(), Security::Plaintext).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("cannot listen on {address}"));
}

#[tokio::test]
async fn a_handler_learns_who_is_at_the_other_end() {
    let ours = Authority::new("ours");
    let agent = ours.identity("agent");
    let server =
        server_config(ours.identity("gateway"), Clients::MayShow(ours.trust()), Alpn::Http2).unwrap();
    let client = client_config(ours.trust(), Some(agent.clone()), Alpn::Http2).unwrap();
    let tasks = Tasks::new();
    let listener = Listener::bind("test", HERE, Limits::default(), Security::Tls(server)).await.unwrap();
    let address = listener.local_address();
    let mut incoming = listener.accept(&tasks);
    let asking = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let from = stream.local_addr().unwrap();
        let name = ServerName::try_from("gateway").unwrap();
        let mut stream = TlsConnector::from(client).connect(name, stream).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (from, answer)
    };
    let serving = async {
        let mut connection = next(&mut incoming).await;
        let mut question = [0; 4];
        connection.read_exact(&mut question).await.unwrap();
        connection.write_all(&question).await.unwrap();
        connection.shutdown().await.unwrap();
        connection.connect_info()
    };
    let ((from, answer), peer) = tokio::join!(asking, serving);
    assert_eq!(answer, "ping");
    assert_eq!((peer.address, peer.encrypted), (from, true));
    assert_eq!(*peer.certificates, *agent.chain());
}

#[tokio::test]
async fn who_says_nothing_holds_up_nobody_and_is_shown_out() {
    let ours = Authority::new("ours");
    let server = server_config(ours.identity("gateway"), Clients::NotAsked, Alpn::Http2).unwrap();
    let client = client_config(ours.trust(), None, Alpn::Http2).unwrap();
    let tasks = Tasks::new();
    // The silent one takes the first of two places, so the other must wait for nothing.
    let limits = Limits { handshakes: 2, handshake_timeout: Duration::from_millis(300), ..Limits::default() };
    let listener = Listener::bind("test", HERE, limits, Security::Tls(server)).await.unwrap();
    let address = listener.local_address();
    let mut incoming = listener.accept(&tasks);
    let mut silent = TcpStream::connect(address).await.unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("gateway").unwrap();
    let (greeted, connection) =
        tokio::join!(TlsConnector::from(client).connect(name, stream), next(&mut incoming));
    greeted.unwrap();
    assert!(connection.peer().encrypted);
    let shown_out = tokio::time::timeout(SOON, silent.read(&mut [0])).await.expect("it is closed soon");
    assert!(matches!(shown_out, Ok(0) | Err(_)), "{shown_out:?}");
}

#[tokio::test]
async fn beyond_the_limit_newcomers_wait_until_somebody_leaves() {
    let tasks = Tasks::new();
    let mut incoming = plain(&tasks, Limits { connections: 1, ..Limits::default() }).await;
    let address = incoming.local_address();
    let _first = TcpStream::connect(address).await.unwrap();
    let first = next(&mut incoming).await;
    let second = TcpStream::connect(address).await.unwrap();
    assert!(futures::poll!(incoming.next()).is_pending());
    drop(first);
    assert_eq!(next(&mut incoming).await.peer().address, second.local_addr().unwrap());
}

#[tokio::test]
async fn the_stream_ends_when_the_accept_stage_comes() {
    let tasks = Tasks::new();
    let mut incoming = plain(&tasks, Limits::default()).await;
    let address = incoming.local_address();
    let _client = TcpStream::connect(address).await.unwrap();
    let open = next(&mut incoming).await;
    tasks.stop(Stage::Accept).await;
    assert!(tokio::time::timeout(SOON, incoming.next()).await.expect("it ends soon").is_none());
    TcpStream::connect(address).await.expect_err("the port is closed");
    drop(open);
}
