//! `--model`: from what was typed to an opened checkpoint, for every command.

use super::args::one_of;
use super::{download, output};
use attnviz::checkpoint::hub::{Environment, Hub, Limits, Name, Options};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::error::{Error, Kind, Result};
use attnviz::model::{Backend, Family, Spec};
use attnviz::place::{Device, Place, Precision};
use attnviz::session::{self, Session};
use clap::Args;

/// What an unset `--model` means: OpenAI's small GPT-2, under either of its names.
const DEFAULT: [&str; 2] = ["gpt2", "openai-community/gpt2"];
/// What names another model where there is no `--model`.
const VARIABLE: &str = "ATTNVIZ_MODEL";

/// The most threads that can be asked for.
const MOST_THREADS: usize = 1024;

/// Which model, or models where several are compared.
#[derive(Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// A hub id such as `gpt2` or `openai-community/gpt2-medium@main`, the folder of a checkpoint, or `builtin`
    /// [default: $ATTNVIZ_MODEL, else gpt2, else for a prompt builtin where the hub is out of reach]
    #[arg(short, long, value_name = "MODEL")]
    pub model: Vec<String>,
    /// Another model's tokenizer: a folder that has one, a hub id, or `builtin`
    #[arg(long, value_name = "MODEL")]
    pub tokenizer: Option<String>,
    #[command(flatten)]
    pub hub: HubArgs,
    /// Threads to compute with [default: all cores]; the numbers do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Where to compute; all but the CPU need a program built for it
    #[arg(long, value_name = "DEVICE", value_parser = one_of::<Device>())]
    pub device: Option<Device>,
    /// How the weights are held on a device; all else is f32
    #[arg(long, value_name = "TYPE", value_parser = one_of::<Precision>(), requires = "device")]
    pub dtype: Option<Precision>,
}

impl ModelArgs {
    /// Brings one model after the other to life and asks it this. None stands in for one that cannot be had.
    pub fn each<T>(&self, quiet: bool, ask: impl Fn(&Session) -> Result<T>) -> Result<Vec<T>> {
        self.start_threads()?;
        if let Some(name) =
            self.model.iter().enumerate().find_map(|(at, name)| self.model[..at].contains(name).then_some(name))
        {
            return Err(Error::usage(format!("model {name:?} is named twice")).hint("name each model once"));
        }
        let each = |name: &String| self.instead(name).open(false, quiet);
        // All are opened before anything slow.
        let opened = match &self.model[..] {
            [] => vec![self.open(false, quiet)?],
            names => names.iter().map(each).collect::<Result<Vec<_>>>()?,
        };
        let answer = |Opened { checkpoint, .. }| {
            let session = alive(checkpoint, quiet)?;
            ask(&session).map_err(|error| session.explain(error))
        };
        opened.into_iter().map(answer).collect()
    }

    /// Starts the threads and brings the one model to life, if it has what is asked for; with what the figure must say of how it was chosen.
    pub fn session(
        &self,
        may_fall_back: bool,
        quiet: bool,
        fits: impl FnOnce(&Spec) -> Result<()>,
    ) -> Result<(Session, Option<String>)> {
        self.start_threads()?;
        let Opened { checkpoint, note } = self.open(may_fall_back, quiet)?;
        fits(session::family(&checkpoint)?.spec())?;
        Ok((alive(checkpoint, quiet)?, note))
    }

    /// The one model that is named, if any is.
    pub fn one(&self) -> Result<Option<&str>> {
        match &self.model[..] {
            [] | [_] => Ok(self.model.first().map(String::as_str)),
            _ => Err(Error::usage("--model is given several times, but this is of one model")
                .hint("name one model; attnviz COMMAND --help says where several are compared")),
        }
    }
}

/// A session of a checkpoint, and what was assumed to read it.
fn alive(checkpoint: Checkpoint, quiet: bool) -> Result<Session> {
    let session = Session::new(checkpoint)?;
    output::remark_on(&session, quiet);
    Ok(session)
}

/// How far the hub is asked.
#[derive(Clone, Copy, Args)]
#[command(next_help_heading = "Model")]
pub struct HubArgs {
    /// Use only what is in the cache, as with HF_HUB_OFFLINE=1
    #[arg(long, conflicts_with = "refresh")]
    pub offline: bool,
    /// Ask the hub for the newest commit, and check every cached file
    #[arg(long)]
    pub refresh: bool,
}

/// A checkpoint, and what the figure must say of how it was chosen.
pub struct Opened {
    pub checkpoint: Checkpoint,
    /// Set where the built-in model stands in for one that cannot be had.
    pub note: Option<String>,
}

impl ModelArgs {
    /// Opens the model that was named, in whatever way; else `gpt2`, and where neither cache nor hub has it and the command
    /// may fall back, the built-in model. A model that was named is never replaced.
    pub fn open(&self, may_fall_back: bool, quiet: bool) -> Result<Opened> {
        Backend::of(self.place())?;
        let mut opened = self.open_any(may_fall_back, quiet)?;
        opened.checkpoint.place = self.place();
        Ok(opened)
    }

    /// Where it is computed.
    fn place(&self) -> Place {
        Place { device: self.device.unwrap_or_default(), dtype: self.dtype.unwrap_or_default() }
    }

