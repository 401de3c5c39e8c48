use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response};

use super::generated::ExceptionInformation;
use super::generated::instance_control_server::{InstanceControl, InstanceControlServer};
use super::*;

struct Instance(FunctionStatus);

#[tonic::async_trait]
impl InstanceControl for Instance {
    async fn get_function_status(&self, _: Request<()>) -> Result<Response<FunctionStatus>, tonic::Status> {
        Ok(Response::new(self.0.clone()))
    }
}

fn exception(text: &str, when: i64) -> ExceptionInformation {
    ExceptionInformation { exception_string: text.into(), ms_since_epoch: when }
}

#[tokio::test]
async fn an_instance_is_asked_for_its_counters_and_its_latest_exception() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let instance = Instance(FunctionStatus {
        running: true,
        num_received: 9,
        num_successfully_processed: 5,
        num_user_exceptions: 2,
        num_system_exceptions: 1,
        num_sink_exceptions: 1,
        latest_user_exceptions: vec![
            exception("java.lang.RuntimeException: first", 10),
            exception(
                "Traceback (most recent call last):\n  File \"f.py\", line 2\nException: boom x0\n",
                30,
            ),
        ],
        latest_system_exceptions: vec![exception("java.io.IOException: earlier\n\tat Some.where", 20)],
        ..FunctionStatus::default()
    });
    let server = tonic::transport::Server::builder().add_service(InstanceControlServer::new(instance));
    let serve = server.serve_with_incoming(TcpListenerStream::new(listener));
    let status = tokio::select! {
        status = status(port, Duration::from_secs(10)) => status.unwrap(),
        result = serve => panic!("the server ended: {result:?}"),
    };
    let messages = Messages { received: 9, processed: 5, user_exceptions: 2, system_exceptions: 2 };
    assert_eq!(status, Status { running: true, messages, last_error: "Exception: boom x0".into() });
}

#[tokio::test]
async fn who_does_not_listen_is_reported_with_the_port() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = status(port, Duration::from_secs(10)).await.unwrap_err();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn who_listens_but_says_nothing_costs_no_more_than_the_deadline() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(status(port, Duration::from_millis(50)).await.is_err());
}
