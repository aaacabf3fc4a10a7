//! Names in directories and file systems, on helper threads.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use super::helpers;
use super::lock::Lock;
use super::reactor::Reactor;
use super::sys;
use crate::fs::{Place, Space};

async fn on_helper<T: Send + 'static>(
    path: &Path,
    call: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = path.to_owned();
    helpers::run(move || call(&path)).await
}

pub(crate) async fn create_dir_all(_: &Rc<Reactor>, path: &Path) -> io::Result<()> {
    on_helper(path, |path| fs::create_dir_all(path)).await
}

pub(crate) async fn read_dir(_: &Rc<Reactor>, path: &Path) -> io::Result<Vec<String>> {
    on_helper(path, |path| {
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        let mut names = fs::read_dir(path)?
            .map(name)
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    })
    .await
}

pub(crate) async fn exists(_: &Rc<Reactor>, path: &Path) -> io::Result<bool> {
    on_helper(path, |path| fs::exists(path)).await
}

pub(crate) async fn remove_file(_: &Rc<Reactor>, path: &Path) -> io::Result<()> {
    on_helper(path, |path| fs::remove_file(path)).await
}

pub(crate) async fn remove_dir(_: &Rc<Reactor>, path: &Path) -> io::Result<()> {
    on_helper(path, |path| fs::remove_dir(path)).await
}

pub(crate) async fn rename(_: &Rc<Reactor>, from: &Path, to: &Path) -> io::Result<()> {
    let to = to.to_owned();
    on_helper(from, move |from| fs::rename(from, to)).await
}

pub(crate) async fn sync_dir(_: &Rc<Reactor>, path: &Path) -> io::Result<()> {
    on_helper(path, |path| fs::File::open(path)?.sync_all()).await
}

pub(crate) async fn space(_: &Rc<Reactor>, path: &Path) -> io::Result<Space> {
    on_helper(path, |path| {
        let stat = sys::statvfs(path)?;
        Ok(Space {
            total: stat.f_blocks * stat.f_frsize,
            available: stat.f_bavail * stat.f_frsize,
        })
    })
    .await
}

pub(crate) async fn place(_: &Rc<Reactor>, path: &Path) -> io::Result<Place> {
    on_helper(path, |path| {
        let inode = fs::metadata(path)?.ino();
        Ok(Place {
            inode,
            file_system: sys::statvfs(path)?.f_fsid,
        })
    })
    .await
}

pub(crate) async fn lock(_: &Rc<Reactor>, path: &Path) -> io::Result<Lock> {
    on_helper(path, Lock::take).await
}
