//! The peer: a child process that is told what to do and says how long it took.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ndarray::ArrayView2;
use serde_json::Value;

pub struct Peer {
    pub name: String,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Where the numbers lie.
    directory: tempfile::TempDir,
}

impl Peer {
    /// Starts a script of benches/peers/ with the Python that PATRONAGE_PEER names.
    pub fn start(script: &str) -> Peer {
        let python = std::env::var("PATRONAGE_PEER").unwrap_or_else(|_| "python3".to_owned());
        let directory = tempfile::tempdir().unwrap();
        let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers")).join(script);
        let mut child = Command::new(python)
            .args([script.as_path(), directory.path()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a Python with what the script needs, named by PATRONAGE_PEER");
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut peer = Peer { name: String::new(), child, to, from, directory };
        peer.name = peer.answer()["name"].as_str().unwrap().to_owned();
        peer
    }

    /// Writes numbers where the peer reads them, once: row after row, little-endian.
    pub fn give(&self, name: &str, x: ArrayView2<'_, f64>) {
        let path = self.directory.path().join(name);
        if !path.exists() {
            let mut file = BufWriter::new(File::create(path).unwrap());
            file.write_all(&(x.ncols() as u64).to_le_bytes()).unwrap();
            x.iter().for_each(|value| file.write_all(&value.to_le_bytes()).unwrap());
            file.flush().unwrap();
        }
    }

    /// Seconds and what was found.
    pub fn ask(&mut self, what: &Value) -> (f64, Value) {
        writeln!(self.to, "{what}").unwrap();
        let answer = self.answer();
        (answer["seconds"].as_f64().unwrap(), answer)
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the peer said {line:?}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The most memory that this process has held, since it was last reset; 0 where the system does not say.
pub fn resident_bytes_max(reset: bool) -> u64 {
    if reset {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0) * 1024
}
