//! What was found goes to its files and to standard output, and is shown to whoever looks.

use super::output::{self, Destination};
use super::preview::preview;
use attnviz::error::{Error, Result};
use attnviz::export::{Fields, Template};
use attnviz::findings::{About, Findings, Ready};
use attnviz::format::Format;
use attnviz::render::Fonts;
use rayon::prelude::*;
use std::collections::HashSet;

/// Writes what was found, lists the files on standard output, and shows it to whoever looks.
pub fn deliver(found: &dyn Findings, destinations: &[Destination], fonts: &Fonts, quiet: bool) -> Result<()> {
    let ready = Ready::new(found);
    let files = plan(&ready, destinations)?;
    for destination in destinations {
        if let Destination::Stdout(format) = destination {
            output::stream(|out| ready.write(*format, None, fonts, out))?;
        }
    }
    let write =
        |file: &File| output::write(file.template, &file.fields, |out| ready.write(file.format, file.part, fonts, out));
    let mut paths = Vec::new();
    // One destination after the other, so that of two failures the first one is told.
    // One layer after the other, so that a long prompt needs the patterns of one only.
    let together =
        |a: &File, b: &File| std::ptr::eq(a.template, b.template) && ready.layer(a.part) == ready.layer(b.part);
    for files in files.chunk_by(together) {
        files[0].part.map_or(Ok(()), |part| found.prepare(part))?;
        paths.extend(files.par_iter().map(write).collect::<Result<Vec<_>>>()?);
    }
    // Data on standard output stand alone.
    let alone = destinations.iter().any(|destination| matches!(destination, Destination::Stdout(_)));
    if !quiet {
        found.remarks().iter().for_each(|remark| output::remark(remark));
        mention_fonts(found.about(), fonts);
        if ready.figure().bare {
            // It is for a caption then.
            ready.figure().subtitle.iter().for_each(|line| output::remark(&format!("left out of the figure: {line}")));
        }
        if !alone {
            found.advice().iter().for_each(output::advise);
            preview(&|| ready.figure(), fonts);
        }
    }
    if alone { Ok(()) } else { output::list(&paths) }
}

/// A file to be written.
struct File<'a> {
    template: &'a Template,
    fields: Fields,
    format: Format,
    part: Option<usize>,
}

/// Every file of all destinations, each with a name of its own.
fn plan<'a>(ready: &Ready, destinations: &'a [Destination]) -> Result<Vec<File<'a>>> {
    let (fields, mut files, mut names) = (ready.found().about().fields(), Vec::new(), HashSet::new());
    for destination in destinations {
        let Destination::File(template, format) = destination else { continue };
        let file = |fields, part| File { template, fields, format: *format, part };
        match destination.output().by_part {
            false => files.push(file(fields.clone(), None)),
            true => {
                files.extend(ready.parts().iter().enumerate().map(|(part, name)| file(fields.of(name), Some(part))))
            }
        }
    }
    match files.iter().map(|file| file.template.fill(&file.fields)).find(|name| !names.insert(name.clone())) {
        Some(name) => Err(Error::usage(format!("two files would be named {}", name.display()))
            .hint("put both {layer} and {head} into the name, select one layer or head, or name each -o differently")),
        None => Ok(files),
    }
}

/// Says which characters the bundled font lacks and where they were found.
fn mention_fonts(about: &About, fonts: &Fonts) {
    let lacking = fonts.missing(&(about.labels().concat() + &about.headline()));
    let (found, lost): (Vec<_>, Vec<_>) = lacking.into_iter().partition(|(_, font)| font.is_some());
    let list = |chars: &[(char, Option<String>)]| chars.iter().take(8).map(|(c, _)| *c).collect::<String>();
    if let Some((_, Some(font))) = found.first() {
        output::remark(&format!("the bundled font lacks {}; taken from the system's {font}", list(&found)));
    }
    if !lost.is_empty() {
        let which = if fonts.has_system() { "no font here has" } else { "the bundled fonts lack" };
        output::remark(&format!(
            "{which} {}; drawn as code points{}",
            list(&lost),
            if fonts.has_system() { "" } else { " (--system-fonts)" }
        ));
    }
}
