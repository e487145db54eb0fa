//! The formats of files, and everything that is decided by format: the extension, what it can hold, whether it says how it was made.

use crate::named::Named;
use serde::{Deserialize, Serialize};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A picture in pixels.
    Png,
    /// A picture in shapes.
    Svg,
    /// A picture in shapes, on a page of its size.
    Pdf,
    /// A picture in characters, as in a terminal without colours.
    Txt,
    /// A page for a browser, with the picture and what lets a reader look into it.
    Html,
    /// Numbers and tokens, one object.
    Json,
    /// Arrays for NumPy.
    Npz,
    /// Arrays for tensor libraries.
    Safetensors,
    /// A table for spreadsheets and data frames.
    Csv,
    /// The same with tabs.
    Tsv,
    /// A table for DuckDB, Polars and Spark.
    Parquet,
    /// A graph for Graphviz.
    Dot,
    /// Sentences and tables for people.
    Md,
}

/// What a format shows of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Its figure.
    Picture,
    /// Its figure, and its maps as numbers.
    Page,
    /// All its numbers, by method.
    Numbers,
    /// All its numbers, but arrays only: nothing of a result that is words alone.
    Arrays,
    /// Its table, which is less than all numbers.
    Table,
    /// Its graph, where it is one.
    Graph,
    /// What it comes to in words, and its table.
    Words,
}

impl Named for Format {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Png, "png", "Picture"),
        (Self::Svg, "svg", "Picture, vector"),
        (Self::Pdf, "pdf", "Picture, vector, for LaTeX and print"),
        (Self::Txt, "txt", "Picture in characters, as in a terminal without colours"),
        (Self::Html, "html", "A page for a browser, which needs no network"),
        (Self::Json, "json", "Numbers and tokens, one object"),
        (Self::Npz, "npz", "Numbers for NumPy"),
        (Self::Safetensors, "safetensors", "Numbers for tensor libraries"),
        (Self::Csv, "csv", "Numbers for spreadsheets and data frames"),
        (Self::Tsv, "tsv", "The same table with tabs"),
        (Self::Parquet, "parquet", "A table for DuckDB, Polars and Spark; of a batch, one for every 64 prompts"),
        (Self::Dot, "dot", "A graph for Graphviz; of patch --edges only"),
        (Self::Md, "md", "Sentences and tables, as Markdown"),
    ];
}

impl Format {
    /// What it shows of a result.
    pub fn holds(self) -> Holds {
        match self {
            Self::Png | Self::Svg | Self::Pdf | Self::Txt => Holds::Picture,
            Self::Html => Holds::Page,
            Self::Json => Holds::Numbers,
            Self::Npz | Self::Safetensors => Holds::Arrays,
            Self::Csv | Self::Tsv | Self::Parquet => Holds::Table,
            Self::Dot => Holds::Graph,
            Self::Md => Holds::Words,
        }
    }

    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        self.name()
    }

    /// Whether it shows a figure rather than numbers.
    pub fn is_picture(self) -> bool {
        self.holds() == Holds::Picture
    }

    /// Whether it is a table, which holds less than the other formats of numbers.
    pub fn is_table(self) -> bool {
        self.holds() == Holds::Table
    }

    /// Whether it holds every array of a result, also those that were asked for besides.
    pub fn has_arrays(self) -> bool {
        matches!(self.holds(), Holds::Numbers | Holds::Arrays)
    }

    /// Whether a terminal cannot show it.
    pub fn is_binary(self) -> bool {
        match self {
            Self::Png | Self::Pdf | Self::Npz | Self::Safetensors | Self::Parquet => true,
            Self::Svg | Self::Txt | Self::Html | Self::Json | Self::Csv | Self::Tsv | Self::Dot => false,
            Self::Md => false,
        }
    }

    /// Whether its files say of themselves how they were made.
    pub fn has_record(self) -> bool {
        match self {
            Self::Png | Self::Svg | Self::Pdf | Self::Html => true,
            Self::Json | Self::Npz | Self::Safetensors | Self::Parquet => true,
            Self::Txt | Self::Csv | Self::Tsv | Self::Dot | Self::Md => false,
        }
    }

    /// Whether two of its files can be compared.
    pub fn is_comparable(self) -> bool {
        !matches!(self, Self::Parquet | Self::Html)
    }

    /// The format of a file by its extension, whatever its letters' case.
    pub fn of_extension(extension: &str) -> Option<Self> {
        Self::named(&extension.to_lowercase())
    }
}
