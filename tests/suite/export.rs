//! Numbers leave as files that others read, and files that others wrote come in.

use crate::support::skip;
use attnviz::error::{Error, Kind, Result};
use attnviz::export::table::{number, text, whole};
use attnviz::export::{
    self, Array, Data, Entry, Field, Fields, Patterns, Table, Template, csv, json, npz, safetensors, slug,
    write_atomically,
};
use attnviz::figure::Figure;
use attnviz::format::Format;
use attnviz::record::{Identity, Record};
use attnviz::render::{self, Fonts};
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

/// Two layers, one head, three tokens, among them what CSV, JSON and UTF-32 must escape.
fn sample() -> Data {
    let row = |query: usize| (0..3).map(move |key| if key <= query { 1.0 / (query + 1) as f32 } else { 0.0 });
    let attention: Vec<f32> = (0..2).flat_map(|_| (0..3).flat_map(row)).collect();
    let scores = attention.iter().map(|&weight| if weight > 0.0 { weight.ln() } else { f32::NEG_INFINITY }).collect();
    let object = |value: Value| value.as_object().unwrap().clone();
    Data {
        record: Record {
            version: "0.1.0".into(),
            command: "attention".into(),
            options: object(json!({"view": {"selection": {"layer": "0,5"}}})),
            line: "attnviz attention --layer=0,5".into(),
            model: Identity {
                name: "gpt2".into(),
                revision: Some("607a30d".into()),
                hash: "c0ffee".into(),
                ..Identity::default()
            },
            prompt: "a, \"b\"\n😀".into(),
            token_ids: vec![64, 50256, 7],
            ..Record::default()
        },
        tokens: vec!["a,".into(), " \"b\"\n".into(), "😀".into()],
        results: vec![
            Entry {
                method: "attention".into(),
                settings: object(json!({"reduce": "none", "attention": "a name that the entry itself uses"})),
                fields: object(json!({"layers": [0, 5], "heads": [11]})),
                arrays: vec![
                    Array { name: "attention".into(), shape: vec![2, 1, 3, 3], values: attention },
                    Array { name: "scores".into(), shape: vec![2, 1, 3, 3], values: scores },
                    Array {
                        name: "logits".into(),
                        shape: vec![3, 2],
                        values: vec![0.1, -3e-9, 1e20, 4.0, 5.5, 16777216.0],
                    },
                ],
            },
            Entry {
                method: "attention-received".into(),
                settings: object(json!({"exclude": "first"})),
                fields: object(json!({"words": ["a,", "b"], "received": [0.7, 0.3], "sink_share": 0.45})),
                arrays: Vec::new(),
            },
        ],
    }
}

type Export = fn(&Data, &mut dyn Write) -> Result<()>;

fn bytes(export: Export, data: &Data) -> Vec<u8> {
    let mut out = Vec::new();
    export(data, &mut out).unwrap();
    out
}

fn read(bytes: &[u8]) -> Result<Patterns> {
    export::read::read_from(Cursor::new(bytes), "file")
}

/// The error of a file that must not be read, with its hint.
#[track_caller]
fn refused(bytes: &[u8]) -> String {
    let error = read(bytes).unwrap_err();
    assert!(error.message.starts_with("file: "), "{error}");
    assert!(!error.message.contains('\n') && error.hint.is_some(), "{error:?}");
    error.message
}

/// A safetensors file with the given header and so many zero bytes.
fn tensors(header: &str, size: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + size, 0);
    file
}

/// A `.npy` array.
fn npy(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(numbers);
    file
}

