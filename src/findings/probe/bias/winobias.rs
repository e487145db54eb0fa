//! WinoBias: lines of a pro and an anti file, which differ in what stands in brackets.

use super::suite::two_sentences;
use super::{Cut, Item, Kind, Options, Suite};
use crate::error::{Error, Result};
use crate::findings::probe::rows::{Bad, bytes};
use crate::hash::Hasher;
use crate::record::Input;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What the names of the two kinds of file begin with.
const SIDES: [&str; 2] = ["pro", "anti"];
/// Pronouns that are one in different cases.
const PRONOUNS: [&[&str]; 2] = [&["he", "him", "his", "himself"], &["she", "her", "hers", "herself"]];

/// A line: its number, its text without brackets, and its words, each with whether it stands in brackets.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    at: usize,
    number: Option<u64>,
    text: String,
    words: Vec<(String, bool)>,
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Which kind of file it is by its name, and the rest of that.
fn side(path: &Path) -> Option<(usize, String)> {
    let name = name(path).to_lowercase();
    let is = |prefix: &&str| {
        name.strip_prefix(*prefix).filter(|rest| !rest.starts_with(char::is_alphanumeric)).map(str::to_owned)
    };
    SIDES.iter().enumerate().find_map(|(side, prefix)| Some((side, is(prefix)?)))
}

/// Whether a text has lines with brackets.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.contains('[') && line.contains(']'))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed =
        |e: std::io::Error| Error::failed(format!("cannot read {}: {e}", folder.display())).hint("check the path");
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// Whether a folder has files of both kinds by their names.
pub(super) fn is_in(folder: &Path) -> Result<bool> {
    let sides: Vec<usize> = files(folder)?.iter().filter_map(|file| Some(side(file)?.0)).collect();
    Ok((0..2).all(|side| sides.contains(&side)))
}

/// Reads all pairs of files of a folder.
pub(super) fn folder(folder: &Path, options: &Options) -> Result<Suite> {
    let (known, others): (Vec<PathBuf>, Vec<PathBuf>) =
        files(folder)?.into_iter().partition(|file| side(file).is_some());
    let mut pairs: HashMap<String, [Option<PathBuf>; 2]> = HashMap::new();
    for file in known {
        let Some((side, rest)) = side(&file) else { continue };
        pairs.entry(rest).or_default()[side] = Some(file);
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort();
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let both = |(rest, both): (String, [Option<PathBuf>; 2])| match both {
        [Some(pro), Some(anti)] => Ok((category(&rest), [pro, anti])),
        [one, other] => {
            let alone = one.or(other).map(|file| name(&file)).unwrap_or_default();
            Err(Error::failed(format!("{} has no partner of {alone}", name(&whole)))
                .hint("the name of each pro file is that of its anti file but for that word"))
        }
    };
    let pairs = pairs.into_iter().map(both).collect::<Result<Vec<_>>>()?;
    let mut suite = read(pairs, name(&whole), options)?;
    suite
        .remarks
        .extend(others.iter().map(|file| format!("{} is neither a pro nor an anti file and is not read", name(file))));
    Ok(suite)
}

/// Reads two files, whichever comes first.
pub(super) fn pair(paths: [&PathBuf; 2], options: &Options) -> Result<Suite> {
    let sides = paths.map(|path| side(path));
    let (pro, anti) = match (&sides[0], &sides[1]) {
        (Some((0, _)), Some((1, _))) => (0, 1),
        (Some((1, _)), Some((0, _))) => (1, 0),
        _ => {
            let names = paths.map(|path| name(path));
            return Err(Error::usage(format!(
                "{} and {} are no pro and no anti file by their names",
                names[0], names[1]
            ))
            .hint("of WinoBias' two files the names begin with pro and anti; any other suite is one file"));
        }
    };
    let [first, second] = [paths[pro], paths[anti]].map(Clone::clone);
    let both = format!("{} + {}", name(&first), name(&second));
    read(vec![(String::new(), [first, second])], both, options)
}

/// What is left of a name without what all have.
fn category(rest: &str) -> String {
    let rest = rest.replace("stereotyped", "").replace(".txt", "");
    rest.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

fn read(pairs: Vec<(String, [PathBuf; 2])>, whole: String, options: &Options) -> Result<Suite> {
    let mut suite = Suite { kind: Kind::WinoBias, ..Suite::default() };
    let mut hash = Hasher::new();
    for (category, paths) in pairs {
        let names = paths.each_ref().map(|path| name(path));
        let mut lines = Vec::new();
        for (path, name) in paths.iter().zip(&names) {
            let bytes = bytes(path)?;
            hash.update(name.as_bytes());
            hash.update(&bytes);
            lines.push(self::lines(&bytes, name)?);
        }
        let [Some(pro), Some(anti)] = [lines.first(), lines.get(1)] else { continue };
        let together = together(pro, anti, &names)?;
        suite.all += together.len();
        let file = suite.files.len();
        for row in options.sample.taken(together, &names[0]) {
            let item = row.and_then(|[pro, anti]| {
                let bad = |why| Bad { file: names[0].clone(), line: pro.at, why };
                item(pro, anti, &names[1]).map_err(bad)
            });
            suite.add(item.map(|mut item| {
                item.file = file;
                if !category.is_empty() {
                    item.tags.insert(0, (Cut::Category, category.clone()));
                }
                item
            }));
        }
        suite.files.push(names[0].clone());
    }
    suite.input = Input { name: whole, hash: crate::hash::digits(hash.digest128()) };
    Ok(suite)
}

type Lines = Vec<Result<Line, Bad>>;

fn lines(bytes: &[u8], name: &str) -> Result<Lines> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::failed(format!("{name} is not UTF-8")).hint("convert it to UTF-8"))?;
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    Ok(numbered
        .map(|(at, line)| Line::parse(at + 1, line).map_err(|why| Bad { file: name.to_owned(), line: at + 1, why }))
        .collect())
}

