//! The operator against a real API server: what people write with kubectl becomes what it shall be and stays so, without any
//! gateway.

mod world;
mod definitions;
mod lifecycle;
mod repair;
mod neighbours;
mod leadership;
mod mesh;
