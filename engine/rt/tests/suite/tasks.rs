use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Event, Semaphore, blocking, now, sleep, spawn, timeout, yield_now};

use super::{join_all, poll_once};

/// Says when it is dropped.
struct Flag(Rc<Cell<bool>>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

pub(crate) async fn output_and_cancel() {
    assert_eq!(spawn(async { 41 + 1 }).await, 42);
    let dropped = Rc::new(Cell::new(false));
    let flag = Flag(Rc::clone(&dropped));
    let sleeper = spawn(async move {
        sleep(Duration::from_hours(1)).await;
        drop(flag);
    });
    yield_now().await;
    assert!(!dropped.get());
    sleeper.cancel();
    yield_now().await;
    assert!(dropped.get(), "cancel drops the future");
    let detached = Rc::new(Cell::new(false));
    let flag = Flag(Rc::clone(&detached));
    spawn(async move { drop(flag) }).detach();
    yield_now().await;
    assert!(detached.get(), "a task runs on without its handle");
}

pub(crate) async fn yielding_lets_others_run() {
    let turns = Rc::new(RefCell::new(Vec::new()));
    let player = |name: char| {
        let turns = Rc::clone(&turns);
        spawn(async move {
            for _ in 0..3 {
                turns.borrow_mut().push(name);
                yield_now().await;
            }
        })
    };
    join_all(['a', 'b'].map(player).into()).await;
    let mut turns = turns.take();
    assert_eq!(turns.len(), 6);
    // Each has had its turn before the other has the next one.
    for pair in turns.chunks_mut(2) {
        pair.sort_unstable();
        assert_eq!(pair, ['a', 'b']);
    }
}

pub(crate) async fn event_wakes_all() {
    let event = Rc::new(Event::new());
    let woken = Rc::new(Cell::new(0));
    let waiter = |_| {
        let (event, woken) = (Rc::clone(&event), Rc::clone(&woken));
        spawn(async move {
            event.wait().await;
            woken.set(woken.get() + 1);
        })
    };
    let waiters: Vec<_> = (0..100).map(waiter).collect();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(woken.get(), 0);
    event.notify();
    join_all(waiters).await;
    assert_eq!(woken.get(), 100);
    assert!(
        poll_once(event.wait()).is_pending(),
        "a past notification is past"
    );
}

pub(crate) async fn semaphore_is_fair() {
    let semaphore = Semaphore::new(4);
    let first = semaphore.acquire(3).await;
    let order = Rc::new(RefCell::new(Vec::new()));
    // The second would fit but stands behind the first, which does not.
    let waiter = |units: usize| {
        let (semaphore, order) = (semaphore.clone(), Rc::clone(&order));
        spawn(async move {
            let permit = semaphore.acquire(units).await;
            order.borrow_mut().push(units);
            assert_eq!(permit.units(), units);
            yield_now().await;
        })
    };
    let mut waiters = Vec::new();
    for units in [4, 1, 2] {
        // Each is in the line before the next one comes: tasks begin in any order.
        waiters.push(waiter(units));
        yield_now().await;
    }
    assert!(order.borrow().is_empty(), "nobody overtakes");
    drop(first);
    join_all(waiters).await;
    assert_eq!(*order.borrow(), [4, 1, 2]);
    assert_eq!(semaphore.free(), 4);
}

pub(crate) async fn semaphore_grants_oversized_requests_alone() {
    let semaphore = Semaphore::new(4);
    let all = semaphore.acquire(1_000_000).await;
    assert_eq!((all.units(), semaphore.free()), (4, 0));
}

pub(crate) async fn a_dropped_waiter_leaves_the_line() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.acquire(1).await;
    let soon = now() + Duration::from_millis(2);
    let waiting = semaphore.clone();
    let behind = spawn({
        let semaphore = semaphore.clone();
        async move {
            sleep(Duration::from_millis(1)).await;
            semaphore.acquire(1).await.units()
        }
    });
    assert!(timeout(soon, waiting.acquire(2)).await.is_err());
    assert_eq!(behind.await, 1, "the one behind goes on");
    drop(held);
    assert_eq!(semaphore.free(), 2);
}

pub(crate) async fn blocking_work_comes_back() {
    let works: Vec<_> = (0..100_u64)
        .map(|number| spawn(blocking(move || number * number)))
        .collect();
    let squares = join_all(works).await;
    assert!((0..100).map(|number| number * number).eq(squares));
}
