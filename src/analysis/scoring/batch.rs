//! Texts that go through the model together, as the rows of a tree.

use super::Text;

/// Rows of a batch: enough for matrix products at full speed, few enough that nothing grows with the number of texts.
const ROWS: usize = 768;
/// Longer beginnings than this are shared only where they are most of a text: attention along a tree is slower than along a text.
const SHORT: usize = 128;

/// A number that is wanted of a row.
pub(super) struct Wanted {
    pub row: usize,
    /// The token whose probability it is; none where only a set is asked for.
    pub target: Option<u32>,
    pub text: usize,
    /// Its place among the text's scored positions.
    pub place: usize,
}

/// Texts that go through the model together.
pub(super) struct Batch<'a> {
    share: bool,
    /// `[row]`.
    pub ids: Vec<u32>,
    /// What each segment follows, and its rows.
    pub branches: Vec<(Option<usize>, usize)>,
    pub wanted: Vec<Wanted>,
    pub texts: usize,
    /// The last text, and its rows.
    last: &'a [u32],
    path: Vec<usize>,
}

impl<'a> Batch<'a> {
    pub fn new(share: bool) -> Self {
        let (ids, branches, wanted, path) = Default::default();
        Self { share, ids, branches, wanted, texts: 0, last: &[], path }
    }

    pub fn is_full(&self) -> bool {
        self.ids.len() >= ROWS
    }

    /// Adds a text; what it has in common with the last one is there already.
    pub fn push(&mut self, number: usize, text: &Text<'a>) {
        self.texts += 1;
        let read = text.read();
        let alike = self.last.iter().zip(text.ids).take_while(|(a, b)| a == b).count();
        let common = alike.min(self.path.len()).min(read);
        let pays = self.share && (read <= SHORT || common * 2 >= read);
        self.path.truncate(if pays { common } else { 0 });
        let known = self.path.len();
        if known < read {
            let first = self.ids.len();
            self.branches.push((self.path.last().copied(), read - known));
            self.ids.extend(&text.ids[known..read]);
            self.path.extend(first..self.ids.len());
        }
        self.last = text.ids;
        let target = |position: usize| text.ids.get(position).copied();
        for position in text.from.max(1)..text.ids.len() + usize::from(text.beyond) {
            let (row, place) = (self.path[position - 1], position - text.from.max(1));
            self.wanted.push(Wanted { row, target: target(position), text: number, place });
        }
    }

    /// The rows of which something is wanted, in order; and what of them: place among those rows, token.
    pub fn wanted(&self) -> (Vec<u32>, Vec<(usize, Option<u32>)>) {
        let mut rows: Vec<u32> = self.wanted.iter().map(|wanted| wanted.row as u32).collect();
        rows.sort_unstable();
        rows.dedup();
        let place = |row: usize| rows.partition_point(|known| *known < row as u32);
        let targets = self.wanted.iter().map(|wanted| (place(wanted.row), wanted.target)).collect();
        (rows, targets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_texts_have_in_common_is_read_once() {
        let texts: [&[u32]; 4] = [&[0, 1, 2, 3], &[0, 1, 2, 3, 4], &[0, 1, 5, 6], &[7, 1, 2]];
        let mut batch = Batch::new(true);
        texts.iter().enumerate().for_each(|(number, ids)| batch.push(number, &Text::new(ids)));
        // 0 1 2, then 3 after 2, then 5 after 1, then 7 1 by themselves.
        assert_eq!(batch.ids, [0, 1, 2, 3, 5, 7, 1]);
        assert_eq!(batch.branches, [(None, 3), (Some(2), 1), (Some(1), 1), (None, 2)]);
        let of = |text: usize| -> Vec<usize> {
            batch.wanted.iter().filter(|wanted| wanted.text == text).map(|wanted| wanted.row).collect()
        };
        assert_eq!([of(0), of(1), of(2), of(3)], [vec![0, 1, 2], vec![0, 1, 2, 3], vec![0, 1, 4], vec![5, 6]]);
    }

    #[test]
    fn models_that_know_no_trees_get_whole_texts() {
        let mut batch = Batch::new(false);
        [&[0, 1, 2], &[0, 1, 3]].iter().enumerate().for_each(|(number, ids)| batch.push(number, &Text::new(*ids)));
        assert_eq!((batch.ids, batch.branches), (vec![0, 1, 0, 1], vec![(None, 2), (None, 2)]));
    }
}
