//! Local files that survive a power cut: synced before they get their name, whole or absent.

mod directory;
mod durable;
mod file;
mod lock;
mod store;
mod upload;

pub use directory::{AtomicDirectory, Placed};
pub use file::{size, write_atomic};
pub use lock::{Others, Presence, is_abandoned, is_old, remove_abandoned};
pub use store::DurableFileSystem;
