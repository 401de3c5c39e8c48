//! Unary gRPC calls with as little of the machine as can be, for us and for etcd alike.
//!
//! Whoever makes load takes from the same two cores as who is loaded. A general client keeps a queue, balances, watches
//! deadlines and wraps each body; here a call is a request, its bytes, and the bytes of the answer.

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, Request, Uri};
use isthmus_daemon::corked::Corked;
use isthmus_daemon::tls::{self, Alpn, Identity, Trust};
use isthmus_tests::Connection;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What comes before each message: not compressed, and its length.
const PREFIX: usize = 5;

/// What the server may send ahead; answers are small.
const WINDOW: u32 = 8 << 20;

/// One connection.
#[derive(Debug, Clone)]
pub(crate) struct Lean(SendRequest<Bytes>);

impl Lean {
    /// To the gateway, as the administrator.
    pub(crate) async fn administrator(connection: &Connection) -> Result<Self> {
        let (certificate, key) = connection.administrator_pem();
        let identity = Identity::new(tls::certificates_in(certificate)?, tls::private_key_in(key)?)?;
        let trust = Trust::new(tls::certificates_in(connection.roots())?)?;
        let config = tls::client_config(trust, Some(identity), Alpn::Http2)?;
        let server: Uri = connection.server().parse()?;
        let name = server.host().context("the profile's server has no host")?.to_owned();
        let stream = connect(&server).await?;
        Self::over(TlsConnector::from(config).connect(name.try_into()?, stream).await?).await
    }

    /// To a server without TLS.
    pub(crate) async fn plain(url: &str) -> Result<Self> {
        Self::over(connect(&url.parse()?).await?).await
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self> {
        let mut builder = Builder::new();
        builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW).enable_push(false);
        let (sender, connection) = builder.handshake(stream).await?;
        // It ends with the last sender; what goes wrong is told by the calls.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Calls a method, and waits for its answer.
    pub(crate) async fn unary<A: Message + Default>(
        &self,
        method: &Uri,
        message: &impl Message,
    ) -> Result<A> {
        let length = message.encoded_len();
        let mut bytes = BytesMut::with_capacity(PREFIX + length);
        bytes.put_u8(0);
        bytes.put_u32(u32::try_from(length)?);
        message.encode(&mut bytes)?;
        let request = Request::post(method.clone())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let (response, mut stream) = self.0.clone().ready().await?.send_request(request, false)?;
        stream.send_data(bytes.freeze(), true)?;
        let (head, mut body) = response.await?.into_parts();
        ensure!(head.status.is_success(), "the server answers {}", head.status);
        let mut answer = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            answer.extend_from_slice(&chunk);
        }
        succeeded(&body.trailers().await?.unwrap_or(head.headers))?;
        Ok(A::decode(answer.get(PREFIX..).context("the answer has no message")?)?)
    }
}

/// The way to a method of a server.
pub(crate) fn method(server: &str, path: &str) -> Result<Uri> {
    Ok(format!("{}{path}", server.trim_end_matches('/')).parse()?)
}

async fn connect(server: &Uri) -> Result<Corked<TcpStream>> {
    let address = server.authority().context("the server has no address")?.as_str();
    let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(Corked::new(stream))
}

fn succeeded(trailers: &HeaderMap) -> Result<()> {
    let text = |name| trailers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let code = text("grpc-status").context("the answer has no grpc-status")?;
    ensure!(code == "0", "code {code}: {}", text("grpc-message").unwrap_or_default());
    Ok(())
}
