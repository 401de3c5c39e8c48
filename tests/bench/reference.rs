//! What figures are compared with: measured in the same run, on the same disk, with the same number of connections.

pub(crate) mod etcd;
pub(crate) mod fdatasync;
pub(crate) mod echo;
pub(crate) mod writes;