/// An NPZ file as `np.savez` or `np.savez_compressed` writes it.
fn archive(members: &[(&str, Vec<u8>)], method: ::zip::CompressionMethod) -> Vec<u8> {
    let mut zip = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, member) in members {
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(member).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn utf32(texts: &[&str], width: usize) -> Vec<u8> {
    let padded = |text: &str| text.chars().map(u32::from).chain(std::iter::repeat(0)).take(width).collect::<Vec<_>>();
    texts.iter().flat_map(|text| padded(text)).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn what_is_exported_as_safetensors_or_npz_reads_back_the_same() {
    let data = sample();
    for export in [safetensors::write as Export, npz::write] {
        let trace = read(&bytes(export, &data)).unwrap();
        assert_eq!(trace.shape, [2, 1, 3, 3]);
        assert_eq!(trace.attention, data.results[0].arrays[0].values);
        assert_eq!(trace.tokens.unwrap(), data.tokens);
        assert_eq!(trace.token_ids.unwrap(), [64, 50256, 7]);
        assert_eq!(trace.prompt.unwrap(), data.record.prompt);
        assert_eq!((trace.layers, trace.heads), (vec![0, 5], vec![11]));
        assert_eq!(trace.record.unwrap(), data.record);
    }
}

#[test]
fn every_file_says_the_same_of_itself_to_one_reader() {
    let data = sample();
    let formats =
        [(safetensors::write as Export, Format::Safetensors), (npz::write, Format::Npz), (json::write, Format::Json)];
    for (export, format) in formats {
        assert_eq!(export::record::read(&bytes(export, &data)).unwrap(), (format, data.record.clone()));
    }
    let figure = Figure { record: Some(data.record.clone()), ..Figure::default() };
    let fonts = Fonts::bundled();
    let svg = render::svg(&figure, &fonts).unwrap().into_bytes();
    assert_eq!(export::record::read(&svg).unwrap(), (Format::Svg, data.record.clone()));
    let png = render::png(&figure, &fonts).unwrap();
    assert_eq!(export::record::read(&png).unwrap(), (Format::Png, data.record));
    let silent = export::record::read(b"GIF89a").unwrap_err();
    assert!(silent.message.contains("does not say how it was made"), "{silent}");
}

#[test]
fn the_same_data_give_the_same_bytes() {
    for export in [safetensors::write as Export, npz::write, json::write] {
        assert_eq!(bytes(export, &sample()), bytes(export, &sample()));
    }
}

#[test]
fn safetensors_metadata_is_one_json_object_under_one_key() {
    let file = bytes(safetensors::write, &sample());
    let (length, header) = ::safetensors::SafeTensors::read_metadata(&file).unwrap();
    assert_eq!(length % 8, 0);
    let metadata = header.metadata().as_ref().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["attnviz"]);
    let meta: Value = serde_json::from_str(&metadata["attnviz"]).unwrap();
    assert_eq!(serde_json::from_value::<Record>(meta.clone()).unwrap(), sample().record);
    let attention = &meta["results"][0];
    assert_eq!((&attention["layers"], &attention["heads"]), (&json!([0, 5]), &json!([11])));
    assert_eq!((&attention["method"], &attention["reduce"]), (&json!("attention"), &json!("none")));
    assert_eq!(attention.get("attention"), None); // it is an array
    let tensors = ::safetensors::SafeTensors::deserialize(&file).unwrap();
    assert_eq!(tensors.tensor("token_ids").unwrap().dtype(), ::safetensors::Dtype::I64);
    assert_eq!(tensors.tensor("logits").unwrap().shape(), [3, 2]);
}

#[test]
fn json_holds_every_number_in_its_shortest_form_and_minus_infinity_as_null() {
    let text = String::from_utf8(bytes(json::write, &sample())).unwrap();
    assert!(text.contains("0.33333334") && !text.contains("0.333333343"), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["model"], json!({"name": "gpt2", "revision": "607a30d", "hash": "c0ffee"}));
    assert_eq!(value["prompt"], "a, \"b\"\n😀");
    assert_eq!(value["token_ids"], json!([64, 50256, 7]));
    let [attention, received] = value["results"].as_array().unwrap().as_slice() else { panic!("two results") };
    assert_eq!((&attention["method"], &attention["reduce"]), (&json!("attention"), &json!("none")));
    assert_eq!(attention["attention"][1][0][1], json!([0.5, 0.5, 0.0]));
    assert_eq!(attention["scores"][0][0][0], json!([0.0, null, null]));
    assert_eq!(attention["logits"].as_array().unwrap().len(), 3);
    assert_eq!(received["words"], json!(["a,", "b"]));
    assert_eq!(received["received"], json!([0.7, 0.3]));
    assert_eq!((&received["sink_share"], &received["exclude"]), (&json!(0.45), &json!("first")));
    let back: Vec<f32> = serde_json::from_value::<Vec<[f32; 2]>>(attention["logits"].clone()).unwrap().concat();
    assert_eq!(back, sample().results[0].arrays[2].values);
}

#[test]
fn csv_lists_the_visible_pairs_and_quotes_what_needs_it() {
    let mut out = Vec::new();
    let data = sample();
    let attention = &data.results[0].arrays[0];
    csv::write_attention(attention, &["0".into(), "5".into()], &["mean".into()], &data.tokens, true, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let expected = "layer,head,query,query_token,key,key_token,attention\n\
        0,mean,0,\"a,\",0,\"a,\",1.0\n\
        0,mean,1,\" \"\"b\"\"\n\",0,\"a,\",0.5\n";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(text.matches(",mean,").count(), 2 * 6);
    assert!(text.ends_with("5,mean,2,😀,2,😀,0.33333334\n"), "{text}");
}

#[test]
fn a_table_is_written_as_it_is_and_refused_where_a_cell_is_missing() {
    let mut table = Table {
        columns: vec![whole("rank"), text("word"), number("received")],
        rows: vec![vec![1u32.into(), "a,".into(), 0.7f32.into()], vec![2u32.into(), " b".into(), f32::NAN.into()]],
    };
    let mut out = Vec::new();
    csv::write_table(&table, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "rank,word,received\n1,\"a,\",0.7\n2,\" b\",\n");
    table.rows[1].pop();
    csv::write_table(&table, &mut Vec::new()).unwrap_err();
}

#[test]
fn arrays_of_several_methods_carry_the_methods_name() {
    let mut data = sample();
    data.results[1].arrays = vec![Array { name: "attention".into(), shape: vec![3], values: vec![1.0, f32::NAN, 0.5] }];
    let file = bytes(safetensors::write, &data);
    let tensors = ::safetensors::SafeTensors::deserialize(&file).unwrap();
    assert_eq!(tensors.tensor("attention-received.attention").unwrap().shape(), [3]);
    assert_eq!(tensors.tensor("attention.logits").unwrap().shape(), [3, 2]);
    let text = String::from_utf8(bytes(json::write, &data)).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["results"][1]["attention"], json!([1.0, null, 0.5]));
}

#[test]
fn more_than_twenty_million_numbers_as_text_are_refused_with_the_way_out() {
    let mut data = sample();
    let large = Array { name: "attention".into(), shape: vec![1, 40, 1024, 1024], values: vec![0.0; 40 << 20] };
    let labels = |count: usize| (0..count).map(|index| index.to_string()).collect::<Vec<_>>();
    let csv = csv::write_attention(&large, &labels(1), &labels(40), &labels(1024), true, &mut Vec::new()).unwrap_err();
    data.results[0].arrays = vec![large];
    for error in [json::write(&data, &mut Vec::new()).unwrap_err(), csv] {
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.hint.unwrap().contains(".safetensors"), "{}", error.message);
    }
}

