//! The peer: a child process that is told what to do and says how long it took.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

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

    /// Does the same as the peer is asked for, taking turns with it.
    pub fn take_turns<T>(&mut self, turns: usize, asked: &Value, mut ours: impl FnMut() -> T) -> Turns<T> {
        let (mut own, mut theirs, mut more_bytes) = (vec![], vec![], 0);
        let mut last = None;
        for _ in 0..turns.max(1) {
            drop(last.take());
            let before = resident_bytes_max(true);
            let start = Instant::now();
            let found = ours();
            own.push(start.elapsed().as_secs_f64());
            // Later turns find memory that the first one left.
            more_bytes = more_bytes.max(resident_bytes_max(false).saturating_sub(before));
            let (seconds, answer) = self.ask(asked);
            theirs.push(seconds);
            last = Some((found, answer));
        }
        let (found, answer) = last.unwrap();
        Turns { own: median(own), theirs: median(theirs), more_bytes, found, answer }
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

/// Medians in seconds, the memory that ours took beside what was there, and what both found last.
pub struct Turns<T> {
    own: f64,
    theirs: f64,
    more_bytes: u64,
    pub found: T,
    pub answer: Value,
}

impl<T> Turns<T> {
    /// A line of the table.
    pub fn tell(&self, name: &str, said: &str) {
        let (own, theirs, ratio) = (self.own, self.theirs, self.theirs / self.own);
        let megabytes = self.more_bytes as f64 / 1e6;
        println!("{name:<44} {own:>8.3} s {theirs:>9.3} s {ratio:>7.2} times  {megabytes:>6.0} MB  {said}");
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Which cases the command line asks for: those whose names contain one of its words, or all.
pub struct Wanted(pub Vec<String>);

impl Wanted {
    pub fn of_arguments() -> Wanted {
        Wanted(std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|wanted| name.contains(wanted.as_str()))
    }
}

/// How often each has its turn.
pub fn turns(default: usize) -> usize {
    std::env::var("PATRONAGE_TURNS").ok().and_then(|turns| turns.parse().ok()).unwrap_or(default)
}

/// The most memory that this process has held, since it was last reset; 0 where the system does not say.
fn resident_bytes_max(reset: bool) -> u64 {
    if reset {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0) * 1024
}