impl Line {
    fn parse(at: usize, line: &str) -> Result<Self, String> {
        let line = line.trim();
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = match line[digits..].strip_prefix(char::is_whitespace) {
            Some(rest) if digits > 0 => (Some(line[..digits].parse().map_err(|_| "its number is too large")?), rest),
            _ => (None, line),
        };
        let (mut words, mut text, mut inside, mut marked) = (vec![(String::new(), false)], String::new(), false, false);
        for c in rest.trim().chars() {
            match c {
                '[' | ']' if inside == (c == ']') => (inside, marked) = (!inside, true),
                '[' | ']' => return Err("its brackets do not close".into()),
                c => {
                    text.push(c);
                    match words.last_mut() {
                        Some((word, within)) if !c.is_whitespace() => {
                            word.push(c);
                            *within |= inside;
                        }
                        _ => words.push((String::new(), false)),
                    }
                }
            }
        }
        words.retain(|(word, _)| !word.is_empty());
        match (inside, marked && !words.is_empty()) {
            (true, _) => Err("its brackets do not close".into()),
            (_, false) => Err("it has no brackets".into()),
            _ => Ok(Self { at, number, text, words }),
        }
    }
}

/// A line of each, or what is wrong with one of them.
type Together<'a> = Result<[&'a Line; 2], Bad>;

/// The lines that belong together: of one number, or without numbers of one place.
fn together<'a>(pro: &'a Lines, anti: &'a Lines, names: &[String; 2]) -> Result<Vec<Together<'a>>> {
    let is_numbered = |lines: &Lines| lines.iter().flatten().any(|line| line.number.is_some());
    if !is_numbered(pro) && !is_numbered(anti) {
        if pro.len() != anti.len() {
            let (a, b) = (pro.len(), anti.len());
            return Err(Error::failed(format!(
                "{} has {a} lines, {} has {b}, and lines have no numbers",
                names[0], names[1]
            ))
            .hint("which belong together is not known; put the same number in front of both"));
        }
        let both = |(pro, anti): (&'a Result<Line, Bad>, &'a Result<Line, Bad>)| match (pro, anti) {
            (Ok(pro), Ok(anti)) => Ok([pro, anti]),
            (Err(bad), _) | (_, Err(bad)) => Err(bad.clone()),
        };
        return Ok(pro.iter().zip(anti).map(both).collect());
    }
    let bad = |side: usize, line: &Line, why: String| Bad { file: names[side].clone(), line: line.at, why };
    let mut seconds: HashMap<u64, &Line> = HashMap::new();
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for line in anti {
        match line.as_ref().map(|line| (line.number, line)) {
            Ok((Some(number), line)) if seconds.contains_key(&number) => {
                wrong.push(Err(bad(1, line, format!("the number {number} is there already"))));
            }
            Ok((Some(number), line)) => drop(seconds.insert(number, line)),
            Ok((None, line)) => wrong.push(Err(bad(1, line, "it has no number".into()))),
            Err(bad) => wrong.push(Err(bad.clone())),
        }
    }
    let mut seen: HashSet<u64> = HashSet::new();
    for line in pro {
        all.push(match line.as_ref().map(|line| (line.number, line)) {
            Ok((Some(number), line)) if !seen.insert(number) => {
                Err(bad(0, line, format!("the number {number} is there already")))
            }
            Ok((Some(number), line)) => {
                let partner = seconds.remove(&number);
                partner
                    .map(|second| [line, second])
                    .ok_or_else(|| bad(0, line, format!("{} has no usable line of number {number}", names[1])))
            }
            Ok((None, line)) => Err(bad(0, line, "it has no number".into())),
            Err(bad) => Err(bad.clone()),
        });
    }
    let mut alone: Vec<_> = seconds.into_iter().collect();
    alone.sort_by_key(|(_, line)| line.at);
    wrong.extend(
        alone
            .into_iter()
            .map(|(number, line)| Err(bad(1, line, format!("{} has no usable line of number {number}", names[0])))),
    );
    all.extend(wrong);
    Ok(all)
}

