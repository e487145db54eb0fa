//! Tables of what a command found, for CSV and Parquet: a row for each head, token, word or part.

use crate::error::{Error, Result};
use crate::text;

/// Rows of typed columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// One cell per column each.
    pub rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its cells hold, where they are not empty.
    pub kind: Kind,
}

/// What a cell can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole,
    /// A float32.
    Number,
    /// A text.
    Text,
    /// A list of float32. Not in CSV.
    Numbers,
    /// A list of texts. Not in CSV.
    Texts,
}

/// The value of one row in one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// A whole number.
    Whole(i64),
    /// A float32, not NaN.
    Number(f32),
    /// A text.
    Text(String),
    /// A list of float32.
    Numbers(Vec<f32>),
    /// A list of texts.
    Texts(Vec<String>),
}

/// A column of whole numbers.
pub const fn whole(name: &'static str) -> Column {
    Column { name, kind: Kind::Whole }
}

/// A column of float32.
pub const fn number(name: &'static str) -> Column {
    Column { name, kind: Kind::Number }
}

/// A column of texts.
pub const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

impl Cell {
    /// What it holds, unless it is empty.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Cell::Empty => None,
            Cell::Whole(_) => Some(Kind::Whole),
            Cell::Number(_) => Some(Kind::Number),
            Cell::Text(_) => Some(Kind::Text),
            Cell::Numbers(_) => Some(Kind::Numbers),
            Cell::Texts(_) => Some(Kind::Texts),
        }
    }
}

impl Table {
    /// Fails unless every cell fits its column.
    pub(super) fn check(&self) -> Result<()> {
        for row in &self.rows {
            let (cells, columns) = (row.len(), self.columns.len());
            if cells != columns {
                return Err(Error::failed(format!("a row has {} in a table of {columns}", text::count(cells, "cell"))));
            }
            let odd =
                row.iter().zip(&self.columns).find(|(cell, col)| cell.kind().is_some_and(|kind| kind != col.kind));
            if let Some((cell, column)) = odd {
                let (held, wanted) = (cell.kind(), column.kind);
                return Err(Error::failed(format!("{} has {held:?} in a column of {wanted:?}", column.name)));
            }
        }
        Ok(())
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Cell::Whole(number as i64)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Cell::Whole(number.into())
    }
}

impl From<f32> for Cell {
    /// NaN becomes an empty cell.
    fn from(number: f32) -> Self {
        if number.is_nan() { Cell::Empty } else { Cell::Number(number) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.into())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Empty, Into::into)
    }
}