#[test]
fn a_shape_that_does_not_fit_its_numbers_is_never_written() {
    let mut short = sample();
    short.results[0].arrays[2].values.pop();
    let mut twice = sample();
    let again = twice.results[0].arrays[1].clone();
    twice.results[0].arrays.push(again);
    let mut tokens = sample();
    tokens.tokens.pop();
    for data in [short, twice, tokens] {
        for export in [safetensors::write as Export, npz::write, json::write] {
            let mut out = Vec::new();
            export(&data, &mut out).unwrap_err();
            assert!(out.is_empty());
        }
    }
}

#[test]
fn gpt2_traces_from_python_are_read() {
    let Some(folder) = skip::shared("data/gpt2-traces") else { return };
    for name in ["ex0", "ex1", "ex2"] {
        let trace = export::read(&folder.join(name).with_extension("safetensors")).unwrap();
        assert_eq!(trace.shape[..2], [12, 12]);
        assert_eq!(trace.tokens.as_ref().unwrap().concat(), trace.prompt.unwrap());
        assert_eq!(trace.token_ids.unwrap().len(), trace.shape[3]);
        let sums = trace.attention.chunks(trace.shape[3]).map(|row| row.iter().sum::<f32>());
        assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-4));
    }
}

#[test]
fn half_and_double_precision_and_a_batch_of_one_are_read() {
    let ones: [(&str, Vec<u8>); 4] = [
        ("F16", half::f16::ONE.to_le_bytes().repeat(2)),
        ("BF16", half::bf16::ONE.to_le_bytes().repeat(2)),
        ("F32", 1f32.to_le_bytes().repeat(2)),
        ("F64", 1f64.to_le_bytes().repeat(2)),
    ];
    for (dtype, numbers) in ones {
        let end = numbers.len();
        let header = format!(
            r#"{{"__metadata__":{{"tokens":"[\"a\", \"b\"]"}},"attention":{{"dtype":"{dtype}","shape":[1,1,1,1,2],"data_offsets":[0,{end}]}},
            "other":{{"dtype":"BOOL","shape":[3],"data_offsets":[{end},{}]}}}}"#,
            end + 3
        );
        let mut file = tensors(&header, 0);
        file.extend(numbers);
        file.extend([1; 3]);
        let trace = read(&file).unwrap();
        assert_eq!((trace.attention, trace.shape), (vec![1.0, 1.0], [1, 1, 1, 2]), "{dtype}");
        assert_eq!(trace.tokens.unwrap(), ["a", "b"]);
    }
}

