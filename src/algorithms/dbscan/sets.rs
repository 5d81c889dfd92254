//! Disjoint sets that many threads unite at once. Which thread comes first decides nothing: the sets are the same.

use std::sync::atomic::{AtomicU32, Ordering};

pub(super) struct Sets {
    /// Towards the least member of the set.
    parents: Vec<AtomicU32>,
}

impl Sets {
    /// Each member alone.
    pub(super) fn new(members: usize) -> Sets {
        Sets { parents: (0..members as u32).map(AtomicU32::new).collect() }
    }

    /// Who stands for the set now; another may by the time that it is known.
    pub(super) fn find(&self, mut member: u32) -> u32 {
        loop {
            let parent = self.parent(member);
            if parent == member {
                return member;
            }
            // Shortens the way of those who come later.
            let above = self.parent(parent);
            if above != parent {
                let _ = self.parents[member as usize].compare_exchange_weak(
                    parent,
                    above,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
            }
            member = above;
        }
    }

    /// Whether both are of one set; once they are, they stay so.
    pub(super) fn are_one(&self, a: u32, b: u32) -> bool {
        loop {
            let (a, b) = (self.find(a), self.find(b));
            if a == b {
                return true;
            }
            // Nobody stood above `a` as `b` was found.
            if self.parent(a) == a {
                return false;
            }
        }
    }

    pub(super) fn unite(&self, mut a: u32, mut b: u32) {
        loop {
            (a, b) = (self.find(a), self.find(b));
            if a == b {
                return;
            }
            let (least, other) = (a.min(b), a.max(b));
            let hung =
                self.parents[other as usize].compare_exchange(other, least, Ordering::Relaxed, Ordering::Relaxed);
            if hung.is_ok() {
                return;
            }
        }
    }

    fn parent(&self, member: u32) -> u32 {
        self.parents[member as usize].load(Ordering::Relaxed)
    }
}
