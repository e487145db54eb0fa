//! The fonts of the system, for characters that the bundled ones lack.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use harfrust::FontRef;
use resvg::usvg::fontdb::{self, Database, Family, ID};
use skrifa::MetadataProvider;

use super::super::text::is_hidden;
use super::BUNDLED;

/// What the system has.
pub(super) struct System {
    pub database: Arc<Database>,
    /// One upright face for each family, in an order that does not depend on the order of files.
    pub families: Vec<(String, ID)>,
    found: Mutex<HashMap<String, Option<usize>>>,
}

impl System {
    pub fn read(bundled: &Database) -> Self {
        let mut database = bundled.clone();
        let own = database.len();
        database.load_system_fonts();
        let mut names: Vec<String> =
            database.faces().skip(own).filter_map(|f| Some(f.families.first()?.0.clone())).collect();
        names.retain(|name| !BUNDLED.iter().any(|(family, _)| family == name) && !name.contains("LastResort"));
        // Noto is drawn to go together, and a plain face goes better with Inter.
        let plain = |name: &str| !["Serif", "Mono", "Math"].iter().any(|kind| name.contains(kind));
        names.sort_by_key(|name| (!name.starts_with("Noto"), !plain(name), name.clone()));
        names.dedup();
        let upright =
            |name: &str| database.query(&fontdb::Query { families: &[Family::Name(name)], ..Default::default() });
        let families = names.into_iter().filter_map(|name| upright(&name).map(|id| (name, id))).collect();
        Self { database: Arc::new(database), families, found: Mutex::default() }
    }

    /// The first family that has all characters of a grapheme.
    pub fn face(&self, grapheme: &str) -> Option<usize> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(face) = found.get(grapheme) {
            return *face;
        }
        let has_all = |data: &[u8], index: u32| {
            let font = FontRef::from_index(data, index).ok()?;
            let charmap = font.charmap();
            Some(grapheme.chars().all(|c| is_hidden(c) || charmap.map(c).is_some()))
        };
        let face = self
            .families
            .iter()
            .position(|(_, id)| self.database.with_face_data(*id, has_all).flatten().unwrap_or(false));
        found.insert(grapheme.to_owned(), face);
        face
    }
}