#[test]
fn npz_from_numpy_is_read_compressed_or_not() {
    for method in [::zip::CompressionMethod::Stored, ::zip::CompressionMethod::Deflated] {
        let numbers: Vec<u8> = [1.0, 0.0, 0.25, 0.75].iter().flat_map(|number: &f64| number.to_le_bytes()).collect();
        let ids: Vec<u8> = [5u32, 6].iter().flat_map(|id| id.to_le_bytes()).collect();
        let file = archive(
            &[
                ("attention", npy("'<f8'", "(1, 1, 2, 2)", &numbers)),
                ("tokens", npy("'<U3'", "(2,)", &utf32(&["é", " the"], 3))),
                ("token_ids", npy("'<u4'", "(1, 2)", &ids)),
                ("prompt", npy("'<U5'", "()", &utf32(&["é the"], 5))),
                ("names", npy("'|O'", "(2,)", b"pickle")),
            ],
            method,
        );
        let trace = read(&file).unwrap();
        assert_eq!((trace.attention, trace.shape), (vec![1.0, 0.0, 0.25, 0.75], [1, 1, 2, 2]));
        assert_eq!(trace.tokens.unwrap(), ["é", " th"]); // NumPy cuts at the width
        assert_eq!((trace.token_ids.unwrap(), trace.prompt.unwrap()), (vec![5, 6], "é the".to_owned()));
    }
}

#[test]
fn every_cut_of_a_good_file_is_refused_and_none_panics() {
    for export in [safetensors::write as Export, npz::write] {
        let file = bytes(export, &sample());
        for length in 0..file.len() {
            refused(&file[..length]);
        }
    }
}

#[test]
fn no_flipped_byte_panics() {
    for export in [safetensors::write as Export, npz::write] {
        let file = bytes(export, &sample());
        for at in 0..file.len() {
            for flip in [0xff, 0x01, 0x80] {
                let mut file = file.clone();
                file[at] ^= flip;
                let _ = read(&file);
            }
        }
    }
}

