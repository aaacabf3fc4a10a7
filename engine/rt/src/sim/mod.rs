//! The simulated world: many executors of many nodes on one thread, from one seed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use crate::buf::Buf;
use crate::executor::MainFn;
use crate::fs::{Durability, OpenOptions};
use crate::task::LocalFuture;
use crate::{ExecutorSpec, Instant, Piece};

pub(crate) mod fs;

const LATER: &str = "the simulated world is being written";

/// One executor of the simulation.
#[derive(Debug)]
pub(crate) struct Context;

impl Context {
    pub(crate) fn spawn(&self, _future: LocalFuture) {
        unreachable!("{LATER}");
    }
    pub(crate) fn spawn_executor(&self, _spec: ExecutorSpec, _main: MainFn) {
        unreachable!("{LATER}");
    }
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        _work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        unreachable!("{LATER}");
    }
    pub(crate) fn now(&self) -> Instant {
        unreachable!("{LATER}");
    }
    pub(crate) fn wall_clock_ms(&self) -> i64 {
        unreachable!("{LATER}");
    }
    pub(crate) async fn sleep_until(&self, _deadline: Instant) {
        unreachable!("{LATER}");
    }
    pub(crate) fn random_u64(&self) -> u64 {
        unreachable!("{LATER}");
    }
}

#[derive(Clone, Debug)]
pub(crate) struct File;

impl File {
    pub(crate) async fn open(_: &Rc<Context>, _: &Path, _: OpenOptions) -> io::Result<Self> {
        unreachable!("{LATER}");
    }
    pub(crate) async fn write_at(&self, _: u64, _: Buf, _: Durability) -> io::Result<()> {
        unreachable!("{LATER}");
    }
    pub(crate) async fn read_at(&self, _: u64, _: usize) -> io::Result<Buf> {
        unreachable!("{LATER}");
    }
    pub(crate) async fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        unreachable!("{LATER}");
    }
    pub(crate) async fn set_len(&self, _: u64) -> io::Result<()> {
        unreachable!("{LATER}");
    }
    pub(crate) async fn sync(&self) -> io::Result<()> {
        unreachable!("{LATER}");
    }
    pub(crate) async fn len(&self) -> io::Result<u64> {
        unreachable!("{LATER}");
    }
    pub(crate) async fn make_resident(&self, _: u64, _: usize) -> io::Result<()> {
        unreachable!("{LATER}");
    }
    pub(crate) fn is_resident(&self, _: u64, _: usize) -> bool {
        unreachable!("{LATER}");
    }
}

#[derive(Debug)]
pub(crate) struct Lock;

#[derive(Debug)]
pub(crate) struct Listener;

impl Listener {
    pub(crate) fn bind(_: &Rc<Context>, _: SocketAddr) -> io::Result<Self> {
        unreachable!("{LATER}");
    }
    pub(crate) fn local_addr(&self) -> SocketAddr {
        unreachable!("{LATER}");
    }
    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        unreachable!("{LATER}");
    }
}

#[derive(Debug)]
pub(crate) struct Socket;

#[derive(Debug)]
pub(crate) struct Stream;

impl Stream {
    pub(crate) async fn connect(_: &Rc<Context>, _: SocketAddr) -> io::Result<Self> {
        unreachable!("{LATER}");
    }
    pub(crate) fn attach(_: &Rc<Context>, _: Socket) -> Self {
        unreachable!("{LATER}");
    }
    pub(crate) async fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
        unreachable!("{LATER}");
    }
    pub(crate) async fn send(&self, _: &[Piece]) -> io::Result<()> {
        unreachable!("{LATER}");
    }
    pub(crate) fn shutdown(&self) {
        unreachable!("{LATER}");
    }
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        unreachable!("{LATER}");
    }
    pub(crate) fn local_addr(&self) -> SocketAddr {
        unreachable!("{LATER}");
    }
}
