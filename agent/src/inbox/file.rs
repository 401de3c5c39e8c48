//! The one file in which the desired set survives: SQLite, because a crash at any point must leave the set before or the set
//! after, and because the set need not fit in one write.
//!
//! A commit is one write to the log and one `fdatasync` (WAL, `synchronous=FULL`). Copying the log back into the file is
//! left to [`File::checkpoint`], which the caller runs when nobody waits for it.
//!
//! The log has its size from the begin and is written over: a file that grows needs, for each `fdatasync`, a commit of the file
//! system's own journal, for which all files of a disk wait for one another. Measured on ext4, that is twice the time in the
//! middle and three times at the far end.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use isthmus_model::name::Uid;
use isthmus_model::order::{Epoch, Generation, LogIndex, SetGeneration};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::holdings::Head;
use super::plan::{Plan, Step};

/// Marks the file as ours: "isth" in ASCII.
const APPLICATION_ID: i32 = 0x6973_7468;
/// Of the tables below.
const VERSION: i32 = 1;
/// What the log has room for from the begin: some ten changes of a few components.
const ROOM: u64 = 256 << 10;
/// From here on it is copied back, and begins anew within its room.
const FULL: u64 = ROOM / 4 * 3;
/// A log that a large change has made longer is cut back to this: SQLite's own default.
const LONGEST: u64 = 4 << 20;
/// What a page takes in the log.
const FRAME: u64 = 4096 + 24;

const SCHEMA: &str = "
    CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch INTEGER NOT NULL,
        log_index INTEGER NOT NULL,
        set_generation INTEGER NOT NULL,
        settled INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE entry (
        uid BLOB PRIMARY KEY,
        generation INTEGER,
        removal INTEGER,
        assignment BLOB,
        refused BLOB
    ) STRICT;
    INSERT INTO head VALUES (1, 0, 0, 0, 0);
";

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite cannot read or write it.
    #[error("cannot {what} {}", path.display())]
    Sqlite {
        /// What was attempted.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// It is another program's, or a newer version's.
    #[error(
        "{} is not an inbox of this version (application {application:#x}, version {version}, expected {VERSION}): use the version of isthmus-agent that wrote it, or another data directory",
        path.display()
    )]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What it says of itself.
        application: i32,
        /// What it says of itself.
        version: i32,
    },
}

/// One row: what is known of one component. See [`Step`] for how each of these comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The component's identity.
    pub uid: Uid,
    /// The newest assignment, if one was ever received.
    pub generation: Option<Generation>,
    /// The commit that took it away.
    pub removal: Option<Generation>,
    /// The newest assignment that could be taken.
    pub assignment: Option<Vec<u8>>,
    /// A newer one that could not.
    pub refused: Option<Vec<u8>>,
}

/// The file, open.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    connection: Connection,
    /// Bytes in the log that are not copied back, about.
    logged: u64,
}

impl File {
    /// Opens the file, and makes it when there is none. Only its owner can read it: specs may say more than others should
    /// see.
    pub fn open(path: &Path) -> Result<Self, Error> {
        (OpenOptions::new().create(true).append(true).mode(0o600).open(path))
            .map_err(|source| Error::Open { path: path.to_owned(), source })?;
        let connection = Connection::open(path).map_err(|source| failed("open", path, source))?;
        // Whoever else has it is another agent, which does not let go.
        connection.busy_timeout(Duration::ZERO).map_err(|source| failed("open", path, source))?;
        let mut file = Self { path: path.to_owned(), connection, logged: 0 };
        file.prepare()?;
        file.make_room()?;
        file.checkpoint()?;
        Ok(file)
    }

    fn prepare(&self) -> Result<(), Error> {
        let read = |name| {
            self.connection
                .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
                .map_err(|source| failed("read", &self.path, source))
        };
        let (application, version) = (read("application_id")?, read("user_version")?);
        let pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; \
            PRAGMA cache_size=-256; PRAGMA locking_mode=EXCLUSIVE;";
        let prepared = self
            .connection
            .execute_batch(&format!("{pragmas} PRAGMA journal_size_limit={LONGEST};"))
            // Else the log would go with the connection.
            .and_then(|()| self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
        prepared.map_err(|source| failed("open", &self.path, source))?;
        match (application, version) {
            (APPLICATION_ID, VERSION) => Ok(()),
            (0, 0) => self
                .connection
                .execute_batch(&format!(
                    "BEGIN; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION}; COMMIT;"
                ))
                .map_err(|source| failed("make the tables of", &self.path, source)),
            _ => Err(Error::Foreign { path: self.path.clone(), application, version }),
        }
    }

    /// Fills the log once, if it is shorter than its room. What that takes in the file itself is free for what comes.
    fn make_room(&self) -> Result<(), Error> {
        let log = PathBuf::from(format!("{}-wal", self.path.display()));
        if std::fs::metadata(log).is_ok_and(|data| data.len() >= ROOM) {
            return Ok(());
        }
        // Committed before it is dropped: pages that are free again when a transaction ends are not written.
        let fill = format!(
            "DROP TABLE IF EXISTS room; CREATE TABLE room (filler BLOB); INSERT INTO room VALUES (zeroblob({ROOM})); DROP TABLE room;"
        );
        self.connection.execute_batch(&fill).map_err(|source| failed("make room in", &self.path, source))
    }

    /// Where the set stands.
    pub fn head(&self) -> Result<Head, Error> {
        let read = |row: &Row<'_>| {
            Ok(Head {
                epoch: Epoch(number(row, 0)?.unwrap_or_default()),
                log_index: LogIndex(number(row, 1)?.unwrap_or_default()),
                set_generation: SetGeneration(number(row, 2)?.unwrap_or_default()),
                settled: row.get(3)?,
            })
        };
        self.connection
            .query_row("SELECT epoch, log_index, set_generation, settled FROM head", [], read)
            .optional()
            .map(Option::unwrap_or_default)
            .map_err(|source| failed("read", &self.path, source))
    }