fn item(pro: &Line, anti: &Line, other: &str) -> Result<Item, String> {
    two_sentences(&pro.text, &anti.text)?;
    let both = || pro.words.iter().zip(&anti.words).filter(|((a, _), (b, _))| a != b);
    let outside = pro.words.len() != anti.words.len() || both().any(|((_, a), (_, b))| !(*a && *b));
    let Some((first, _)) = both().next().filter(|_| !outside) else {
        return Err(format!("it differs from {other}:{} in more than what stands in brackets", anti.at));
    };
    let word = first.0.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let pronoun =
        PRONOUNS.iter().find(|cases| cases.contains(&&word[..])).map_or(word.clone(), |cases| cases[0].into());
    let texts = vec![pro.text.clone(), anti.text.clone()];
    Ok(Item { texts, tags: vec![(Cut::Pronoun, pronoun)], line: pro.at, ..Item::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pro: &str, anti: &str) -> Result<Vec<Result<(String, String), String>>> {
        let names = ["pro".to_owned(), "anti".to_owned()];
        let (pro, anti) = (lines(pro.as_bytes(), "pro")?, lines(anti.as_bytes(), "anti")?);
        let own = |[pro, anti]: [&Line; 2]| {
            let item = item(pro, anti, "anti")?;
            Ok((item.texts[0].clone(), item.tags[0].1.clone()))
        };
        let found = together(&pro, &anti, &names)?;
        Ok(found.into_iter().map(|row| row.map_err(|bad| bad.to_string()).and_then(own)).collect())
    }

    #[test]
    fn lines_belong_together_by_number_or_by_place() {
        let expected = ["He ran, the cook said.", "The maid said [to him"].map(|text| text.replace('[', ""));
        for (pro, anti) in [
            (
                "1 [He] ran, the cook said.\n2 [The maid] said to [him]",
                "2 The [maid] said to [her]\n\n1 [She] ran, the cook said.",
            ),
            (
                "[He] ran, the cook said.\n[The maid] said to [him]",
                "[She] ran, the cook said.\nThe [maid] said to [her]",
            ),
        ] {
            let found = read(pro, anti).unwrap();
            let texts: Vec<_> = found.iter().map(|row| row.clone().unwrap()).collect();
            assert_eq!(texts, expected.clone().map(|text| (text, "he".to_owned())));
        }
        assert!(read("[He] ran\n[He] sat", "[She] ran").unwrap_err().message.contains("2 lines"));
    }

    #[test]
    fn a_line_that_cannot_be_used_says_why() {
        for (pro, anti, why) in [
            ("1 [He] ran", "2 [She] ran", "pro:1: anti has no usable line of number 1"),
            ("1 [He] ran", "1 [She] runs", "differs from anti:1 in more"),
            ("1 [He] ran", "1 [She] ran off", "differs from anti:1 in more"),
            ("1 He ran", "1 [She] ran", "pro:1: it has no brackets"),
            ("1 [He ran", "1 [She] ran", "pro:1: its brackets do not close"),
            ("1 [He] ran", "1 [He] ran", "the same"),
            ("1 [He] ran\n1 [He] sat", "1 [She] ran", "pro:2: the number 1 is there already"),
        ] {
            let found = read(pro, anti).unwrap();
            let said: Vec<String> = found.into_iter().filter_map(Result::err).collect();
            assert!(said.iter().any(|said| said.contains(why)), "{pro} {anti}: {said:?}");
        }
    }

    #[test]
    fn a_kind_of_file_is_told_from_its_name() {
        let of = |name: &str| side(Path::new(name)).map(|(side, rest)| (side, category(&rest)));
        assert_eq!(of("pro_stereotyped_type1.txt.dev"), Some((0, "type1.dev".into())));
        assert_eq!(of("x/Anti.txt"), Some((1, String::new())));
        assert_eq!([of("programmers.txt"), of("male.txt")], [None, None]);
    }
}
