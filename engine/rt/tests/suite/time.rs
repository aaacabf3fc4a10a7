use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Elapsed, now, sleep, sleep_until, spawn, timeout, yield_now};

use super::join_all;

pub(crate) async fn timers_fire_in_the_order_of_their_deadlines() {
    let fired = Rc::new(RefCell::new(Vec::new()));
    let start = now();
    let timer = |millis: u64| {
        let fired = Rc::clone(&fired);
        spawn(async move {
            sleep_until(start + Duration::from_millis(millis)).await;
            fired.borrow_mut().push(millis);
        })
    };
    join_all([30, 10, 50, 20, 10, 40, 0].map(timer).into()).await;
    assert_eq!(*fired.borrow(), [0, 10, 10, 20, 30, 40, 50]);
    assert!(now().since(start) >= Duration::from_millis(50));
}

pub(crate) async fn a_timer_is_never_early() {
    for micros in [1, 10, 100, 1_000, 3_333] {
        let before = now();
        sleep(Duration::from_micros(micros)).await;
        assert!(
            now() - before >= Duration::from_micros(micros),
            "slept less than {micros} us"
        );
    }
}

pub(crate) async fn timeout_gives_the_output_or_the_deadline() {
    let soon = now() + Duration::from_millis(5);
    let late = now() + Duration::from_mins(1);
    assert_eq!(
        timeout(soon, std::future::pending::<()>()).await,
        Err(Elapsed)
    );
    assert!(now() >= soon);
    assert_eq!(timeout(late, async { 7 }).await, Ok(7));
    assert_eq!(
        timeout(soon, async { 8 }).await,
        Ok(8),
        "what is ready comes first"
    );
    assert!(now() < late);
}

pub(crate) async fn many_timers_can_be_taken_back() {
    let far = now() + Duration::from_hours(1);
    let sleepers: Vec<_> = (0..10_000).map(|_| spawn(sleep_until(far))).collect();
    yield_now().await;
    for sleeper in sleepers {
        sleeper.cancel();
    }
    sleep(Duration::from_millis(1)).await;
    assert!(now() < far);
}