    /// Visits every row.
    pub fn visit(&self, mut visit: impl FnMut(Stored)) -> Result<(), Error> {
        let sqlite = |source| failed("read", &self.path, source);
        let mut query = self
            .connection
            .prepare("SELECT uid, generation, removal, assignment, refused FROM entry ORDER BY uid")
            .map_err(sqlite)?;
        let mut rows = query.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            visit(stored(row).map_err(sqlite)?);
        }
        Ok(())
    }

    /// Makes plans durable, all or none; what is named as forgotten goes first. Returns once they are on disk.
    pub fn commit(&mut self, forgotten: &[Uid], plans: &[Plan]) -> Result<(), Error> {
        write(&mut self.connection, forgotten, plans)
            .map_err(|source| failed("write", &self.path, source))?;
        self.logged += logged(forgotten, plans);
        Ok(())
    }

    /// Whether the log is so full that copying it back is worth it.
    pub fn wants_checkpoint(&self) -> bool {
        self.logged >= FULL
    }

    /// Copies the log back into the file; what is written next begins it anew.
    pub fn checkpoint(&mut self) -> Result<(), Error> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
            .map_err(|source| failed("copy the log back into", &self.path, source))?;
        self.logged = 0;
        Ok(())
    }
}

/// What a commit takes in the log, about: the page of the head, and for each component that of its row with what does not fit
/// there.
fn logged(forgotten: &[Uid], plans: &[Plan]) -> u64 {
    let pages = |step: &Step| match step {
        Step::Run { bytes, .. } | Step::Refuse { bytes, .. } => 2 + bytes.len() as u64 / FRAME,
        Step::Stop(_) | Step::Hold { .. } => 2,
    };
    let pages: u64 = plans.iter().flat_map(|plan| &plan.steps).map(pages).sum();
    (1 + forgotten.len() as u64 + pages) * FRAME
}

fn failed(what: &'static str, path: &Path, source: rusqlite::Error) -> Error {
    Error::Sqlite { what, path: path.to_owned(), source }
}

/// SQLite's integers are signed; the bits are kept.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let uid: [u8; 16] = row.get(0)?;
    Ok(Stored {
        uid: Uid(uuid::Uuid::from_bytes(uid)),
        generation: number(row, 1)?.map(Generation),
        removal: number(row, 2)?.map(Generation),
        assignment: row.get(3)?,
        refused: row.get(4)?,
    })
}

fn write(connection: &mut Connection, forgotten: &[Uid], plans: &[Plan]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut delete = transaction.prepare_cached(
            "DELETE FROM entry WHERE uid = ?1 AND removal IS NOT NULL AND assignment IS NULL",
        )?;
        for uid in forgotten {
            delete.execute([uid.as_bytes()])?;
        }
    }
    for step in plans.iter().flat_map(|plan| &plan.steps) {
        write_step(&transaction, step)?;
    }
    if let Some(Plan { head, .. }) = plans.last() {
        let Head { epoch, log_index, set_generation, settled } = *head;
        transaction
            .prepare_cached("UPDATE head SET epoch = ?1, log_index = ?2, set_generation = ?3, settled = ?4")?
            .execute(params![
                epoch.0.cast_signed(),
                log_index.0.cast_signed(),
                set_generation.0.cast_signed(),
                settled
            ])?;
    }
    transaction.commit()
}

fn write_step(connection: &Connection, step: &Step) -> rusqlite::Result<()> {
    let set = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(sql)?.execute(values).map(|_| ())
    };
    let (uid, _) = step.entry();
    let uid: &[u8] = uid.as_bytes();
    match step {
        Step::Stop(removal) => set(
            "INSERT OR REPLACE INTO entry (uid, removal) VALUES (?1, ?2)",
            &[&uid, &removal.generation.0.cast_signed()],
        ),
        Step::Hold { removal, .. } => {
            set("UPDATE entry SET removal = ?2 WHERE uid = ?1", &[&uid, &removal.generation.0.cast_signed()])
        }
        Step::Run { bytes, assignment } => set(
            "INSERT OR REPLACE INTO entry (uid, generation, assignment) VALUES (?1, ?2, ?3)",
            &[&uid, &assignment.generation.0.cast_signed(), bytes],
        ),
        Step::Refuse { generation, bytes, .. } => set(
            "INSERT INTO entry (uid, generation, refused) VALUES (?1, ?2, ?3)
             ON CONFLICT (uid) DO UPDATE SET generation = ?2, refused = ?3, removal = NULL",
            &[&uid, &generation.0.cast_signed(), bytes],
        ),
    }
}
