//! Faults of a cluster's link, seen by a program in the cluster's network that connects to the host.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use isthmus_testbed::{
    Cache,
    kubernetes::{Cluster, Flow},
    process::Program,
};
use tokio::net::TcpListener;

use super::cluster;

/// Prints how long a connection took, in milliseconds, or "nothing" after three seconds.
const CONNECTS: &str = "
import socket, sys, time
began = time.monotonic()
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
    print(int(1000 * (time.monotonic() - began)), flush=True)
except OSError:
    print('nothing', flush=True)
";

/// Sends as many datagrams as a receiver's buffer holds.
const SENDS: &str = "
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(200):
    try:
        sender.sendto(b'x', (sys.argv[1], int(sys.argv[2])))
    except PermissionError:
        pass  # how the kernel tells a sender of its own that a datagram was dropped
print('sent', flush=True)
";

/// Somebody on the host to connect to: the kernel takes connections by itself.
async fn listener(cluster: &Cluster) -> anyhow::Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind((cluster.host_address(), 0)).await?;
    Ok((listener.local_addr()?, listener))
}

/// Runs a script in the cluster's network and answers its last line.
async fn within(cluster: &Cluster, script: &str, peer: SocketAddr) -> anyhow::Result<String> {
    let log = cluster.run().dir().join("script.log");
    let arguments = ["-c", script, &peer.ip().to_string(), &peer.port().to_string()];
    let program = cluster.within(Program::new("python3").args(arguments));
    let mut process = program.start(cluster.run(), &log)?;
    process.ended().await?;
    let said = std::fs::read_to_string(&log)?;
    std::fs::remove_file(&log)?;
    Ok(said.lines().last().unwrap_or_default().to_owned())
}

/// Milliseconds that a connection takes, if there is one.
async fn connects(cluster: &Cluster, peer: SocketAddr) -> anyhow::Result<Option<u64>> {
    let said = within(cluster, CONNECTS, peer).await?;
    if said == "nothing" { Ok(None) } else { Ok(Some(said.parse()?)) }
}

#[tokio::test]
async fn a_link_is_cut_one_way_or_both_for_all_or_one_peer_and_heals() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let mut cluster = cluster(&cache).await?;
    let (one, _one) = listener(&cluster).await?;
    let (other, _other) = listener(&cluster).await?;
    assert!(connects(&cluster, one).await?.is_some());

    for flow in [Flow::everything(), Flow::everything().inbound(), Flow::everything().outbound()] {
        cluster.cut(flow.clone()).await?;
        assert_eq!(connects(&cluster, one).await?, None, "{flow:?}");
        cluster.heal().await?;
        assert!(connects(&cluster, one).await?.is_some(), "{flow:?}, healed");
    }

    cluster.cut(Flow::with(one)).await?;
    assert_eq!(connects(&cluster, one).await?, None);
    assert!(connects(&cluster, other).await?.is_some());
    // What the cluster's parts say to one another goes on.
    let kubectl = cluster.control_plane().kubectl();
    cluster.cut(Flow::everything()).await?;
    kubectl.call(&["create", "configmap", "meanwhile"]).await?;
    Ok(())
}

#[tokio::test]
async fn packets_are_late_by_as_much_as_was_asked() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let mut cluster = cluster(&cache).await?;
    let (peer, _listener) = listener(&cluster).await?;

    cluster.delay(Flow::everything().outbound(), Duration::from_millis(300)).await?;
    let one_way = connects(&cluster, peer).await?;
    cluster.delay(Flow::everything().inbound(), Duration::from_millis(500)).await?;
    let both_ways = connects(&cluster, peer).await?;
    cluster.heal().await?;
    let healed = connects(&cluster, peer).await?;

    assert!(one_way.is_some_and(|took| (300..800).contains(&took)), "{one_way:?}");
    assert!(both_ways.is_some_and(|took| took >= 800), "{both_ways:?}");
    assert!(healed.is_some_and(|took| took < 300), "{healed:?}");
    Ok(())
}

#[tokio::test]
async fn of_a_hundred_packets_as_many_are_lost_as_was_asked() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let mut cluster = cluster(&cache).await?;
    let socket = UdpSocket::bind((cluster.host_address(), 0))?;
    socket.set_nonblocking(true)?;
    let peer = socket.local_addr()?;
    cluster.lose(Flow::everything().outbound(), 40.0).await?;
    assert_eq!(within(&cluster, SENDS, peer).await?, "sent");

    // A binomial of 200 with 0.6 leaves this range about once in a hundred million tests.
    let arrived = waiting(&socket);
    assert!((80..160).contains(&arrived), "{arrived} of 200 arrived");
    cluster.heal().await?;
    assert_eq!(within(&cluster, SENDS, peer).await?, "sent");
    assert_eq!(waiting(&socket), 200);
    Ok(())
}

/// How many datagrams wait to be received; they are, here.
fn waiting(socket: &UdpSocket) -> usize {
    std::iter::from_fn(|| socket.recv(&mut [0; 16]).ok()).count()
}
