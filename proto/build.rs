//! Compiles the wire's definitions; nothing generated is committed.

use std::path::PathBuf;

const FILES: &[&str] = &[
    "isthmus/common/v1/metadata.proto",
    "isthmus/common/v1/condition.proto",
    "isthmus/component/v1/component.proto",
    "isthmus/component/v1/placement.proto",
    "isthmus/component/v1/spec.proto",
    "isthmus/component/v1/sealed.proto",
    "isthmus/component/v1/requests.proto",
    "isthmus/component/v1/function_service.proto",
    "isthmus/component/v1/source_service.proto",
    "isthmus/component/v1/sink_service.proto",
    "isthmus/component/v1/batch_service.proto",
    "isthmus/component/v1/manifest_service.proto",
    "isthmus/component/v1/sealing_service.proto",
    "isthmus/cluster/v1/cluster.proto",
    "isthmus/cluster/v1/cluster_service.proto",
    "isthmus/cluster/v1/pulsar_cluster_service.proto",
    "isthmus/package/v1/package_service.proto",
    "isthmus/access/v1/access_service.proto",
    "isthmus/gateway/v1/gateway_service.proto",
    "isthmus/sync/v1/sync.proto",
    "isthmus/sync/v1/sync_service.proto",
    "isthmus/sync/v1/join_service.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=isthmus");
    println!("cargo::rerun-if-changed=third_party");
    let descriptors = protox::compile(FILES, [".", "third_party"])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure()
        // Ordered maps, so that the same message always has the same bytes: unchanged specs are recognised by them.
        .btree_map(".")
        // Nine tenths of a component: it is moved often, and kept where most have none.
        .boxed(".isthmus.component.v1.Component.spec")
        .boxed(".isthmus.component.v1.Component.sealed_secrets")
        .boxed(".isthmus.sync.v1.Assignment.sealed_secrets")
        // Chunks, specs and frames are passed on without being copied.
        .bytes(".isthmus.package.v1")
        .bytes(".isthmus.sync.v1")
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .compile_fds(descriptors)?;
    Ok(())
}
