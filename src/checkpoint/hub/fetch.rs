//! A checkpoint: finds out which files it has, announces them, downloads what is missing.
use std::path::PathBuf;

use super::Snapshot;
use super::download::{Download, Report};
use super::http::{Client, Meta};
use super::layout::Folder;
use super::name::Name;
use super::progress::Event;
use crate::checkpoint::contents::{
    self, CONFIG, FORMATS, LARGEST_SMALL_FILE, TOKENIZER, VOCABULARIES, VOCABULARY_EXTRAS, WEIGHTS,
};
use crate::checkpoint::printable::printable;
use crate::{Error, Result};

pub(super) struct Fetch<'a> {
    client: &'a Client,
    folder: &'a Folder,
    name: &'a Name,
    refresh: bool,
    /// See [`super::Options::model_types`].
    model_types: &'a [&'a str],
    /// Once it is known, everything is asked for by commit: a branch may move meanwhile.
    commit: Option<String>,
    wanted: Vec<(String, Meta)>,
}

impl<'a> Fetch<'a> {
    /// `pinned` is the commit that the cache has of this revision.
    pub fn new(
        client: &'a Client,
        folder: &'a Folder,
        name: &'a Name,
        pinned: Option<String>,
        refresh: bool,
        model_types: &'a [&'a str],
    ) -> Self {
        let commit = pinned.filter(|_| !refresh);
        Self { client, folder, name, refresh, model_types, commit, wanted: Vec::new() }
    }

    pub fn run(mut self, progress: &mut dyn FnMut(Event<'_>)) -> Result<Snapshot> {
        self.configuration()?;
        self.weights()?;
        self.tokenizer()?;
        self.announce(progress);
        self.download(progress)?;

        let (commit, dir) = (self.at(), self.dir());
        let lacking = contents::lacking(&dir);
        if !lacking.is_empty() {
            return Err(Error::failed(format!(
                "model '{}' has files with nothing in them: {}",
                self.name,
                lacking.join(", ")
            ))
            .hint("its repository is broken; name another model or revision"));
        }
        // Last, so that an interrupted refresh leaves the older checkpoint in use.
        self.folder.write_reference(&self.name.revision, &commit)?;
        Ok(Snapshot { id: self.name.id.clone(), dir, commit })
    }

    /// The configuration is downloaded first: no gigabytes for what cannot be drawn.
    fn configuration(&mut self) -> Result<()> {
        if !self.want(CONFIG)? {
            return Err(Error::failed(format!("{} has no {CONFIG} for model '{}'", self.client.host(), self.name))
                .hint("check the spelling; attnviz reads GPT-2 checkpoints in the format of transformers"));
        }
        self.download(&mut |_| ())?;
        match contents::model_type(&self.dir()) {
            Ok(Some(kind)) if !contents::is_wanted(&kind, self.model_types) => {
                let (kind, wanted) = (printable(&kind), self.model_types.join("' or '"));
                Err(Error::failed(format!("model '{}' has model_type '{kind}', not '{wanted}'", self.name)).hint(
                    "attnviz reads GPT-2 checkpoints; other models' attention can be drawn with `attnviz render`",
                ))
            }
            Ok(_) => Ok(()),
            Err(reason) => Err(Error::failed(format!("{CONFIG} of model '{}' cannot be read: {reason}", self.name))
                .hint("its repository is broken; name another model or revision")),
        }
    }

    fn weights(&mut self) -> Result<()> {
        for [file, index] in FORMATS {
            // A list of shards that is already here spares the question for a single file.
            let is_sharded = self.has(index) && !self.has(file);
            if !is_sharded && self.want(file)? {
                return Ok(());
            }
            if self.want(index)? {
                return self.shards(index);
            }
        }
        Err(Error::failed(format!("model '{}' has no {WEIGHTS}", self.name))
            .hint("name a repository that holds the weights of a GPT-2 model, as safetensors or as pytorch_model.bin"))
    }

    fn shards(&mut self, index: &str) -> Result<()> {
        self.download(&mut |_| ())?;
        let name = self.name;
        let broken = |reason: String| {
            Error::failed(format!("{index} of model '{name}' cannot be used: {reason}"))
                .hint("its repository is broken; name another model or revision")
        };
        for shard in contents::shards(&self.dir(), index).map_err(broken)? {
            if !self.want(&shard)? {
                return Err(broken(format!("it names '{shard}', which is not there")));
            }
        }
        Ok(())
    }

    /// Whether there is one.
    fn tokenizer(&mut self) -> Result<bool> {
        let is_here = VOCABULARIES.iter().any(|files| files.iter().all(|file| self.has(file)));
        if is_here && !self.refresh {
            return Ok(true);
        }
        for file in VOCABULARY_EXTRAS {
            self.want(file)?;
        }
        let mut absent = Vec::new();
        'kinds: for files in VOCABULARIES {
            for file in files {
                if !self.want(file)? {
                    absent.push(file);
                    continue 'kinds;
                }
            }
            return Ok(true);
        }
        // Whoever needs it says so: token ids need none, and another model may lend its own.
        absent.into_iter().try_for_each(|file| self.folder.mark_absent(&self.at(), file))?;
        Ok(false)
    }

    /// Only what makes the tokenizer: its files, and the configuration that says of which class it is.
    pub fn run_tokenizer(mut self, progress: &mut dyn FnMut(Event<'_>)) -> Result<Snapshot> {
        self.want(CONFIG)?;
        if !self.tokenizer()? {
            return Err(Error::failed(format!(
                "model '{}' has neither {TOKENIZER} nor vocab.json or another vocabulary",
                self.name
            ))
            .hint("name a model that has one"));
        }
        self.announce(progress);
        self.download(progress)?;
        let (commit, dir) = (self.at(), self.dir());
        self.folder.write_reference(&self.name.revision, &commit)?;
        Ok(Snapshot { id: self.name.id.clone(), dir, commit })
    }

    /// Puts a file on the list of downloads unless it is here; false if the repository does not have it.
    fn want(&mut self, file: &str) -> Result<bool> {
        if !self.refresh && self.has(file) {
            return Ok(true);
        }
        let Some(meta) = self.client.head(self.name, &self.at(), file)? else {
            return if self.has(file) { Err(self.stray(file)) } else { Ok(false) };
        };
        let commit = self.commit.get_or_insert_with(|| meta.commit.clone());
        if *commit != meta.commit {
            let host = self.client.host();
            return Err(Error::failed(format!(
                "{host} answers with another commit than was asked for, {}",
                meta.commit
            ))
            .hint("check HF_ENDPOINT and any proxy in between"));
        }
        let is_small = !contents::holds_weights(file);
        if let Some(size) = meta.size.filter(|&size| is_small && size > LARGEST_SMALL_FILE) {
            return Err(Error::failed(format!("'{file}' of model '{}' has {size} bytes, far too many", self.name))
                .hint("its repository is broken; name another model or revision"));
        }
        let path = self.dir().join(file);
        if !(self.refresh && path.exists() && meta.digest.is_of(&path).unwrap_or(false)) {
            self.wanted.push((file.into(), meta));
        }
        Ok(true)
    }

    /// A refresh vouches for every file that will be read, and this one is not the hub's.
    fn stray(&self, file: &str) -> Error {
        let path = self.dir().join(file);
        Error::failed(format!("{} has no {file} for model '{}', but the cache has", self.client.host(), self.name))
            .hint(format!("remove {}", path.display()))
    }

    fn announce(&self, progress: &mut dyn FnMut(Event<'_>)) {
        if self.wanted.is_empty() {
            return;
        }
        let present = |(_, meta): &(String, Meta)| match meta.size {
            Some(size) if self.folder.blob(&meta.digest).is_file() => size,
            size => self.folder.left_behind(&meta.digest).min(size.unwrap_or(0)),
        };
        progress(Event::Announce {
            id: &self.name.id,
            files: self.wanted.len(),
            bytes: self.total(),
            present: self.wanted.iter().map(present).fold(0, u64::saturating_add),
        });
    }

    /// Downloads and names what is on the list.
    fn download(&mut self, progress: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let total = self.total();
        let mut before: u64 = 0;
        for (file, meta) in std::mem::take(&mut self.wanted) {
            let trust = !self.refresh;
            let download =
                Download { client: self.client, folder: self.folder, name: self.name, file: &file, meta: &meta, trust };
            download.run(&mut |report| match report {
                Report::Here(here) => {
                    progress(Event::Moved { file: &file, done: before.saturating_add(here).min(total), total });
                }
                Report::Event(event) => progress(event),
            })?;
            before = before.saturating_add(meta.size.unwrap_or(0));
            self.folder.link(&meta.commit, &file, &meta.digest)?;
        }
        Ok(())
    }

    fn total(&self) -> u64 {
        self.wanted.iter().filter_map(|(_, meta)| meta.size).fold(0, u64::saturating_add)
    }

    fn has(&self, file: &str) -> bool {
        self.commit.as_ref().is_some_and(|commit| contents::has(&self.folder.snapshot(commit), file))
    }

    /// The revision to ask for: the commit, once the configuration has been asked for.
    fn at(&self) -> String {
        self.commit.clone().unwrap_or_else(|| self.name.revision.clone())
    }

    fn dir(&self) -> PathBuf {
        self.folder.snapshot(&self.at())
    }
}
