//! Two CSV or TSV files, cell by cell; a column is a quantity.

use super::tally::Tally;
use super::{MEASURED, Tolerance, quote};
use crate::export::csv::unquoted;
use crate::text;
use csv_core::{ReadFieldResult, ReaderBuilder};

pub(super) fn differences(old: &[u8], new: &[u8], separator: u8, tolerance: &Tolerance) -> Vec<String> {
    let (old, new) = (cells(old, separator), cells(new, separator));
    let (Some(old_header), Some(header)) = (old.first(), new.first()) else { return vec!["it is empty".into()] };
    if old_header != header {
        return vec![format!("its columns are {}, were {}", header.join(", "), old_header.join(", "))];
    }
    let mut all = Vec::new();
    if old.len() != new.len() {
        all.push(format!("it has {}, had {}", text::count(new.len() - 1, "row"), old.len() - 1));
    }
    let mut columns: Vec<Tally> = header.iter().map(|name| Tally::new(name, tolerance.of("", name))).collect();
    for (row, (old, new)) in (1..).zip(old[1..].iter().zip(&new[1..])) {
        if old.len() != new.len() {
            all.push(format!("row {row} has {}, had {}", text::count(new.len(), "cell"), old.len()));
        }
        for (column, (old, new)) in columns.iter_mut().zip(old.iter().zip(new)) {
            let whole = column.name != MEASURED && old.parse::<i64>().is_ok() && new.parse::<i64>().is_ok();
            match (old.parse(), new.parse()) {
                (Ok(old), Ok(new)) => column.add(old, new, whole, || format!("row {row}")),
                _ if old != new => {
                    all.push(format!("{} in row {row} is {}, was {}", column.name, quote(new), quote(old)));
                }
                _ => {}
            }
        }
    }
    let numbers: Vec<String> = columns.iter().filter_map(Tally::sentence).collect();
    [numbers, all].concat()
}

/// Rows of cells. A broken table is read as cells, too, which may end anywhere.
fn cells(bytes: &[u8], separator: u8) -> Vec<Vec<String>> {
    let mut reader = ReaderBuilder::new().delimiter(separator).build();
    let (mut rest, mut rows) = (bytes, Vec::new());
    let (mut row, mut cell, mut buffer) = (Vec::new(), Vec::new(), [0; 1024]);
    loop {
        let (result, read, written) = reader.read_field(rest, &mut buffer);
        rest = &rest[read..];
        cell.extend_from_slice(&buffer[..written]);
        match result {
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            ReadFieldResult::Field { record_end } => {
                row.push(unquoted(&String::from_utf8_lossy(&std::mem::take(&mut cell))).to_owned());
                if record_end {
                    rows.push(std::mem::take(&mut row));
                }
            }
            ReadFieldResult::End => return rows,
        }
    }
}
