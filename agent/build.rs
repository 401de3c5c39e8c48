//! Compiles the definition of the instances' control service; nothing generated is committed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["instance_control.proto"], ["proto"])?;
    tonic_prost_build::configure().build_server(cfg!(debug_assertions)).compile_fds(descriptors)?;
    Ok(())
}
