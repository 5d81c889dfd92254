//! Small counts in tables that leave the house: which to hide, so that none can be worked out.
//!
//! The rule is the one of official statistics: counts from 1 to 4 are not published (primary
//! suppression), nor is whatever else of a row or column would give them away by subtraction
//! (complementary suppression). A. Hundepool et al., Statistical Disclosure Control, Wiley 2012,
//! chapter 4.

/// The smallest count that is told.
pub const TOLD_MIN: u64 = 5;

/// A number of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub count: u64,
    /// Known anyway, so that hiding it would hide nothing.
    pub known: bool,
}

/// Which entries are hidden. `lines` are sets of entries, by place, of which each is the sum or the
/// difference of the others: a row with its total, a column with its own.
///
/// Besides small counts, every line that has one hidden entry loses a second: the smallest that is
/// not known, a zero if there is one, so that as little as can be is lost. A line that has no such entry
/// stays as it is.
pub fn hidden(entries: &[Entry], lines: &[Vec<usize>]) -> Vec<bool> {
    let small = |entry: &Entry| !entry.known && (1..TOLD_MIN).contains(&entry.count);
    let mut hidden: Vec<bool> = entries.iter().map(small).collect();
    // Every round hides something more, so there are at most as many rounds as entries.
    while let Some(place) = lines.iter().find_map(|line| second(entries, line, &hidden)) {
        match hidden.get_mut(place) {
            Some(one) => *one = true,
            None => break,
        }
    }
    hidden
}

/// Which of counts that come to a total that is known are hidden.
pub fn hidden_parts(counts: &[u64]) -> Vec<bool> {
    let mut entries: Vec<Entry> = counts.iter().map(|count| Entry { count: *count, known: false }).collect();
    entries.push(Entry { count: counts.iter().sum(), known: true });
    let mut hidden = hidden(&entries, &[(0..entries.len()).collect()]);
    hidden.truncate(counts.len());
    hidden
}

/// Which cells of a table are hidden, row by row, whose totals of rows and of columns are known.
pub fn hidden_cells(rows: &[Vec<u64>]) -> Vec<Vec<bool>> {
    let columns = rows.first().map_or(0, Vec::len);
    let cells = rows.len() * columns;
    let mut entries: Vec<Entry> = rows.iter().flatten().map(|count| Entry { count: *count, known: false }).collect();
    let total = |count: u64| Entry { count, known: true };
    entries.extend(rows.iter().map(|row| total(row.iter().sum())));
    let of_column = |column: usize| rows.iter().filter_map(|row| row.get(column)).sum();
    entries.extend((0..columns).map(|column| total(of_column(column))));
    let row = |row: usize| (row * columns..(row + 1) * columns).chain([cells + row]).collect();
    let column = |column: usize| {
        (0..rows.len()).map(|row| row * columns + column).chain([cells + rows.len() + column]).collect()
    };
    let lines: Vec<Vec<usize>> = (0..rows.len()).map(row).chain((0..columns).map(column)).collect();
    let hidden = hidden(&entries, &lines);
    hidden.get(..cells).unwrap_or_default().chunks(columns.max(1)).map(<[bool]>::to_vec).collect()
}

/// What else to hide of a line with one hidden entry.
fn second(entries: &[Entry], line: &[usize], hidden: &[bool]) -> Option<usize> {
    let is_hidden = |place: &&usize| hidden.get(**place).copied().unwrap_or(false);
    if line.iter().filter(is_hidden).count() != 1 {
        return None;
    }
    let open = line.iter().filter(|place| !is_hidden(place));
    let candidates = open.filter_map(|place| Some((*place, entries.get(*place)?))).filter(|(_, entry)| !entry.known);
    candidates.min_by_key(|(place, entry)| (entry.count, *place)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(counts: &[u64]) -> Vec<Entry> {
        counts.iter().map(|count| Entry { count: *count, known: false }).collect()
    }

    #[test]
    fn nothing_can_be_worked_out_from_totals() {
        assert_eq!(hidden_parts(&[9, 1, 30]), [true, true, false]);
        assert_eq!(hidden_parts(&[9, 5, 30]), [false; 3]);
        assert_eq!(hidden_parts(&[0, 2]), [true, true]);
        let hidden = hidden_cells(&[vec![14, 28, 1], vec![39, 91, 50], vec![69, 160, 154]]);
        assert_eq!(hidden, [[true, false, true], [true, false, true], [false; 3]]);
        assert!(hidden_cells(&[]).is_empty());
    }

    /// `true` at these places.
    fn at(places: &[usize], len: usize) -> Vec<bool> {
        (0..len).map(|place| places.contains(&place)).collect()
    }

    #[test]
    fn large_counts_and_zeros_are_told() {
        assert_eq!(hidden(&entries(&[0, 5, 100]), &[vec![0, 1, 2]]), at(&[], 3));
        assert_eq!(hidden(&[], &[]), at(&[], 0));
    }

    /// Rows a (3 9 | 12) and b (20 30 | 50), totals (23 39 | 62), by place:
    ///  0  1  2
    ///  3  4  5
    ///  6  7  8
    #[test]
    fn what_would_give_a_small_count_away_is_hidden_too() {
        let counts = entries(&[3, 9, 12, 20, 30, 50, 23, 39, 62]);
        let lines = [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8], vec![0, 3, 6], vec![1, 4, 7], vec![2, 5, 8]];
        // 3 is small. Its row loses 9; its column 20; the column of 9, which has lost one, 30.
        let found = hidden(&counts, &lines);
        assert_eq!(found, at(&[0, 1, 3, 4], 9));
        for line in &lines {
            assert_ne!(line.iter().filter(|place| found[**place]).count(), 1, "{line:?}");
        }
    }

    #[test]
    fn a_known_total_is_never_the_second() {
        let mut line = entries(&[2, 0, 0, 2]);
        line[3].known = true;
        assert_eq!(hidden(&line, &[vec![0, 1, 2, 3]]), at(&[0, 1], 4), "a zero hides it");
        let known = [Entry { count: 2, known: false }, Entry { count: 2, known: true }];
        assert_eq!(hidden(&known, &[vec![0, 1]]), at(&[0], 2), "nothing else can be hidden");
    }
}
