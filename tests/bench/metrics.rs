//! What our own programs count, as their admin ports show it.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// All of it, from the admin port at `url`.
pub(crate) async fn of(url: &str) -> Result<String> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.context("connect to the admin port")?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "the admin port answers {answer}");
    Ok(answer)
}

/// One counter, named with its labels; 0 when it has not counted yet.
pub(crate) async fn counter(url: &str, name: &str) -> Result<f64> {
    let answer = of(url).await?;
    let value =
        answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok());
    Ok(value.unwrap_or(0.0))
}
