//! Names in directories.

use std::io;
use std::path::Path;
use std::rc::Rc;

use super::{Context, LATER, Lock};
use crate::fs::{Place, Space};

pub(crate) async fn create_dir_all(_: &Rc<Context>, _: &Path) -> io::Result<()> {
    unreachable!("{LATER}");
}
pub(crate) async fn read_dir(_: &Rc<Context>, _: &Path) -> io::Result<Vec<String>> {
    unreachable!("{LATER}");
}
pub(crate) async fn exists(_: &Rc<Context>, _: &Path) -> io::Result<bool> {
    unreachable!("{LATER}");
}
pub(crate) async fn remove_file(_: &Rc<Context>, _: &Path) -> io::Result<()> {
    unreachable!("{LATER}");
}
pub(crate) async fn remove_dir(_: &Rc<Context>, _: &Path) -> io::Result<()> {
    unreachable!("{LATER}");
}
pub(crate) async fn rename(_: &Rc<Context>, _: &Path, _: &Path) -> io::Result<()> {
    unreachable!("{LATER}");
}
pub(crate) async fn sync_dir(_: &Rc<Context>, _: &Path) -> io::Result<()> {
    unreachable!("{LATER}");
}
pub(crate) async fn space(_: &Rc<Context>, _: &Path) -> io::Result<Space> {
    unreachable!("{LATER}");
}
pub(crate) async fn place(_: &Rc<Context>, _: &Path) -> io::Result<Place> {
    unreachable!("{LATER}");
}
pub(crate) async fn lock(_: &Rc<Context>, _: &Path) -> io::Result<Lock> {
    unreachable!("{LATER}");
}
