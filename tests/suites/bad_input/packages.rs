//! Wrong uploads, and questions about packages that are not there.

use anyhow::Result;
use isthmus_model::reason::Reason::{
    DigestMismatch, Forbidden, InUse, InvalidField, MissingField, NotFound, Unauthenticated,
};
use isthmus_proto::package::v1::upload_package_request::Part;
use isthmus_proto::package::v1::{
    DeletePackageRequest, DownloadPackageRequest, GetPackageRequest, ListPackagesRequest, UploadHeader,
    UploadPackageRequest,
};
use isthmus_tests::Client;
use tonic::{Code, Status};

use super::case::{Case, case, fields, run};
use super::setting::Setting;

const NOWHERE: &str = "sha256:abababababababababababababababababababababababababababababababab";

async fn upload(client: &Client, parts: Vec<Part>) -> Result<(), Status> {
    upload_raw(client, parts.into_iter().map(Some).collect()).await
}

async fn upload_raw(client: &Client, parts: Vec<Option<Part>>) -> Result<(), Status> {
    let parts: Vec<_> = parts.into_iter().map(|part| UploadPackageRequest { part }).collect();
    client.packages().upload_package(tokio_stream::iter(parts)).await.map(drop)
}

fn header(file: &str, location: &str) -> Part {
    Part::Header(UploadHeader { file: file.into(), location: location.into() })
}

fn chunk() -> Part {
    Part::Chunk(b"code".to_vec().into())
}

#[tokio::test]
async fn every_wrong_call_about_packages_is_refused_and_changes_nothing() -> Result<()> {
    let setting = Setting::new().await?;
    let Setting { admin, dev, viewer, stranger, nobody, stored, .. } = &setting;
    let read = |location: &str| {
        let request = GetPackageRequest { location: location.into() };
        async move { admin.packages().get_package(request).await.map(drop) }
    };
    let remove = |client: &Client, location: &str| {
        let request = DeletePackageRequest { location: location.into() };
        let client = client.clone();
        async move { client.packages().delete_package(request).await.map(drop) }
    };

    let cases: Vec<Case<'_>> = vec![
        case(
            "other bytes than announced",
            Code::InvalidArgument,
            DigestMismatch,
            upload(admin, vec![header("a.jar", NOWHERE), chunk()]),
        ),
        fields(
            "a digest that is none",
            &[(InvalidField, "header.location", "\"sha256:12\"")],
            upload(admin, vec![header("a.jar", "sha256:12"), chunk()]),
        ),
        fields(
            "a digest of another kind",
            &[(InvalidField, "header.location", "\"md5:0123456789abcdef0123456789abcdef\"")],
            upload(admin, vec![header("a.jar", "md5:0123456789abcdef0123456789abcdef"), chunk()]),
        ),
        fields(
            "a file in a directory",
            &[(InvalidField, "header.file", "\"../a.jar\"")],
            upload(admin, vec![header("../a.jar", ""), chunk()]),
        ),
        fields(
            "a file without name",
            &[(MissingField, "header.file", "")],
            upload(admin, vec![header("", ""), chunk()]),
        ),
        fields(
            "a file whose name is a line",
            &[(InvalidField, "header.file", "\"a\\n.jar\"")],
            upload(admin, vec![header("a\n.jar", ""), chunk()]),
        ),
        fields(
            "bytes before the header",
            &[(InvalidField, "part", "")],
            upload(admin, vec![chunk(), header("a.jar", "")]),
        ),
        fields(
            "two headers",
            &[(InvalidField, "part", "")],
            upload(admin, vec![header("a.jar", ""), header("a.jar", ""), chunk()]),
        ),
        fields(
            "a message of nothing",
            &[(InvalidField, "part", "")],
            upload_raw(admin, vec![Some(header("a.jar", "")), None]),
        ),
        fields("an upload of nothing", &[(InvalidField, "part", "")], upload(admin, vec![])),
        fields(
            "a package of no bytes",
            &[(MissingField, "part", "")],
            upload(admin, vec![header("a.jar", "")]),
        ),
        case(
            "an upload by a viewer",
            Code::PermissionDenied,
            Forbidden,
            upload(viewer, vec![header("a.jar", ""), chunk()]),
        ),
        case(
            "an upload by nobody",
            Code::Unauthenticated,
            Unauthenticated,
            upload(nobody, vec![header("a.jar", ""), chunk()]),
        ),
        case("a package that is not there", Code::NotFound, NotFound, read(NOWHERE)),
        fields("a location that is none", &[(InvalidField, "location", "\"greet.jar\"")], read("greet.jar")),
        fields("no location", &[(MissingField, "location", "")], read("")),
        case("bytes that are not there", Code::NotFound, NotFound, async {
            let request = DownloadPackageRequest { location: NOWHERE.into() };
            admin.packages().download_package(request).await.map(drop)
        }),
        case("a list for a stranger", Code::PermissionDenied, Forbidden, async {
            stranger.packages().list_packages(ListPackagesRequest::default()).await.map(drop)
        }),
        fields("a page that no list handed out", &[(InvalidField, "pageToken", "\"next\"")], async {
            let request = ListPackagesRequest { page_token: "next".into(), ..<_>::default() };
            admin.packages().list_packages(request).await.map(drop)
        }),
        case("an end of what is not there", Code::NotFound, NotFound, remove(admin, NOWHERE)),
        case("an end of what is in use", Code::FailedPrecondition, InUse, remove(admin, stored)),
        case("an end by a developer", Code::PermissionDenied, Forbidden, remove(dev, stored)),
    ];
    run(admin, cases).await?;
    setting.end().await
}
