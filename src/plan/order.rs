//! Topological order, and the shortest account of why there is none.

/// Orders nodes so that each follows what it needs, keeping the given order where it can.
///
/// `upstream[i]` are the nodes that i needs. The error is a cycle: each needs the next, the last
/// needs the first.
pub fn topological(upstream: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut done = vec![false; upstream.len()];
    let mut order = Vec::with_capacity(upstream.len());
    loop {
        let is_done = |index: &usize| done.get(*index).copied().unwrap_or(true);
        let next = (0..upstream.len())
            .find(|index| !is_done(index) && upstream.get(*index).is_some_and(|ups| ups.iter().all(is_done)));
        match next {
            Some(index) => {
                if let Some(slot) = done.get_mut(index) {
                    *slot = true;
                }
                order.push(index);
            }
            None if order.len() == upstream.len() => return Ok(order),
            None => return Err(cycle(upstream, &done)),
        }
    }
}

/// Walks from an unfinished node through unfinished ones until one repeats.
fn cycle(upstream: &[Vec<usize>], done: &[bool]) -> Vec<usize> {
    let open = |index: &usize| !done.get(*index).copied().unwrap_or(true);
    let mut path: Vec<usize> = (0..upstream.len()).find(|index| open(index)).into_iter().collect();
    while let Some(last) = path.last() {
        let Some(next) = upstream.get(*last).and_then(|ups| ups.iter().copied().find(|up| open(up))) else { break };
        if let Some(start) = path.iter().position(|one| *one == next) {
            return path.split_off(start);
        }
        path.push(next);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_stable_and_respects_needs() {
        assert_eq!(topological(&[vec![], vec![2], vec![0], vec![]]), Ok(vec![0, 2, 1, 3]));
    }

    #[test]
    fn a_cycle_is_named_without_what_leads_to_it() {
        assert_eq!(topological(&[vec![1], vec![2], vec![3], vec![1]]), Err(vec![1, 2, 3]));
        assert_eq!(topological(&[vec![0]]), Err(vec![0]));
    }
}
