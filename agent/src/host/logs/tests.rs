use std::io::Write;

use futures::StreamExt;

use super::*;
use crate::host::record::Layout;

const KEY: Key = Key { uid: Uid(uuid::Uuid::from_u128(1)), index: 0 };

/// An instance's directory with these logs, the oldest first.
fn logs(files: &[&str]) -> (tempfile::TempDir, InstanceDir) {
    let data = tempfile::tempdir().unwrap();
    let directory = Layout::new(data.path()).instance(KEY);
    std::fs::create_dir_all(directory.path()).unwrap();
    for (age, text) in files.iter().rev().enumerate() {
        let name =
            if age == 0 { directory.log() } else { put_aside(&directory.log(), u32::try_from(age).unwrap()) };
        std::fs::write(name, text).unwrap();
    }
    (data, directory)
}

async fn read(directory: &InstanceDir, tail: Option<u32>) -> String {
    let stream = open(KEY, directory.clone(), LogOptions { tail, follow: false }).await.unwrap();
    let pieces: Vec<_> = stream.map(|piece| piece.unwrap()).collect().await;
    String::from_utf8(pieces.concat()).unwrap()
}

#[tokio::test]
async fn all_that_is_kept_is_read_in_the_order_in_which_it_was_written() {
    let (_data, directory) = logs(&["1\n2\n", "3\n4\n", "5\n"]);
    assert_eq!(read(&directory, None).await, "1\n2\n3\n4\n5\n");
}

#[tokio::test]
async fn the_last_lines_reach_back_over_files_and_count_an_unfinished_line() {
    let (_data, directory) = logs(&["1\n2\n", "3\n4\n", "5\n"]);
    let tails =
        [(0, ""), (1, "5\n"), (2, "4\n5\n"), (3, "3\n4\n5\n"), (4, "2\n3\n4\n5\n"), (9, "1\n2\n3\n4\n5\n")];
    for (lines, expected) in tails {
        assert_eq!(read(&directory, Some(lines)).await, expected, "{lines} lines");
    }
    let (_data, directory) = logs(&["1\n2"]);
    assert_eq!(read(&directory, Some(1)).await, "2");
}

#[tokio::test]
async fn long_logs_come_in_pieces_and_whole() {
    let line = format!("{}\n", "x".repeat(99));
    let (_data, directory) = logs(&[&line.repeat(2000)]);
    assert_eq!(read(&directory, None).await.len(), 200_000);
    assert_eq!(read(&directory, Some(1500)).await, line.repeat(1500));
}

#[tokio::test]
async fn a_followed_log_goes_on_in_the_new_file_when_the_old_one_is_put_aside() {
    let (_data, directory) = logs(&["1\n"]);
    let stream = open(KEY, directory.clone(), LogOptions { tail: None, follow: true }).await.unwrap();
    let mut stream = std::pin::pin!(stream);
    assert_eq!(stream.next().await.unwrap().unwrap(), "1\n");
    let mut current = File::options().append(true).open(directory.log()).unwrap();
    current.write_all(b"2\n").unwrap();
    std::fs::rename(directory.log(), put_aside(&directory.log(), 1)).unwrap();
    std::fs::write(directory.log(), "3\n").unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "2\n");
    assert_eq!(stream.next().await.unwrap().unwrap(), "3\n");
}