#[test]
fn absurd_shapes_are_refused_before_any_memory_is_taken() {
    let huge = "[4294967296,4294967296,4294967296,4294967296]";
    let header = format!(r#"{{"attention":{{"dtype":"F32","shape":{huge},"data_offsets":[0,4]}}}}"#);
    assert!(refused(&tensors(&header, 4)).contains("header"));
    let header = r#"{"attention":{"dtype":"F32","shape":[1,1,1048576,1048576],"data_offsets":[0,4398046511104]}}"#;
    assert!(refused(&tensors(header, 4)).contains("announces 4398046511104 bytes"));
    assert!(refused(&[0xff; 64]).contains("neither"));
    assert!(refused(b"P").contains("too short"));
    let stored = ::zip::CompressionMethod::Stored;
    for shape in ["(1099511627776, 1, 1, 1)", "(4294967296, 4294967296, 4294967296, 4294967296)", "(1, 1, -1, 2)"] {
        let message = refused(&archive(&[("attention", npy("'<f4'", shape, &[0; 16]))], stored));
        assert!(message.contains("attention"), "{message}");
    }
    let tokens = ("tokens", npy("'<U1000000000'", "(1000000000,)", &[]));
    let attention = ("attention", npy("'<f4'", "(1, 1, 1, 1)", &[0; 4]));
    assert!(refused(&archive(&[attention, tokens], stored)).contains("tokens announces"));
}

#[test]
fn what_cannot_be_attention_is_named() {
    let one = |dtype: &str, shape: &str, size: usize| {
        let tensor = format!(r#"{{"attention":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{size}]}}}}"#);
        refused(&tensors(&tensor, size))
    };
    assert!(one("I64", "[1,1,1,1]", 8).contains("attention has numbers of type i64"));
    assert!(one("F8_E4M3", "[1,1,1,1]", 1).contains("F8_E4M3"));
    assert!(one("F32", "[1,2,1,1,1]", 8).contains("[1, 2, 1, 1, 1]"));
    assert!(one("F32", "[4,4]", 64).contains("[4, 4]"));
    assert!(one("F32", "[0,12,4,4]", 0).contains("empty"));
    assert!(one("F32", "[1,1,2,1]", 8).contains("2 queries but only 1 key"));
    assert!(refused(&tensors(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1)).contains("only: a"));
    let message = refused(&tensors(r#"{"\u001b[2J\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1));
    assert!(message.contains("only: ␛[2J "), "nothing that a terminal obeys: {message:?}");

    let stored = ::zip::CompressionMethod::Stored;
    let one = |member: Vec<u8>| refused(&archive(&[("attention", member)], stored));
    assert!(one(npy("'|O'", "(1, 1, 1, 1)", &[0; 8])).contains("|O"));
    assert!(one(npy("[('a', '<f4')]", "(1, 1, 1, 1)", &[0; 4])).contains("several parts"));
    assert!(one(b"no array".to_vec()).contains("no NumPy array"));
    let mut nan = sample();
    nan.results[0].arrays[0].values[4] = f32::NAN;
    assert!(refused(&bytes(npz::write, &nan)).contains("NaN at [layer, head, query, key] = [0, 0, 1, 1]"));
    let tokens = ("tokens", npy("'<U1'", "(2,)", &utf32(&["a", "b"], 1)));
    let attention = ("attention", npy("'<f4'", "(1, 1, 1, 1)", &[0; 4]));
    assert!(refused(&archive(&[attention, tokens], stored)).contains("tokens has 2 entries"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = export::read(Path::new("no/such.npz")).unwrap_err();
    assert!(error.message.contains("no/such.npz") && error.hint.is_some());
    assert!(export::read(Path::new(".")).unwrap_err().message.contains("not a regular file"));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn hello(out: &mut (dyn Write + Send)) -> Result<()> {
    out.write_all(b"hello").map_err(|error| Error::failed(error.to_string()))
}

#[test]
fn a_file_appears_whole_and_replaces_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    for _ in 0..2 {
        write_atomically(&path, hello).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    }
    assert_eq!(names(folder.path()), ["a.json"]);
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let fail = |out: &mut (dyn Write + Send)| hello(out).and(Err(Error::failed("the model is gone")));
    assert_eq!(write_atomically(&path, fail).unwrap_err().message, "the model is gone");
    assert!(names(folder.path()).is_empty());
    std::fs::write(&path, "old").unwrap();
    write_atomically(&path, fail).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["a.json"]);
    let _ = std::panic::catch_unwind(|| write_atomically(&path, |_| panic!("on purpose")));
    assert_eq!(names(folder.path()), ["a.json"]);
}

#[test]
fn a_target_that_cannot_be_written_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: PathBuf| {
        let error = write_atomically(&path, |_| panic!("nothing is computed for it")).unwrap_err();
        assert!(error.message.contains(&*path.to_string_lossy()), "{error}");
        (error.message, error.hint.unwrap())
    };
    assert!(refused(folder.path().join("no/a.png")).1.contains("mkdir"));
    assert!(refused(folder.path().to_path_buf()).0.contains("is a folder"));
    assert!(refused(folder.path().join("new/")).0.contains("is a folder"));
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(refused(folder.path().join("file/a.png")).0.contains("is not a folder"));
    let locked = folder.path().join("locked");
    std::fs::write(&locked, "old").unwrap();
    let mut permissions = std::fs::metadata(&locked).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&locked, permissions).unwrap();
    assert!(refused(locked).0.contains("read-only"));
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_permissions_stay_what_they_were() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("real")).unwrap();
    symlink("real/new.json", at("link")).unwrap(); // dangling at first
    write_atomically(&at("link"), hello).unwrap();
    std::fs::set_permissions(at("real/new.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    write_atomically(&at("link"), hello).unwrap();
    assert!(at("link").is_symlink());
    assert_eq!(std::fs::metadata(at("real/new.json")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(&at("real")), ["new.json"]);
    symlink("loop", at("loop")).unwrap();
    assert!(write_atomically(&at("loop"), hello).is_err());
}

#[cfg_attr(not(target_os = "linux"), ignore = "needs /dev/full")]
#[test]
fn devices_are_written_directly_and_a_full_disk_is_said() {
    write_atomically(Path::new("/dev/null"), hello).unwrap();
    assert!(!Path::new("/dev/null").is_file());
    let error = write_atomically(Path::new("/dev/full"), |out| {
        npz::write(&sample(), out)?;
        npz::write(&sample(), out)
    });
    assert_eq!(error.unwrap_err().message, "cannot write /dev/full: the disk is full");
}

#[cfg(unix)]
#[cfg_attr(not(target_os = "linux"), ignore = "needs /proc")]
#[test]
fn a_pipe_gets_the_bytes_and_a_redirected_stdout_keeps_what_it_has() {
    use std::os::fd::AsRawFd;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).unwrap()
    });
    write_atomically(&pipe, hello).unwrap();
    assert_eq!(reader.join().unwrap(), b"hello");
    let log = folder.path().join("log");
    let mut open = std::fs::File::create(&log).unwrap();
    open.write_all(b"so far, ").unwrap();
    let stdout = folder.path().join("stdout"); // as /dev/stdout is: a link to a process's open file
    std::os::unix::fs::symlink(format!("/proc/self/fd/{}", open.as_raw_fd()), &stdout).unwrap();
    write_atomically(&stdout, hello).unwrap();
    assert_eq!(std::fs::read(&log).unwrap(), b"so far, hello");
    assert_eq!(names(folder.path()).len(), 3);
}

#[test]
fn a_template_is_filled_and_no_value_leaves_its_folder() {
    let template = Template::parse("out/{{x}}/{layer}-{head}-{index}-{layer}.png").unwrap();
    assert_eq!(template.fields(), [Field::Layer, Field::Head, Field::Index]);
    let fields = Fields { layer: "11".into(), head: "../a\\b".into(), index: "0003".into(), ..Fields::default() };
    assert_eq!(template.fill(&fields), Path::new("out/{x}/11----a-b-0003-11.png"));
    assert!(Template::parse("plain.png").unwrap().fields().is_empty());
}

#[test]
fn a_template_that_cannot_be_meant_is_refused() {
    for (text, what) in [("{heads}.png", "unknown field `{heads}`"), ("{head.png", "without"), ("head}.png", "without")]
    {
        let error = Template::parse(text).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.message.contains(what) && error.hint.is_some(), "{error}");
    }
}

#[test]
fn a_slug_is_a_name_that_every_system_takes() {
    assert_eq!(slug("The cat sat, didn't it?"), "the-cat-sat-didnt-it");
    assert_eq!(slug("../../etc/passwd"), "etc-passwd");
    assert_eq!(slug("猫 😀"), "prompt");
    assert_eq!(slug("CON"), "prompt-con");
    assert_eq!(slug("lpt1"), "prompt-lpt1");
    assert_eq!(slug("common"), "common");
    assert_eq!(slug(&"word ".repeat(20)), "word-word-word-word-word-word-word-word");
    assert_eq!(slug(&"w".repeat(99)).len(), 40);
}
