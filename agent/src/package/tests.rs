use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream;

use super::*;

/// Gives what it was made with, in small chunks, and counts how often it was asked.
#[derive(Default)]
pub(super) struct Store {
    packages: HashMap<Digest, Vec<u8>>,
    asked: AtomicUsize,
}

#[derive(Debug, thiserror::Error)]
#[error("no such package")]
pub(super) struct NoSuchPackage;

impl Store {
    /// How often a package was asked for.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Fetch for Arc<Store> {
    type Error = NoSuchPackage;

    async fn fetch(
        &self,
        digest: Digest,
    ) -> Result<impl Stream<Item = Result<Bytes, NoSuchPackage>> + Send, NoSuchPackage> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let bytes = self.packages.get(&digest).cloned().ok_or(NoSuchPackage)?;
        let chunks: Vec<_> = bytes.chunks(7).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        // Others get a turn between chunks, as over a network.
        Ok(stream::iter(chunks).then(|chunk| async {
            tokio::task::yield_now().await;
            chunk
        }))
    }
}

pub(super) fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

pub(super) fn store(packages: &[&[u8]]) -> Arc<Store> {
    let packages = packages.iter().map(|bytes| (digest_of(bytes), bytes.to_vec())).collect();
    Arc::new(Store { packages, asked: AtomicUsize::new(0) })
}

pub(super) fn open(directory: &Path, capacity: u64, store: &Arc<Store>) -> Cache<Arc<Store>> {
    let config = Config { capacity: ByteSize::b(capacity), ..Config::default() };
    Cache::open(directory.to_path_buf(), &config, Arc::clone(store)).unwrap()
}

fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn concurrent_callers_share_one_fetch_and_a_later_cache_needs_none() {
    let (directory, store) = (tempfile::tempdir().unwrap(), store(&[b"the very same package"]));
    let digest = digest_of(b"the very same package");
    let cache = open(directory.path(), 1000, &store);
    let packages = futures::future::join_all((0..20).map(|_| cache.package(digest))).await;
    for package in packages {
        assert_eq!(std::fs::read(package.unwrap().path()).unwrap(), b"the very same package");
    }
    let again = open(directory.path(), 1000, &store);
    again.package(digest).await.unwrap();
    assert_eq!(store.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn bytes_of_another_digest_are_refused_and_leave_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = digest_of(b"what was asked for");
    let store = Arc::new(Store {
        packages: HashMap::from([(wanted, b"something else".to_vec())]),
        asked: AtomicUsize::new(0),
    });
    let refused = open(directory.path(), 1000, &store).package(wanted).await.unwrap_err();
    assert!(matches!(refused, Error::Mismatch { actual, .. } if actual == digest_of(b"something else")));
    assert_eq!(files(directory.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_fetch_that_is_given_up_halfway_harms_neither_the_next_nor_the_directory() {
    let (directory, store) = (tempfile::tempdir().unwrap(), store(&[b"a package of some length"]));
    let digest = digest_of(b"a package of some length");
    let cache = open(directory.path(), 1000, &store);
    {
        let mut given_up = pin!(cache.package(digest));
        assert!(futures::poll!(&mut given_up).is_pending());
    }
    assert!(cache.package(digest).await.is_ok());
    assert_eq!(files(directory.path()), [digest.to_string()]);
}

#[tokio::test]
async fn the_longest_unused_package_makes_room_but_never_one_that_is_held() {
    let (directory, store) = (tempfile::tempdir().unwrap(), store(&[&[b'a'; 40], &[b'b'; 40], &[b'c'; 40]]));
    let [a, b, c] = [b'a', b'b', b'c'].map(|byte| digest_of(&[byte; 40]));
    let cache = open(directory.path(), 100, &store);
    let held = cache.package(a).await.unwrap();
    cache.package(b).await.unwrap();
    cache.package(c).await.unwrap();
    assert!(held.path().exists());
    let mut left = files(directory.path());
    left.sort();
    let mut expected = [a.to_string(), c.to_string()];
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn a_package_larger_than_the_cache_is_refused_before_it_fills_the_disk() {
    let (directory, store) = (tempfile::tempdir().unwrap(), store(&[&[b'x'; 200]]));
    let refused = open(directory.path(), 100, &store).package(digest_of(&[b'x'; 200])).await.unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
    assert_eq!(files(directory.path()), Vec::<String>::new());
}

#[test]
fn what_an_interrupted_fetch_left_is_removed_at_the_next_start_and_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    for name in [".fetching-abc", "README"] {
        std::fs::write(directory.path().join(name), "x").unwrap();
    }
    open(directory.path(), 100, &store(&[]));
    assert_eq!(files(directory.path()), ["README"]);
}
