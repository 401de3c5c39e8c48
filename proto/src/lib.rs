//! What processes say to each other: generated messages and services under readable paths, and the only place that converts
//! between them and the model.
#![warn(missing_docs)]

macro_rules! package {
    ($(#[$doc:meta])* $module:ident, $package:literal) => {
        $(#[$doc])*
        pub mod $module {
            /// Version 1.
            #[allow(
                clippy::all,
                clippy::pedantic,
                clippy::allow_attributes_without_reason,
                missing_docs,
                unreachable_pub,
                unused_qualifications,
                reason = "generated code, in which not every one of these fires in every package"
            )]
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    };
}

package! {
    /// Names, history and conditions.
    common, "isthmus.common.v1"
}
package! {
    /// Functions, sources and sinks.
    component, "isthmus.component.v1"
}
package! {
    /// Clusters and Pulsar clusters.
    cluster, "isthmus.cluster.v1"
}
package! {
    /// User code and connectors.
    package, "isthmus.package.v1"
}
package! {
    /// Who may do what.
    access, "isthmus.access.v1"
}
package! {
    /// The gateway itself.
    gateway, "isthmus.gateway.v1"
}
package! {
    /// Between gateway and agent.
    sync, "isthmus.sync.v1"
}

pub mod convert;
pub mod failure;

/// All definitions as an encoded `google.protobuf.FileDescriptorSet`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
