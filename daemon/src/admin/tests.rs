use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::telemetry;

/// A process has one log, and these tests are the only ones of this crate that install it.
fn telemetry() -> Telemetry {
    static ONCE: std::sync::LazyLock<Telemetry> = std::sync::LazyLock::new(|| {
        let build = telemetry::Build { program: "admin-test", version: "1" };
        telemetry::install(&telemetry::Config::default(), build).unwrap()
    });
    ONCE.clone()
}

async fn answer(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn get_path(address: SocketAddr, path: &str) -> String {
    answer(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await.unwrap()
}

async fn put_log(address: SocketAddr, filter: &str) -> String {
    let length = filter.len();
    let head =
        format!("PUT /log HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    answer(address, &(head + filter)).await.unwrap()
}

/// One test, because all of it is about one port of one process.
#[tokio::test]
async fn the_port_tells_life_readiness_and_numbers_and_changes_the_log() {
    let readiness = Readiness::new();
    let store = readiness.require("store");
    let config = Config { listen: "127.0.0.1:0".parse().unwrap() };
    let admin = Admin::bind(&config, readiness, telemetry()).await.unwrap();
    let address = admin.local_address();
    let stop = CancellationToken::new();
    let told = stop.clone();
    let asks = async move {
        assert!(get_path(address, "/livez").await.starts_with("HTTP/1.1 200"));
        let not_ready = get_path(address, "/readyz").await;
        assert!(
            not_ready.starts_with("HTTP/1.1 503") && not_ready.ends_with("store: not yet\n"),
            "{not_ready}"
        );
        store.holds();
        assert!(get_path(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        let numbers = get_path(address, "/metrics").await;
        assert!(numbers.contains(r#"isthmus_build_info{program="admin-test",version="1"} 1"#), "{numbers}");
        let refused = put_log(address, "info,=,x").await;
        assert!(
            refused.starts_with("HTTP/1.1 400") && refused.contains("isthmus_gateway=debug"),
            "{refused}"
        );
        assert!(put_log(address, "warn").await.starts_with("HTTP/1.1 200"));
        assert!(get_path(address, "/log").await.ends_with("warn\n"));
        assert!(put_log(address, &"x".repeat(5000)).await.starts_with("HTTP/1.1 413"));
        stop.cancel();
    };
    let (served, ()) = tokio::join!(admin.serve(told), asks);
    served.unwrap();
}

#[tokio::test]
async fn only_this_machine_changes_the_log() {
    let about = About { readiness: Readiness::new(), telemetry: telemetry() };
    let elsewhere = ConnectInfo(SocketAddr::from(([10, 0, 0, 7], 4000)));
    assert_eq!(set_filter(State(about), elsewhere, "trace".into()).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let refused = Admin::bind(&Config { listen: address }, Readiness::new(), telemetry()).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("cannot listen on {address} for the admin port"));
}
