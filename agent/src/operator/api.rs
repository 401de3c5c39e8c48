//! The API server, as far as the operator uses it: each call ends within a time, and says on what it failed.

use std::fmt;
use std::time::Duration;

use isthmus_model::component::Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject, ObjectList, PartialObjectMeta, Request, Resource};
use serde::de::DeserializeOwned;

use crate::leader::Tenure;

/// The name under which the operator's fields stand in `managedFields`.
pub(crate) const MANAGER: &str = "isthmus-agent";

/// Objects of which one answer tells.
const PAGE: u32 = 500;

/// An API server that says nothing for so long will not answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Calls of the API server.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    tenure: Tenure,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

/// An object that is spoken of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) resource: ApiResource,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.resource.kind, self.namespace, self.name)
    }
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API server refused it, or could not be reached.
    #[error("cannot {verb} {place}")]
    Call { verb: &'static str, place: Box<Place>, source: kube::Error },
    /// No answer came.
    #[error("cannot {verb} {place}: no answer within {} s", PATIENCE.as_secs())]
    Late { verb: &'static str, place: Box<Place> },
    /// Another agent of the cluster may write now.
    #[error("did not {verb} {place}: this agent does not hold the cluster's Lease any more")]
    Over { verb: &'static str, place: Box<Place> },
}

impl Error {
    /// What the API server answered, if it answered.
    fn code(&self) -> Option<u16> {
        match self {
            Self::Call { source: kube::Error::Api(status), .. } => Some(status.code),
            Self::Call { .. } | Self::Late { .. } | Self::Over { .. } => None,
        }
    }

    /// The object is another one than was thought, or was changed since.
    pub(crate) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// The object, or its kind, does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The same call will fail again until somebody changes something: the reason in the API server's words.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Call { source: kube::Error::Api(status), .. }
                if matches!(status.code, 400 | 403 | 404 | 405 | 413 | 415 | 422) =>
            {
                Some(&status.message)
            }
            _ => None,
        }
    }
}

impl Api {
    /// Calls through `client`, of which those that change something are made only while `tenure` lasts.
    pub(crate) fn new(client: Client, tenure: Tenure) -> Self {
        Self { client, tenure }
    }

    /// The object, if there is one.
    pub(crate) async fn get(&self, place: &Place) -> Result<Option<Object>, Error> {
        let request = paths(place).get(&place.name, &GetParams::default());
        match self.call("get", place, request).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the object, if there is none of its name: a conflict otherwise.
    pub(crate) async fn create(&self, place: &Place, body: &Object, manager: &str) -> Result<Object, Error> {
        let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
        // An object of texts, numbers and the like is JSON without fail.
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.write("create", place, paths(place).create(&params, body)).await
    }

    /// Makes the members in `body` what they are there, and leaves all others; lists are members, too.
    pub(crate) async fn merge(&self, place: &Place, body: &Object, manager: &str) -> Result<Object, Error> {
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        self.write("change", place, paths(place).patch(&place.name, &params, &Patch::Merge(body))).await
    }

    /// Makes the fields in `body` what they are there, and takes away what an earlier call set and this one does not. With
    /// `force` also what others set since.
    pub(crate) async fn apply(
        &self,
        place: &Place,
        body: &Object,
        manager: &str,
        force: bool,
    ) -> Result<Object, Error> {
        let params = PatchParams { force, field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let request = paths(place).patch(&place.name, &params, &Patch::Apply(body));
        self.write("apply", place, request).await
    }

    /// The same for the status.
    pub(crate) async fn apply_status(&self, place: &Place, body: &Object) -> Result<Object, Error> {
        let params =
            PatchParams { force: true, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let request = paths(place).patch_subresource("status", &place.name, &params, &Patch::Apply(body));
        self.write("apply the status of", place, request).await
    }

    /// The object's metadata, if there is one.
    pub(crate) async fn metadata(&self, place: &Place) -> Result<Option<ObjectMeta>, Error> {
        let request = paths(place).get_metadata(&place.name, &GetParams::default());
        match self.call::<PartialObjectMeta>("get", place, request).await {
            Ok(object) => Ok(Some(object.metadata)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The metadata of all objects with these labels in the namespace; the place's name is not looked at.
    pub(crate) async fn list_metadata(&self, place: &Place, labels: &str) -> Result<Vec<ObjectMeta>, Error> {
        let mut params = ListParams::default().labels(labels).limit(PAGE);
        let mut all = Vec::new();
        loop {
            let request = paths(place).list_metadata(&params);
            let page = self.call::<ObjectList<PartialObjectMeta>>("list", place, request).await?;
            all.extend(page.items.into_iter().map(|object| object.metadata));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    /// Deletes the object if it still is the one with this identity; what it has made goes after it.
    pub(crate) async fn delete(&self, place: &Place, uid: &str) -> Result<(), Error> {
        self.delete_by(place, uid, DeleteParams::background()).await
    }

    /// The same, but what it has made goes first: when it is gone they are, too.
    pub(crate) async fn delete_after_children(&self, place: &Place, uid: &str) -> Result<(), Error> {
        self.delete_by(place, uid, DeleteParams::foreground()).await
    }

    async fn delete_by(&self, place: &Place, uid: &str, params: DeleteParams) -> Result<(), Error> {
        let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        let params = DeleteParams { preconditions, ..params };
        let request = paths(place).delete(&place.name, &params);
        match self.write("delete", place, request).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A call that changes something: not begun when the tenure is over, and not waited for any longer than it lasts.
    async fn write(
        &self,
        verb: &'static str,
        place: &Place,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Object, Error> {
        let over = || Error::Over { verb, place: Box::new(place.clone()) };
        let left = self.tenure.remaining().ok_or_else(over)?;
        match tokio::time::timeout(left, self.call(verb, place, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(over()),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        verb: &'static str,
        place: &Place,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<T, Error> {
        let failed = |source| Error::Call { verb, place: Box::new(place.clone()), source };
        let request = request.map_err(kube::Error::BuildRequest).map_err(failed)?;
        match tokio::time::timeout(PATIENCE, self.client.request::<T>(request)).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(Error::Late { verb, place: Box::new(place.clone()) }),
        }
    }
}

fn paths(place: &Place) -> Request {
    Request::new(DynamicObject::url_path(&place.resource, Some(&place.namespace)))
}
