//! A whole cluster: a control plane and a node that runs pods, in namespaces of their own.

use std::{net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use super::{
    Error,
    control_plane::{ControlPlane, Extent},
    fault::{Effect, Faults, Flow},
    host::{Bridge, Place},
    namespace::Namespace,
    node::{Node, NodeComponent},
    site::Site,
    volume,
};
use crate::{cache::Cache, process::Program, run::Run};

/// A running cluster; dropping it ends everything in it and leaves nothing on the machine.
#[derive(Debug)]
pub struct Cluster {
    /// Declared before what they use, so that they are dropped first.
    node: Node,
    plane: ControlPlane,
    faults: Faults,
    namespace: Namespace,
    place: Place,
    run: Arc<Run>,
}

impl Cluster {
    /// Provides, starts and waits until pods can run and find one another.
    pub async fn start(cache: &Cache) -> Result<Self, Error> {
        let home = cache.kubernetes().await.map_err(Error::Provision)?;
        let images = cache.node_images().await.map_err(Error::Provision)?;
        let run = Arc::new(Run::create(cache, "cluster").map_err(Error::Files)?);
        let place = Place::take().map_err(Error::Place)?;
        place.make_cgroups().map_err(Error::Place)?;
        let namespace = Namespace::create(&run, &home).await?;
        place.link(namespace.init()).map_err(Error::Place)?;
        namespace.masquerade(&place.pods())?;
        let faults = Faults::prepare(&namespace)?;
        let site = Site::namespace(namespace.enter_network(), place.address());
        let mut plane = ControlPlane::prepare(Arc::clone(&run), home.clone(), site, Extent::Whole)?;
        let mut node = Node::prepare(Arc::clone(&run), &home, &place, &namespace, &plane, &images)?;
        tokio::try_join!(plane.resume_all(), node.start_containerd())?;
        node.join(&place, &plane).await?;
        Ok(Self { node, plane, faults, namespace, place, run })
    }

    /// Its API server, reached from the host as well as from within.
    pub fn control_plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Its API server and what belongs to it, to be stopped and started.
    pub fn control_plane_mut(&mut self) -> &mut ControlPlane {
        &mut self.plane
    }

    /// The node's address, by which the host reaches what listens in the cluster's network.
    pub fn address(&self) -> Ipv4Addr {
        self.place.address()
    }

    /// The host's address, by which nodes and pods reach what listens on the host.
    pub fn host_address(&self) -> Ipv4Addr {
        Bridge::address()
    }

    /// The program, started in the cluster's network with the host's files.
    pub fn within(&self, program: Program) -> Program {
        program.prefixed(&self.namespace.enter_network())
    }

    /// Makes an image known on the node, under the name that its archive gives it.
    pub async fn import(&self, archive: &Path) -> Result<(), Error> {
        self.node.import(archive).await
    }

    /// Makes a volume for the next claim that names no class.
    pub async fn provide_volume(&self, name: &str) -> Result<(), Error> {
        volume::provide(&self.plane, &self.place.node(), &self.run.dir().join("volumes"), name).await
    }

    /// To start programs for; it ends with the cluster.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Kills a server of the node without warning, if it runs; pods go on.
    pub async fn crash(&mut self, component: NodeComponent) -> Result<(), Error> {
        self.node.crash(component).await
    }

    /// Starts a server of the node again, unless it runs.
    pub async fn resume(&mut self, component: NodeComponent) -> Result<(), Error> {
        self.node.resume(component).await
    }

    /// Cuts these packets off, until [`Cluster::heal`].
    pub async fn cut(&mut self, flow: Flow) -> Result<(), Error> {
        self.disturb(flow, Effect::Cut).await
    }

    /// Holds each of these packets back for so long, until [`Cluster::heal`].
    pub async fn delay(&mut self, flow: Flow, delay: Duration) -> Result<(), Error> {
        self.disturb(flow, Effect::Delay(delay)).await
    }

    /// Loses as many of a hundred of these packets, at random, until [`Cluster::heal`].
    pub async fn lose(&mut self, flow: Flow, percent: f64) -> Result<(), Error> {
        self.disturb(flow, Effect::Lose(percent)).await
    }

    /// Adds a fault to those there are; of several that concern a packet, the first decides.
    pub async fn disturb(&mut self, flow: Flow, effect: Effect) -> Result<(), Error> {
        self.faults.add(&self.run, &self.namespace, flow, effect).await
    }

    /// Ends all faults.
    pub async fn heal(&mut self) -> Result<(), Error> {
        self.faults.heal(&self.run, &self.namespace).await
    }
}
