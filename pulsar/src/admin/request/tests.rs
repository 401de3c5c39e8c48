//! The bounds of a request, against sockets that answer what a test tells them to. What Pulsar answers is tested
//! against Pulsar.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::admin::Token;

/// A socket that answers one connection after another with the given texts.
struct Canned {
    socket: TcpListener,
    url: String,
}

impl Canned {
    async fn new() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        Self { socket, url }
    }

    fn requests(&self) -> Requests {
        let token = Some(Token::new("hunter2"));
        let config = Config { token, max_response: 1000, ..Config::new(self.url.as_str()) };
        Requests::new(&config).unwrap()
    }

    /// Answers once, and returns what was asked.
    async fn answer(&self, head: &str, body: &str) -> String {
        let (mut stream, _) = self.socket.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        // Who has read enough may be gone.
        let _gone = stream.write_all(answer.as_bytes()).await;
        String::from_utf8(asked).unwrap()
    }
}

fn path() -> Path {
    Path::to(&["clusters"]).unwrap()
}

#[tokio::test]
async fn a_refusal_names_method_url_status_and_reason() {
    let server = Canned::new().await;
    let (requests, path) = (server.requests(), path());
    let (refused, asked) =
        tokio::join!(requests.delete(&path), server.answer("409 x", r#"{"reason":"is busy"}"#));
    let refused = refused.unwrap_err();
    let expected = format!("DELETE {}/admin/v2/clusters was answered with 409 Conflict: is busy", server.url);
    assert_eq!(refused.to_string(), expected);
    assert!(!refused.is_transient() && !refused.is_not_found());
    assert!(asked.to_ascii_lowercase().contains("authorization: bearer hunter2"), "{asked}");
    assert!(!format!("{refused:?} {requests:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_request_that_is_sent_on_takes_its_token_along() {
    let (first, owner) = (Canned::new().await, Canned::new().await);
    let location = format!("307 x\r\nlocation: {}/admin/v2/clusters?authoritative=true", owner.url);
    let requests = first.requests();
    let (path, names) = (path(), async { owner.answer("200 OK", r#"["east"]"#).await });
    let (found, _, asked) =
        tokio::join!(requests.get::<Vec<String>>(&path), first.answer(&location, ""), names);
    assert_eq!(found.unwrap(), ["east"]);
    assert!(asked.starts_with("GET /admin/v2/clusters?authoritative=true "), "{asked}");
    assert!(asked.to_ascii_lowercase().contains("authorization: bearer hunter2"), "{asked}");
}

#[tokio::test]
async fn nobody_is_followed_in_circles_or_to_another_protocol() {
    let server = Canned::new().await;
    let requests = server.requests();
    let (path, location) = (path(), format!("307 x\r\nlocation: {}/again", server.url));
    let circle = async {
        for _ in 0..=MOST_REDIRECTS {
            server.answer(&location, "").await;
        }
    };
    let (refused, ()) = tokio::join!(requests.get_text(&path), circle);
    assert!(refused.unwrap_err().to_string().contains("too often"));
    let (refused, _) =
        tokio::join!(requests.get_text(&path), server.answer("307 x\r\nlocation: https://elsewhere/", ""));
    assert!(refused.unwrap_err().to_string().contains("another protocol"));
}

#[tokio::test]
async fn an_answer_is_not_read_beyond_its_limit() {
    let server = Canned::new().await;
    let requests = server.requests();
    let (path, long) = (path(), "x".repeat(1001));
    let (refused, _) = tokio::join!(requests.get_text(&path), server.answer("200 OK", &long));
    assert!(matches!(refused, Err(Error::TooLarge { limit: 1000, .. })), "{refused:?}");
}

#[tokio::test]
async fn who_does_not_answer_is_waited_for_no_longer_than_allowed() {
    let server = Canned::new().await;
    let config = Config { timeout: Duration::from_millis(50), ..Config::new(server.url.as_str()) };
    let refused = Requests::new(&config).unwrap().get_text(&path()).await.unwrap_err();
    assert!(matches!(refused, Error::Timeout { .. }) && refused.is_transient(), "{refused}");
}

#[tokio::test]
async fn an_answer_of_another_kind_is_not_understood() {
    let server = Canned::new().await;
    let (requests, path) = (server.requests(), path());
    let (refused, _) = tokio::join!(requests.get::<Vec<String>>(&path), server.answer("200 OK", "<html>"));
    assert!(matches!(refused, Err(Error::Body { .. })), "{refused:?}");
}

#[test]
fn roots_that_are_none_and_tokens_that_cannot_be_sent_are_refused() {
    let config =
        Config { trust: Some(b"-----BEGIN CERTIFICATE-----\nx".to_vec()), ..Config::new("https://x") };
    assert!(matches!(Requests::new(&config), Err(ConfigError::Trust { .. })));
    let config = Config { token: Some(Token::new("a\nb")), ..Config::new("https://x") };
    assert!(matches!(Requests::new(&config), Err(ConfigError::Token { .. })));
}
