//! The bridge on which all clusters meet the host, while clusters come and go.

use std::process::Command;

use isthmus_testbed::kubernetes::Bridge;

/// A link whose hardware address is lower than that of any cluster's, so that a bridge without an address of its own takes this one.
struct Link;

const LINK: &str = "isthmus0-low";

impl Link {
    fn join(bridge: &str) -> anyhow::Result<Self> {
        let link = Self;
        ip(&["link", "add", LINK, "address", "00:00:00:00:00:01", "type", "veth"])?;
        ip(&["link", "set", LINK, "master", bridge, "up"])?;
        Ok(link)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = ip(&["link", "delete", LINK]);
    }
}

fn ip(words: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("ip").args(words).status()?;
    anyhow::ensure!(status.success(), "ip {} ended with {status}", words.join(" "));
    Ok(())
}

#[test]
fn nodes_find_the_host_at_the_same_hardware_address_whichever_clusters_come_and_go() -> anyhow::Result<()> {
    let _bridge = Bridge::hold()?;
    let seen = || std::fs::read_to_string("/sys/class/net/isthmus0/address");
    let before = seen()?;
    let link = Link::join("isthmus0")?;
    assert_eq!(seen()?, before);
    drop(link);
    assert_eq!(seen()?, before);
    Ok(())
}
