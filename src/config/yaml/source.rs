//! The file as characters and lines, for finding positions in it.

use super::node::Mark;

/// The characters of a file with the start of each line.
pub(super) struct Source {
    characters: Vec<char>,
    line_starts: Vec<usize>,
}

impl Source {
    /// `text` without its byte order mark. A line ends with LF, CR LF or CR, as YAML has it.
    pub fn new(text: &str) -> Self {
        let characters: Vec<char> = text.chars().collect();
        let mut line_starts = vec![0];
        for (index, &character) in characters.iter().enumerate() {
            let crlf = character == '\r' && characters.get(index + 1) == Some(&'\n');
            if character == '\n' || (character == '\r' && !crlf) {
                line_starts.push(index + 1);
            }
        }
        Self { characters, line_starts }
    }

    pub fn index(&self, mark: Mark) -> usize {
        let start = self.line_starts.get(mark.line.saturating_sub(1)).copied();
        start.map_or(self.characters.len(), |start| start + mark.column.saturating_sub(1))
    }

    pub fn mark(&self, index: usize) -> Mark {
        let line = self.line_starts.partition_point(|&start| start <= index);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        Mark::new(line.max(1), index - start + 1)
    }

    pub fn get(&self, index: usize) -> Option<char> {
        self.characters.get(index).copied()
    }

    /// How many lines there are; a line break at the end opens one more.
    pub fn lines(&self) -> usize {
        self.line_starts.len()
    }

    /// The line without its line break.
    pub fn line(&self, line: usize) -> &[char] {
        let start = self.line_starts.get(line.saturating_sub(1)).copied();
        let rest = start.and_then(|start| self.characters.get(start..)).unwrap_or(&[]);
        let end = rest.iter().position(|&c| is_break(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(&[])
    }

    /// Jumps over `&anchor` and `!tag`, which the parser counts to the scalar behind them.
    pub fn skip_properties(&self, mut index: usize) -> usize {
        loop {
            match self.get(index) {
                Some('&' | '!') => index += self.run(index, |c| !is_blank(c)),
                Some(c) if is_blank(c) => index += 1,
                Some('#') => index += self.run(index, |c| !is_break(c)),
                _ => return index,
            }
        }
    }

    pub fn run(&self, index: usize, wanted: impl Fn(char) -> bool) -> usize {
        let rest = self.characters.get(index..).unwrap_or(&[]);
        rest.iter().take_while(|&&c| wanted(c)).count()
    }
}

pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r')
}

pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}
