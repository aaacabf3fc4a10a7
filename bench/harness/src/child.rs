//! Processes on cores of their own: of the server's side, and clients that are programs.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use engine_rt::blocking;

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
}

impl Child {
    /// Starts `program` on these cores; what it says goes to these places.
    pub(crate) fn start(
        program: &Path,
        args: &[String],
        cpus: &str,
        stdout: Stdio,
        stderr: Stdio,
    ) -> io::Result<Self> {
        let command = &mut on_cores(program, args, cpus);
        let command = command.stdin(Stdio::null()).stdout(stdout);
        Ok(Self {
            process: command.stderr(stderr).spawn()?,
        })
    }

    /// Starts `program` on a core with its input and its output in our hands.
    pub(crate) fn talk(
        program: &Path,
        args: &[String],
        cpu: usize,
    ) -> io::Result<(Self, ChildStdin, BufReader<ChildStdout>)> {
        let mut command = on_cores(program, args, &cpu.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Self {
            process: command.spawn()?,
        };
        let pipes = child.process.stdin.take().zip(child.process.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| io::Error::other("no input or output"))?;
        Ok((child, stdin, BufReader::new(stdout)))
    }

    /// Starts a part of this very program.
    fn part(args: &[&str], cpu: usize) -> io::Result<(Self, BufReader<ChildStdout>)> {
        let args: Vec<String> = ["part"]
            .iter()
            .chain(args)
            .map(|&arg| arg.to_owned())
            .collect();
        let program = std::env::current_exe()?;
        let (out, err) = (Stdio::piped(), Stdio::inherit());
        let mut child = Self::start(&program, &args, &cpu.to_string(), out, err)?;
        let stdout = child.process.stdout.take().map(BufReader::new);
        let stdout = stdout.ok_or_else(|| io::Error::other("no standard output"))?;
        Ok((child, stdout))
    }

    /// Starts a part that serves, and gives the address that it says.
    pub(crate) async fn serve(args: &[&str], cpu: usize) -> io::Result<(Self, SocketAddr)> {
        let (child, stdout) = Self::part(args, cpu)?;
        let line = blocking(move || first_line(stdout)).await?;
        let port = line.trim().parse().map_err(io::Error::other)?;
        Ok((child, SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
    }

    /// Runs a part to its end and gives the figures that it prints.
    pub(crate) async fn figures(args: &[&str], cpu: usize) -> io::Result<Vec<(String, f64)>> {
        let (mut child, mut stdout) = Self::part(args, cpu)?;
        let text = blocking(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text)?;
            let status = child.process.wait()?;
            if status.success() {
                Ok(text)
            } else {
                Err(io::Error::other(status.to_string()))
            }
        })
        .await?;
        text.lines().map(figure).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks the process to stop (SIGTERM) and waits until it has.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        let pid = self.pid().to_string();
        let status = blocking(move || {
            Command::new("kill").args(["-TERM", &pid]).status()?;
            self.process.wait()
        })
        .await?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the broker stopped with {status}"
        )))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has ended already, or has nothing to lose.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// `taskset` becomes the program, so that the process id is the program's.
fn on_cores(program: &Path, args: &[String], cpus: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cpus]).arg(program).args(args);
    command
}

fn first_line(mut stdout: BufReader<ChildStdout>) -> io::Result<String> {
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    Ok(line)
}

/// A line `name<TAB>value`.
pub(crate) fn figure(line: &str) -> io::Result<(String, f64)> {
    let (name, value) = line
        .split_once('\t')
        .ok_or_else(|| io::Error::other(format!("not a figure: {line}")))?;
    let value = value.parse().map_err(io::Error::other)?;
    Ok((name.to_owned(), value))
}

/// An address of this machine that nobody listens on.
pub(crate) fn free_addr() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_names_and_numbers() {
        assert_eq!(figure("a b\t1.5").unwrap(), ("a b".to_owned(), 1.5));
        assert!(figure("a b").is_err());
        assert!(figure("a\tb").is_err());
    }
}
