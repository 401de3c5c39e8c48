//! Waiting for a level instead of sleeping: the only way a test may let time pass.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// The level was not reached in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {:.1} s for {what}; last seen: {last}", waited.as_secs_f64())]
pub struct Expired {
    what: String,
    waited: Duration,
    last: String,
}

impl Expired {
    /// What was seen when it was last looked at.
    pub fn last(&self) -> &str {
        &self.last
    }
}

/// Looks again and again until `look` answers `Ok`, at most until `deadline` has passed.
///
/// `look` answers `Err` with what it saw instead; the last of these is in the error, so that a failing test tells where the
/// system stood. A look that hangs is cut off at the deadline as well. The value is returned as soon as it is seen: within
/// 20 ms at first, 250 ms after a while.
///
/// `what` completes the sentence "waited for …".
pub async fn until<T, S: fmt::Display>(
    what: impl fmt::Display,
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> Result<T, Expired> {
    const FIRST_PAUSE: Duration = Duration::from_millis(20);
    const LONGEST_PAUSE: Duration = Duration::from_millis(250);

    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut last = String::from("nothing, the first look has not come back");
    loop {
        let left = deadline.saturating_sub(began.elapsed());
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last = seen.to_string(),
            Err(_) => {}
        }
        // Looked at after the timeout too: one that is over does not stop a look that answers at once.
        if began.elapsed() >= deadline {
            return Err(Expired { what: what.to_string(), waited: began.elapsed(), last });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_level_reached_is_returned() {
        let mut looks = 0;
        let reached = until("three looks", Duration::from_secs(5), async || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(format!("{looks} looks")) }
        })
        .await;

        assert_eq!(reached.unwrap(), 3);
    }

    #[tokio::test]
    async fn an_expired_wait_tells_what_was_seen_last() {
        let expired =
            until("the moon", Duration::from_millis(60), async || Err::<(), _>("clouds")).await.unwrap_err();

        assert!(expired.to_string().ends_with("s for the moon; last seen: clouds"), "{expired}");
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut_off() {
        let hangs = until("an answer", Duration::from_millis(30), async || {
            std::future::pending::<()>().await;
            Err::<(), _>("unreachable")
        });

        assert_eq!(hangs.await.unwrap_err().last(), "nothing, the first look has not come back");
    }
}
