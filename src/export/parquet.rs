//! Apache Parquet: the tables of many prompts in one file, for DuckDB, Polars, pandas and Spark.
//!
//! Every column may be null, as an empty cell is; lists are not null. Blocks of rows are compressed with Snappy.

use super::record::json;
use super::table::{Cell, Column, Kind, Table};
use crate::error::{Error, Result};
use crate::record::{NAME, Record};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use std::io::Write;
use std::sync::Arc;

/// Bytes of numbers and texts in a row group, about.
const ROW_GROUP: usize = 32 << 20;

/// A file that tables of the same columns are added to.
pub struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    /// The cells of each column that are not written yet.
    held: Vec<Held>,
    /// How many bytes they are, about.
    bytes: usize,
    /// How many bytes of cells there were in all, about.
    size: usize,
}

impl<W: Write + Send> Writer<W> {
    /// A file of these columns. The record becomes the value of the key `attnviz`, as JSON.
    ///
    /// # Errors
    /// A failed write.
    pub fn new(out: W, columns: &[Column], record: &Record) -> Result<Self> {
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>().map_err(unwritten)?;
        let schema = Type::group_type_builder("attnviz").with_fields(fields).build().map_err(unwritten)?;
        // Numbers hardly ever repeat, so that a dictionary of them is wasted work.
        let numbers = columns.iter().filter(|column| matches!(column.kind, Kind::Number | Kind::Numbers));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![KeyValue::new(NAME.into(), json(record)?)]));
        for column in numbers {
            let path =
                if column.kind == Kind::Number { vec![column.name] } else { vec![column.name, "list", "element"] };
            let path: Vec<String> = path.into_iter().map(String::from).collect();
            properties = properties.set_column_dictionary_enabled(path.into(), false);
        }
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build())).map_err(unwritten)?;
        let held = columns.iter().map(|column| Held::new(column.kind)).collect();
        Ok(Self { file, columns: columns.to_vec(), held, bytes: 0, size: 0 })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// A table of other columns, or a failed write.
    pub fn add(&mut self, table: Table) -> Result<()> {
        table.check()?;
        if table.columns != self.columns {
            return Err(Error::failed("a table has other columns than the one before it"));
        }
        for row in table.rows {
            let bytes: usize = self.held.iter_mut().zip(row).map(|(held, cell)| held.push(cell)).sum();
            self.bytes += bytes;
            self.size += bytes;
            if self.bytes >= ROW_GROUP {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// How many bytes all cells so far take in memory, about.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Ends the file.
    ///
    /// # Errors
    /// A failed write.
    pub fn finish(mut self) -> Result<W> {
        self.flush()?;
        self.file.into_inner().map_err(unwritten)
    }

    fn flush(&mut self) -> Result<()> {
        if self.bytes == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group().map_err(unwritten)?;
        for held in &mut self.held {
            let mut column =
                group.next_column().map_err(unwritten)?.ok_or_else(|| Error::failed("a column is lost"))?;
            held.write(&mut column).and_then(|()| column.close()).map_err(unwritten)?;
        }
        group.close().map_err(unwritten)?;
        self.bytes = 0;
        Ok(())
    }
}

/// A table as a file of its own.
///
/// # Errors
/// Cells that do not fit their columns, or a failed write.
pub fn write<W: Write + Send>(table: Table, record: &Record, out: W) -> Result<W> {
    let mut writer = Writer::new(out, &table.columns, record)?;
    writer.add(table)?;
    writer.finish()
}

fn unwritten(error: ParquetError) -> Error {
    Error::failed(format!("the table could not be written: {error}"))
}

/// A column's type: a list in three levels, as the format's specification has it.
fn field(column: &Column) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Whole => (Physical::INT64, None),
        Kind::Number | Kind::Numbers => (Physical::FLOAT, None),
        Kind::Text | Kind::Texts => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let list = matches!(column.kind, Kind::Numbers | Kind::Texts);
    let (name, repetition) = if list { ("element", Repetition::REQUIRED) } else { (column.name, Repetition::OPTIONAL) };
    let single = Type::primitive_type_builder(name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .build()
        .map(Arc::new)?;
    if !list {
        return Ok(single);
    }
    let repeated = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![single]);
    Type::group_type_builder(column.name)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(repeated.build()?)])
        .build()
        .map(Arc::new)
}

/// Values of a column with their levels: whether a cell has one (definition), and whether one goes on in a list (repetition).
#[derive(Default)]
struct Levels {
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Levels {
    /// Levels of a list of this length.
    fn list(&mut self, length: usize) {
        self.definition.extend(std::iter::repeat_n(i16::from(length > 0), length.max(1)));
        self.repetition.push(0);
        self.repetition.extend(std::iter::repeat_n(1, length.saturating_sub(1)));
    }
}

enum Values {
    Whole(Vec<i64>),
    Float(Vec<f32>),
    Text(Vec<ByteArray>),
}

/// A column's cells that are not written yet.
struct Held {
    levels: Levels,
    values: Values,
    list: bool,
}

impl Held {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Whole => Values::Whole(Vec::new()),
            Kind::Number | Kind::Numbers => Values::Float(Vec::new()),
            Kind::Text | Kind::Texts => Values::Text(Vec::new()),
        };
        Self { levels: Levels::default(), values, list: matches!(kind, Kind::Numbers | Kind::Texts) }
    }

    /// Takes a cell; returns its size in bytes, about.
    fn push(&mut self, cell: Cell) -> usize {
        match &cell {
            Cell::Numbers(list) => self.levels.list(list.len()),
            Cell::Texts(list) => self.levels.list(list.len()),
            Cell::Empty if self.list => self.levels.list(0),
            single => self.levels.definition.push(i16::from(*single != Cell::Empty)),
        }
        match (&mut self.values, cell) {
            (Values::Whole(values), Cell::Whole(value)) => values.push(value),
            (Values::Float(values), Cell::Number(value)) => values.push(value),
            (Values::Float(values), Cell::Numbers(list)) => {
                values.extend_from_slice(&list);
                return 8 * list.len() + 4;
            }
            (Values::Text(values), Cell::Text(text)) => {
                let length = text.len();
                values.push(text.into_bytes().into());
                return length + 32;
            }
            (Values::Text(values), Cell::Texts(list)) => {
                let length: usize = list.iter().map(|text| text.len() + 36).sum();
                values.extend(list.into_iter().map(|text| ByteArray::from(text.into_bytes())));
                return length + 4;
            }
            _ => {} // an empty cell: the table was checked
        }
        10
    }

    /// Writes the cells, and forgets them.
    fn write(&mut self, column: &mut SerializedColumnWriter) -> Result<(), ParquetError> {
        fn all<T: DataType>(
            column: &mut SerializedColumnWriter,
            values: &mut Vec<T::T>,
            levels: &Levels,
            list: bool,
        ) -> Result<(), ParquetError> {
            let repetition = list.then_some(&levels.repetition[..]);
            column.typed::<T>().write_batch(values, Some(&levels.definition), repetition)?;
            values.clear();
            Ok(())
        }
        let Self { levels, values, list } = self;
        match values {
            Values::Whole(values) => all::<Int64Type>(column, values, levels, *list)?,
            Values::Float(values) => all::<FloatType>(column, values, levels, *list)?,
            Values::Text(values) => all::<ByteArrayType>(column, values, levels, *list)?,
        }
        *levels = Levels::default();
        Ok(())
    }
}
