//! Heads that were named one by one: attnviz writes each as a result of its own, for they are no rectangle of layers and heads.
use super::archive::Archive;
use super::attention::{MOST_LAYERS, Own, axes};
use super::json::{self, Document};
use super::labels::{Item, Labels};
use super::{Patterns, Wanted};
use crate::error::{Error, Result};
use crate::record::NAME;

/// The single heads that attnviz wrote into the file, in their order; none where there are none.
pub(super) fn picked(archive: &mut dyn Archive, wanted: Wanted) -> Result<Option<Patterns>> {
    let said = archive.text(NAME)?.and_then(|header| json::load(header.as_bytes()).ok());
    let Some(Document { record, tokens, mut results }) = said else { return Ok(None) };
    let (mut attention, mut shape, mut picked, mut of) = (Vec::new(), None, Vec::new(), None);
    for (at, fields) in results.iter().enumerate() {
        let Some((method, place)) = fields.method().and_then(|method| Some((method, place(method)?))) else { continue };
        if picked.contains(&place) {
            continue; // the name of an array is there once
        }
        let name = format!("{method}.attention");
        let is_there = archive.array(&name, &mut |array, input| {
            let append = array.floats()?;
            let first = *shape.get_or_insert(axes(&name, array.shape, None)?);
            if first[..3] != [1, 1, 1] || array.shape != [1, 1, first[3], first[4]] {
                return Err(Error::failed(format!("{name} has shape {:?}", array.shape))
                    .hint("a head by itself is [1, 1, query, key], and all are of one text: write the file again"));
            }
            attention.append(&mut array.numbers(append, input)?);
            Ok(())
        })?;
        if is_there {
            picked.push(place);
            of.get_or_insert(at);
        }
    }
    let (Some([.., queries, keys]), Some(at)) = (shape, of) else { return Ok(None) };
    let shape = [1, picked.len(), queries, keys];
    let labels = Labels::read(archive, Item { at: wanted.item(1, &shape)?, of: 1 })?;
    let own = Own { record, tokens: Some(tokens), fields: Some(&mut results[at]) };
    let mut found =
        Patterns { attention, shape, picked, ..Patterns::default() }.complete(labels, Some(own), wanted.kind, None)?;
    // What the first result says of layers and heads is of itself only.
    found.layers.clear();
    found.heads.clear();
    Ok(Some(found))
}

/// The layer and the head that a result such as `attention-4-11` is of.
fn place(method: &str) -> Option<(usize, usize)> {
    let (layer, head) = method.strip_prefix("attention-")?.split_once('-')?;
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number < MOST_LAYERS);
    Some((number(layer)?, number(head)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_of_single_heads_have_a_place() {
        assert_eq!(place("attention-4-11"), Some((4, 11)));
        for other in
            ["attention", "attention-received", "attention-2", "attention-4-11-2", "lens-4-11", "attention-4-99999"]
        {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
