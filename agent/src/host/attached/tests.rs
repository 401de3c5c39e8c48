use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::*;

fn client(address: &str, instance: u32) -> Client {
    Client { subscription: Some("s".into()), address: address.parse().ok(), instance: Some(instance) }
}

fn watch() -> Watch {
    Watch { topics: vec!["t".into()], subscription: Some("s".into()), ..Watch::default() }
}

fn own(addresses: &[&str]) -> BTreeSet<SocketAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

#[test]
fn of_two_consumers_from_one_host_with_equal_numbers_only_the_own_connection_counts() {
    let other = client("127.0.0.1:4000", 0);
    assert!(!watch().sees(std::slice::from_ref(&other), 0, &own(&["127.0.0.1:5000"])));
    assert!(watch().sees(&[other, client("127.0.0.1:5000", 0)], 0, &own(&["127.0.0.1:5000"])));
}

#[test]
fn where_addresses_are_translated_the_number_decides() {
    assert!(watch().sees(&[client("192.0.2.1:7", 1)], 1, &own(&["10.0.0.5:5000"])));
    assert!(!watch().sees(&[client("192.0.2.1:7", 1)], 0, &own(&["10.0.0.5:5000"])));
}

#[test]
fn a_consumer_of_another_subscription_and_a_producer_do_not_count() {
    let own = own(&["127.0.0.1:5000"]);
    let elsewhere = Client { subscription: Some("else".into()), ..client("127.0.0.1:5000", 0) };
    let producer = Client { subscription: None, ..client("127.0.0.1:5000", 0) };
    assert!(!watch().sees(&[elsewhere, producer], 0, &own));
}

#[test]
fn an_address_written_as_ipv6_is_the_same_address() {
    assert!(watch().sees(&[client("[::ffff:127.0.0.1]:5000", 9)], 0, &own(&["127.0.0.1:5000"])));
}

#[test]
fn the_connections_of_this_very_process_are_found() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let pid = i32::try_from(std::process::id()).unwrap();
    let connections = connections_of(pid);
    assert!(connections.contains(&stream.local_addr().unwrap()), "{connections:?}");
    assert!(!connections.contains(&listener.local_addr().unwrap()) || listener.accept().is_ok());
}

#[test]
fn lines_of_the_kernel_are_read_in_both_families() {
    let v4 =
        "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0";
    let v6 = "   2: 0000000000000000FFFF00000100007F:1F91 0000000000000000FFFF00000100007F:C351 01 00000000:00000000 \
              00:00000000 00000000     0        0 4712 1 0";
    let listening = v4.replace(" 01 ", " 0A ");
    assert_eq!(entry(v4), Some(("127.0.0.1:8080".parse().unwrap(), 4711)));
    assert_eq!(entry(v6), Some(("127.0.0.1:8081".parse().unwrap(), 4712)));
    assert_eq!(entry(&listening), None);
    assert_eq!(entry("  sl  local_address rem_address   st tx_queue rx_queue"), None);
}
