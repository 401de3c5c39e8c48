//! etcd and the API server, with the controller manager and the scheduler where they are wanted.
//!
//! Ready in seconds. Alone it is what a client of the API needs, and runs on any machine; with a node it is a
//! [`Cluster`](super::Cluster).

mod servers;

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    Error,
    certificates::{Authority, User},
    kubeconfig::Kubeconfig,
    kubectl::Client,
    site::Site,
};
use crate::{cache::Cache, fs, provision::KubernetesHome, run::Run, server::Server};
use servers::Files;

/// The first of the addresses that Services get, which is the API server's own.
const SERVICE_OF_THE_API: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 96, 0, 1);

/// One of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// Keeps everything.
    Etcd,
    /// What everybody speaks to.
    ApiServer,
    /// Makes pods of StatefulSets, endpoints of Services, and much else.
    ControllerManager,
    /// Gives pods to nodes.
    Scheduler,
}

/// Which servers shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// etcd and the API server: objects are kept, validated and watched, and nothing comes of them.
    ApiServer,
    /// The controller manager and the scheduler too.
    Whole,
}

/// Running servers; dropping this kills them and removes their data.
#[derive(Debug)]
pub struct ControlPlane {
    /// Declared before what they use, so that they are dropped first; the last to start is the first to stop.
    scheduler: Option<Server>,
    controllers: Option<Server>,
    api: Server,
    etcd: Server,
    site: Site,
    home: KubernetesHome,
    authority: Authority,
    admin: Kubeconfig,
    probe: reqwest::Client,
    run: Arc<Run>,
}

impl ControlPlane {
    /// Provides, starts and waits until the API server and what else was asked for is ready.
    pub async fn start(cache: &Cache, extent: Extent) -> Result<Self, Error> {
        let home = cache.kubernetes().await.map_err(Error::Provision)?;
        let run = Arc::new(Run::create(cache, "kubernetes").map_err(Error::Files)?);
        let site = Site::host(cache).map_err(Error::Ports)?;
        let mut plane = Self::prepare(run, home, site, extent)?;
        plane.resume_all().await?;
        Ok(plane)
    }

    /// Writes what the servers need, without starting them.
    pub(super) fn prepare(
        run: Arc<Run>,
        home: KubernetesHome,
        site: Site,
        extent: Extent,
    ) -> Result<Self, Error> {
        let dir = run.dir().join("control-plane");
        fs::create_dir(&dir).map_err(Error::Files)?;
        let authority = Authority::create().map_err(Error::Certificates)?;
        let files = Files::write(dir, &authority, &site)?;
        let administrator = User::administrator();
        let identity = authority.client(&administrator).map_err(Error::Certificates)?;
        let admin = files.kubeconfig(&site, &authority, &administrator)?;
        let probe = servers::probe(&authority, &identity)?;
        let log = |name: &str| run.dir().join(format!("{name}.log"));
        let server = |name: &str, program| Server::new(name, site.place(&program), log(name));
        let whole = extent == Extent::Whole;
        let controllers =
            if whole { Some(files.controller_manager(&home, &site, &authority)?) } else { None };
        let scheduler = if whole { Some(files.scheduler(&home, &site, &authority)?) } else { None };
        Ok(Self {
            scheduler: scheduler.map(|program| server("kube-scheduler", program)),
            controllers: controllers.map(|program| server("kube-controller-manager", program)),
            api: server("kube-apiserver", files.api_server(&home, &site)),
            etcd: server("etcd", files.etcd(&home, &site)),
            site,
            home,
            authority,
            admin,
            probe,
            run,
        })
    }

    /// Where clients connect, `https://…`.
    pub fn url(&self) -> String {
        servers::url(&self.site)
    }

    /// For a client that may do everything.
    pub fn kubeconfig(&self) -> &Kubeconfig {
        &self.admin
    }

    /// For a client that may do what this user may: nothing, until a role is bound to the user or its group.
    pub fn kubeconfig_of(&self, user: &User) -> Result<Kubeconfig, Error> {
        let identity = self.authority.client(user).map_err(Error::Certificates)?;
        let path = self.run.dir().join(format!("{}.kubeconfig", user.name.replace(['/', ':'], "-")));
        Kubeconfig::write(path, &self.url(), self.authority.pem(), &user.name, &identity)
            .map_err(Error::Files)
    }

    /// `kubectl`, as the administrator.
    pub fn kubectl(&self) -> Client {
        self.kubectl_as(&self.admin)
    }

    /// `kubectl`, as somebody else.
    pub fn kubectl_as(&self, kubeconfig: &Kubeconfig) -> Client {
        self.client("kubectl", [self.home.binary(), "kubectl".into()], kubeconfig)
    }

    /// `helm`, as the administrator.
    pub fn helm(&self) -> Client {
        self.client("helm", [self.home.helm()], &self.admin)
    }

    fn client(
        &self,
        name: &'static str,
        call: impl IntoIterator<Item = PathBuf>,
        kubeconfig: &Kubeconfig,
    ) -> Client {
        let call = self.site.enter().iter().cloned().chain(call.into_iter().map(PathBuf::into_os_string));
        Client::new(name, call.collect(), kubeconfig.path())
    }

    /// Kills a server without warning, if it runs; its data stays.
    pub async fn crash(&mut self, component: Component) -> Result<(), Error> {
        match self.server(component) {
            Some(server) => server.crash().await.map_err(Error::Server),
            None => Ok(()),
        }
    }

    /// Stops a server in good order, if it runs; its data stays.
    pub async fn halt(&mut self, component: Component) -> Result<(), Error> {
        match self.server(component) {
            Some(server) => server.stop().await.map(drop).map_err(Error::Server),
            None => Ok(()),
        }
    }

    /// Starts a server again, unless it runs or was never asked for, and waits until it is ready.
    pub async fn resume(&mut self, component: Component) -> Result<(), Error> {
        /// These start within seconds each, after one another, on whatever the machine has left.
        const ANSWER: Duration = Duration::from_secs(5);

        let url = servers::health(&self.site, component);
        let probe = self.probe.clone();
        let run = Arc::clone(&self.run);
        let Some(server) = self.server(component) else { return Ok(()) };
        let ready = async || {
            let answer = probe.get(&url).timeout(ANSWER).send().await;
            let answer = answer.map_err(|error| chain(&error))?;
            let status = answer.status();
            if status.is_success() { Ok(()) } else { Err(format!("{url} answers {status}")) }
        };
        server.resume(&run, ready).await.map_err(Error::Server)
    }

    /// Starts what does not run, in the order in which they need one another.
    pub(super) async fn resume_all(&mut self) -> Result<(), Error> {
        for component in
            [Component::Etcd, Component::ApiServer, Component::ControllerManager, Component::Scheduler]
        {
            self.resume(component).await?;
        }
        Ok(())
    }

    /// Ends everything at once and removes its data.
    pub async fn stop(mut self) -> Result<(), Error> {
        // Their data goes with them, and the API server alone would take a minute to see its watchers off.
        for component in
            [Component::Scheduler, Component::ControllerManager, Component::ApiServer, Component::Etcd]
        {
            self.crash(component).await?;
        }
        Ok(())
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    fn server(&mut self, component: Component) -> Option<&mut Server> {
        match component {
            Component::Etcd => Some(&mut self.etcd),
            Component::ApiServer => Some(&mut self.api),
            Component::ControllerManager => self.controllers.as_mut(),
            Component::Scheduler => self.scheduler.as_mut(),
        }
    }
}

/// reqwest's own word says less than its source.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
