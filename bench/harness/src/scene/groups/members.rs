//! Members of groups: many that are alone in theirs, and a thousand in one.

use std::cell::Cell;
use std::cmp::Ordering;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Task, now, sleep, spawn};

use crate::client::{Connection, Member};

/// Groups of one member each.
pub(super) const GROUPS: usize = 10_000;
/// Members of the large group, each with a connection of its own.
pub(super) const MEMBERS: usize = 1_000;
/// What all members read.
pub(super) const TOPIC: &str = "consumed";
pub(super) const LARGE_GROUP: &str = "large";
/// Connections that the members of the many groups share.
pub(super) const CONNECTIONS: usize = 50;
/// Heartbeats while the large group forms.
const FORMING_BEAT: Duration = Duration::from_millis(250);
const REBALANCES: usize = 3;

/// A member of the large group with its connection.
type Seat = (Connection, Member);

pub(super) fn group(number: usize) -> String {
    format!("group-{number}")
}

/// The members of the many groups, once each has its assignment.
pub(super) async fn many(addr: SocketAddr) -> io::Result<Vec<Member>> {
    let of_connection = |first: usize| {
        spawn(async move {
            let connection = Connection::connect(addr).await?;
            let mut members = Vec::new();
            for number in (first..GROUPS).step_by(CONNECTIONS) {
                let mut member = Member::new(group(number), TOPIC);
                while !member.join(&connection).await? {}
                members.push(member);
            }
            Ok(members)
        })
    };
    let tasks: Vec<Task<io::Result<Vec<Member>>>> = (0..CONNECTIONS).map(of_connection).collect();
    let mut members = Vec::with_capacity(GROUPS + MEMBERS);
    for task in tasks {
        members.extend(task.await?);
    }
    Ok(members)
}

/// The members of the large group, after they have made it and all have joined again at the same
/// time, a few times; with the seconds that each of that took, by its row.
pub(super) async fn large(addr: SocketAddr) -> io::Result<(Vec<Member>, Vec<(&'static str, f64)>)> {
    let mut seats = Vec::with_capacity(MEMBERS);
    for _ in 0..MEMBERS {
        let connection = Connection::connect(addr).await?;
        seats.push((connection, Member::new(LARGE_GROUP.to_owned(), TOPIC)));
    }
    let forming = Rc::new(Cell::new((0, 0)));
    let (mut seats, first) = together(seats, |seat| form(seat, Rc::clone(&forming))).await?;
    let mut took = vec![("join.first", first)];
    for _ in 0..REBALANCES {
        let seconds;
        (seats, seconds) = together(seats, join_again).await?;
        took.push(("join", seconds));
    }
    let members = seats.into_iter().map(|(_, member)| member);
    Ok((members.collect(), took))
}

/// Lets all members do something at the same time, and says how many seconds the last one took.
async fn together<F>(seats: Vec<Seat>, act: impl Fn(Seat) -> F) -> io::Result<(Vec<Seat>, f64)>
where
    F: Future<Output = io::Result<Seat>> + 'static,
{
    let started = now();
    let tasks: Vec<Task<io::Result<Seat>>> =
        seats.into_iter().map(|seat| spawn(act(seat))).collect();
    let mut seats = Vec::with_capacity(MEMBERS);
    for task in tasks {
        seats.push(task.await?);
    }
    Ok((seats, (now() - started).as_secs_f64()))
}

/// Joins as often as the others want, until all are in one generation: `forming` has the newest one,
/// and how many have their assignment in it.
async fn form(seat: Seat, forming: Rc<Cell<(i32, usize)>>) -> io::Result<Seat> {
    let (connection, mut member) = seat;
    loop {
        if !member.join(&connection).await? {
            continue;
        }
        let (newest, count) = forming.get();
        match member.generation.cmp(&newest) {
            Ordering::Less => {},
            Ordering::Equal => forming.set((newest, count + 1)),
            Ordering::Greater => forming.set((member.generation, 1)),
        }
        loop {
            if forming.get().1 == MEMBERS {
                return Ok((connection, member));
            }
            sleep(FORMING_BEAT).await;
            if !member.beat(&connection).await? {
                break;
            }
        }
    }
}

async fn join_again((connection, mut member): Seat) -> io::Result<Seat> {
    if member.join(&connection).await? {
        Ok((connection, member))
    } else {
        Err(io::Error::other("a rebalance that nobody asked for"))
    }
}