    fn open_any(&self, may_fall_back: bool, quiet: bool) -> Result<Opened> {
        let named = match (self.one()?, of_surroundings()) {
            (Some(name), _) => self.open_named(name, quiet),
            (None, Some(name)) => self
                .open_named(&name, quiet)
                .map_err(|error| Error { message: format!("{VARIABLE}: {}", error.message), ..error }),
            (None, None) => return self.open_default(may_fall_back, quiet),
        };
        Ok(Opened { checkpoint: self.lend(named?, quiet)?, note: None })
    }

    /// The model that was named, in whatever way.
    pub fn named(&self) -> Option<String> {
        self.model.first().cloned().or_else(of_surroundings)
    }

    /// The same checkpoint with the tokenizer that was named.
    fn lend(&self, checkpoint: Checkpoint, quiet: bool) -> Result<Checkpoint> {
        let Some(text) = &self.tokenizer else { return Ok(checkpoint) };
        match Source::parse(text).map_err(|error| error.option("tokenizer"))? {
            Source::Hub(name) => {
                let hub = self.hub.hub(Limits::default())?;
                let snapshot = download::fetch(&hub, quiet, |progress| hub.tokenizer(&name, progress))?;
                checkpoint.with_tokenizer(&Source::Directory(snapshot.dir))
            }
            local => checkpoint.with_tokenizer(&local),
        }
    }

    fn open_named(&self, text: &str, quiet: bool) -> Result<Checkpoint> {
        match Source::parse(text)? {
            Source::Hub(name) => self.hub.checkpoint(&name, quiet),
            _ if self.hub.refresh => {
                Err(Error::usage(format!("--refresh asks the hub, where model {text:?} is not from"))
                    .hint("leave --refresh out, or name a model of the hub"))
            }
            local => session::open(&local),
        }
    }

    fn open_default(&self, may_fall_back: bool, quiet: bool) -> Result<Opened> {
        let may_fall_back = may_fall_back && !self.hub.refresh;
        let hub = match self.hub.hub(Limits::impatient()) {
            Err(reason) if may_fall_back && reason.kind == Kind::Unreachable => {
                return self.fall_back(&reason.message, "no cache", quiet);
            }
            hub => hub?,
        };
        let names = DEFAULT.map(|id| Name::new(id, None)).into_iter().collect::<Result<Vec<_>>>()?;
        let cached = names.iter().find(|name| hub.find(name).is_some());
        if cached.is_none() && may_fall_back {
            let answer = download::asking(&hub, quiet, || hub.ask(&names[0]));
            if let Some(reason) = answer.err().filter(|error| error.kind == Kind::Unreachable) {
                let why = if hub.is_offline() { "offline" } else { "hub out of reach" };
                return self.fall_back(&reason.message, why, quiet);
            }
        }
        let checkpoint = self.hub.checkpoint(cached.unwrap_or(&names[0]), quiet).map_err(|error| match error.kind {
            Kind::Unreachable if !self.hub.refresh => {
                error.hint("name a model that needs no network, such as --model builtin")
            }
            _ => error,
        })?;
        Ok(Opened { checkpoint: self.lend(checkpoint, quiet)?, note: None })
    }

    /// The built-in model in place of the default one, and why.
    fn fall_back(&self, reason: &str, why: &str, quiet: bool) -> Result<Opened> {
        if !quiet {
            output::remark(&format!("{reason}; using the small built-in model (-m builtin skips the question)"));
        }
        let note = Some(format!("built-in model ({why}, none was named)"));
        Ok(Opened { checkpoint: self.lend(session::open(&Source::Builtin)?, quiet)?, note })
    }

    /// Another model, asked for in the same way.
    pub fn instead(&self, model: &str) -> Self {
        Self { model: vec![model.to_owned()], ..self.clone() }
    }

    /// Sizes the thread pool, once, before anything is computed.
    pub fn start_threads(&self) -> Result<()> {
        start_threads(self.threads)
    }
}

/// The model that the environment names.
fn of_surroundings() -> Option<String> {
    std::env::var_os(VARIABLE).map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.is_empty())
}

/// Sizes the thread pool, once: by a flag, else by what the surroundings say, up to as many as a flag may ask for.
pub fn start_threads(threads: Option<u16>) -> Result<()> {
    let said = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok().filter(|threads| *threads > 0);
    let surroundings = || ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"].into_iter().find_map(said);
    let most = || surroundings().filter(|threads| *threads > MOST_THREADS).map(|_| MOST_THREADS);
    let Some(threads) = threads.map(usize::from).or_else(most) else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| Error::failed(format!("cannot start threads ({threads}): {e}")).hint("ask for fewer --threads"))
}

impl HubArgs {
    /// A model of the hub, from the cache or downloaded.
    pub fn checkpoint(&self, name: &Name, quiet: bool) -> Result<Checkpoint> {
        let hub = self.hub(Limits::default())?;
        let snapshot = download::fetch(&hub, quiet, |progress| hub.snapshot(name, progress))?;
        session::open(&Source::Directory(snapshot.dir))
    }

    fn hub(&self, limits: Limits) -> Result<Hub> {
        let (offline, refresh, model_types) = (self.offline, self.refresh, Family::MODEL_TYPES);
        Hub::new(Environment::of_process()?, Options { offline, refresh, model_types, limits })
    }
}
