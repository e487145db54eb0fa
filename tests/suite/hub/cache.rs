//! What is in the cache is used, completed, refreshed and listed.
use super::*;
use crate::support::hub::write_cache;

#[test]
fn a_model_is_downloaded_into_the_layout_of_huggingface_hub() {
    let bench = Bench::new();
    let mut announced = None;
    let mut moved = Vec::new();
    let snapshot = bench
        .hub()
        .snapshot(&name(ID), &mut |event| match event {
            Event::Announce { id, files, bytes, present } => announced = Some((id.to_owned(), files, bytes, present)),
            Event::Moved { done, total, .. } if announced.is_some() => moved.push((done, total)),
            event => panic!("{event:?}"),
        })
        .unwrap();
    assert_eq!(snapshot.commit, COMMIT);
    assert_eq!(snapshot.dir, bench.repository().join("snapshots").join(COMMIT));
    bench.assert_whole(&snapshot);
    for (file, bytes) in files() {
        assert!(fs::read(snapshot.dir.join(file)).unwrap() == bytes);
        assert!(fs::read(bench.blob(file, &bytes)).unwrap() == bytes);
        #[cfg(unix)]
        assert_eq!(fs::read_link(snapshot.dir.join(file)).unwrap(), Path::new("../../blobs").join(etag(file, &bytes)));
    }
    assert_eq!(fs::read_to_string(bench.repository().join("refs/main")).unwrap(), COMMIT);
    let left: Vec<_> = fs::read_dir(bench.repository()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");

    let total = WEIGHTS_LEN as u64 + 13;
    assert_eq!(announced, Some((ID.to_owned(), 2, total, 0)));
    assert!(moved.is_sorted() && moved.first() == Some(&(0, total)) && moved.last() == Some(&(total, total)));
}

#[test]
fn a_cached_model_needs_no_network() {
    let bench = Bench::new();
    let first = bench.get().unwrap();
    bench.server.forget_requests();
    assert_eq!(bench.get().unwrap(), first);
    assert_eq!(bench.hub().find(&name(ID)), Some(first.clone()));
    assert_eq!(bench.hub().snapshot(&at(COMMIT), &mut |_| ()).unwrap(), first);
    assert_eq!(bench.offline().snapshot(&name(ID), &mut |_| ()).unwrap(), first);
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn a_cache_that_huggingface_hub_wrote_is_used_with_symlinks_and_without() {
    for symlinks in [true, false] {
        let bench = Bench::new();
        write_cache(bench.cache.path(), ID, COMMIT, "main", &files(), symlinks);
        bench.assert_whole(&bench.get().unwrap());
        assert_eq!(bench.server.requests().len(), 0);
    }
}

#[test]
fn only_what_is_missing_is_downloaded() {
    for symlinks in [true, false] {
        let bench = Bench::new();
        write_cache(bench.cache.path(), ID, COMMIT, "main", &files_with("tokenizer.json", b""), symlinks);
        // The branch has moved on, but the tokenizer must belong to the cached weights.
        bench.server.publish("main", OTHER_COMMIT, &files_with("tokenizer.json", b"{\"newer\": 1}"));
        let snapshot = bench.get().unwrap();
        assert_eq!(snapshot.commit, COMMIT);
        assert_eq!(fs::read(snapshot.dir.join("tokenizer.json")).unwrap(), b"{\"model\": {}}");
        // What else says something of a tokenizer is asked for with it.
        let extras = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"];
        let asked: usize = extras.iter().map(|file| bench.server.count("HEAD", file)).sum();
        assert_eq!(asked, 4);
        assert_eq!(bench.server.requests().len(), bench.server.count("HEAD", "/tokenizer.json") + 1 + asked);
    }
}

#[test]
fn without_symlinks_a_snapshot_holds_the_files_themselves() {
    let bench = Bench::new();
    let hub = bench.hub_with(&[("HF_HUB_DISABLE_SYMLINKS", "1")], Options::default());
    let snapshot = hub.snapshot(&name(ID), &mut |_| ()).unwrap();
    bench.assert_whole(&snapshot);
    assert!(fs::symlink_metadata(snapshot.dir.join(WEIGHTS)).unwrap().is_file());
    // Renaming a hard link onto its twin must not leave anything behind.
    let hub = bench.hub_with(&[("HF_HUB_DISABLE_SYMLINKS", "1")], Options { refresh: true, ..Options::default() });
    fs::write(bench.repository().join("snapshots").join(COMMIT).join("config.json"), "damaged").unwrap();
    bench.assert_whole(&hub.snapshot(&name(ID), &mut |_| ()).unwrap());
    assert_eq!(fs::read_dir(bench.repository()).unwrap().count(), 3);
}

#[test]
fn offline_says_what_is_not_cached() {
    let bench = Bench::new();
    let error = bench.offline().snapshot(&name(ID), &mut |_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.message.contains("'org/tiny' is not in the cache"), "{error}");

    write_cache(bench.cache.path(), ID, COMMIT, "main", &files_with("tokenizer.json", b""), true);
    let by_variable = bench.hub_with(&[("HF_HUB_OFFLINE", "1")], Options::default());
    let error = by_variable.snapshot(&name(ID), &mut |_| ()).unwrap_err();
    assert!(error.message.contains("partly in the cache (tokenizer.json missing)"), "{error}");
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn refresh_follows_a_branch_that_moved() {
    let bench = Bench::new();
    bench.get().unwrap();
    bench.server.publish("main", OTHER_COMMIT, &files_with("tokenizer.json", b"{\"newer\": 1}"));
    assert_eq!(bench.get().unwrap().commit, COMMIT);
    bench.server.forget_requests();
    let snapshot = bench.refreshing().snapshot(&name(ID), &mut |_| ()).unwrap();
    assert_eq!(snapshot.commit, OTHER_COMMIT);
    bench.assert_whole(&snapshot);
    assert_eq!(bench.server.count("GET", ""), 1, "the unchanged blobs are there already");
    assert_eq!(bench.get().unwrap(), snapshot);
}

#[test]
fn an_interrupted_refresh_leaves_the_older_checkpoint_in_use() {
    let bench = Bench::new();
    let before = bench.get().unwrap();
    bench.server.publish("main", OTHER_COMMIT, &files_with(WEIGHTS, b"newer weights"));
    bench.server.fault("GET", &sha256(b"newer weights"), 9, Fault::Cut(3));
    let error = bench.refreshing().snapshot(&name(ID), &mut |_| ()).unwrap_err();
    assert!(error.message.contains("broke off"), "{error}");
    assert_eq!(bench.offline().snapshot(&name(ID), &mut |_| ()).unwrap(), before);
}

#[test]
fn refresh_repairs_a_damaged_file() {
    let bench = Bench::new();
    let mut damaged = weights();
    damaged[WEIGHTS_LEN / 2] ^= 1;
    bench.get().unwrap();
    fs::write(bench.blob(WEIGHTS, &weights()), damaged).unwrap();
    bench.assert_whole(&bench.refreshing().snapshot(&name(ID), &mut |_| ()).unwrap());
}

#[test]
fn a_sharded_model_comes_with_all_its_shards() {
    let index = br#"{"metadata": {}, "weight_map": {"wte": "model-00001-of-00002.safetensors", "wpe": "model-00002-of-00002.safetensors", "ln_f": "model-00002-of-00002.safetensors"}}"#;
    let mut files = files_with(WEIGHTS, b"");
    files.push(("model.safetensors.index.json", index.to_vec()));
    files.push(("model-00001-of-00002.safetensors", b"one".to_vec()));
    files.push(("model-00002-of-00002.safetensors", b"two".to_vec()));
    let bench = Bench::with(&files);
    let snapshot = bench.get().unwrap();
    assert_eq!(fs::read(snapshot.dir.join("model-00002-of-00002.safetensors")).unwrap(), b"two");

    fs::remove_file(snapshot.dir.join("model-00001-of-00002.safetensors")).unwrap();
    let error = bench.offline().snapshot(&name(ID), &mut |_| ()).unwrap_err();
    assert!(error.message.contains("model-00001-of-00002.safetensors missing"), "{error}");
    bench.server.forget_requests();
    bench.get().unwrap();
    assert_eq!(bench.server.requests().len(), 1, "the blob is there, so only its name is asked for");

    let bench = Bench::with(&files[..files.len() - 1]);
    assert!(bench.fails().message.contains("'model-00002-of-00002.safetensors', which is not there"));
}

#[test]
fn pickled_weights_come_where_there_are_no_others() {
    let bin = ("pytorch_model.bin", b"pickle".to_vec());
    let bench = Bench::with(&files_with(WEIGHTS, b"").into_iter().chain([bin.clone()]).collect::<Vec<_>>());
    let snapshot = bench.get().unwrap();
    assert_eq!(fs::read(snapshot.dir.join("pytorch_model.bin")).unwrap(), b"pickle");
    bench.server.forget_requests();
    assert_eq!(bench.get().unwrap(), snapshot);
    assert_eq!(bench.server.requests().len(), 0, "it is complete");
    assert!(bench.offline().cached()[0].complete);

    let both = Bench::with(&files().into_iter().chain([bin]).collect::<Vec<_>>());
    assert!(!both.get().unwrap().dir.join("pytorch_model.bin").exists());
    assert_eq!(both.server.count("HEAD", "pytorch_model.bin"), 0);
}

#[test]
fn a_pickled_model_in_shards_comes_with_all_of_them() {
    let index =
        br#"{"weight_map": {"wte": "pytorch_model-00001-of-00002.bin", "wpe": "pytorch_model-00002-of-00002.bin"}}"#;
    let mut files = files_with(WEIGHTS, b"");
    files.push(("pytorch_model.bin.index.json", index.to_vec()));
    files.push(("pytorch_model-00001-of-00002.bin", b"one".to_vec()));
    files.push(("pytorch_model-00002-of-00002.bin", b"two".to_vec()));
    let bench = Bench::with(&files);
    let snapshot = bench.get().unwrap();
    assert_eq!(fs::read(snapshot.dir.join("pytorch_model-00002-of-00002.bin")).unwrap(), b"two");
    fs::remove_file(snapshot.dir.join("pytorch_model-00002-of-00002.bin")).unwrap();
    let error = bench.offline().snapshot(&name(ID), &mut |_| ()).unwrap_err();
    assert!(error.message.contains("pytorch_model-00002-of-00002.bin missing"), "{error}");
    let bench = Bench::with(&files[..files.len() - 1]);
    assert!(bench.fails().message.contains("'pytorch_model-00002-of-00002.bin', which is not there"));
}

#[test]
fn an_older_repository_gives_its_vocabulary_and_what_was_added_to_it() {
    let mut files = files_with("tokenizer.json", b"");
    files.push(("vocab.json", b"{}".to_vec()));
    files.push(("merges.txt", b"#version: 0.2\n".to_vec()));
    files.push(("added_tokens.json", b"{\"x\": 1}".to_vec()));
    let bench = Bench::with(&files);
    let snapshot = bench.get().unwrap();
    assert!(["vocab.json", "merges.txt", "added_tokens.json"].iter().all(|file| snapshot.dir.join(file).is_file()));
    bench.server.forget_requests();
    bench.get().unwrap();
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn a_repository_without_a_tokenizer_is_whole_and_asked_once() {
    let bench = Bench::with(&files_with("tokenizer.json", b""));
    let snapshot = bench.get().unwrap();
    bench.assert_whole(&snapshot);
    bench.server.forget_requests();
    assert_eq!(bench.get().unwrap(), snapshot);
    assert_eq!(bench.offline().snapshot(&name(ID), &mut |_| ()).unwrap(), snapshot);
    assert_eq!(bench.server.requests().len(), 0);
    // It lends none, and one that appears there is noticed.
    let error = bench.hub().tokenizer(&name(ID), &mut |_| ()).unwrap_err();
    assert!(error.message.contains("neither tokenizer.json nor vocab.json") && error.hint.is_some(), "{error}");
    bench.server.publish("main", OTHER_COMMIT, &files());
    let newer = bench.refreshing().snapshot(&name(ID), &mut |_| ()).unwrap();
    assert!(newer.dir.join("tokenizer.json").is_file());
}

#[test]
fn a_revision_is_a_branch_a_tag_a_commit_or_a_pull_request() {
    let bench = Bench::new();
    bench.server.publish("refs/pr/1", OTHER_COMMIT, &files());
    let snapshot = bench.hub().snapshot(&at("refs/pr/1"), &mut |_| ()).unwrap();
    assert_eq!(snapshot.commit, OTHER_COMMIT);
    assert_eq!(fs::read_to_string(bench.repository().join("refs/refs/pr/1")).unwrap(), OTHER_COMMIT);
    let snapshot = bench.hub().snapshot(&at(COMMIT), &mut |_| ()).unwrap();
    assert_eq!(snapshot.commit, COMMIT);
    assert!(!bench.repository().join("refs").join(COMMIT).exists());
    let error = bench.hub().snapshot(&at("nowhere"), &mut |_| ()).unwrap_err();
    assert!(error.message.contains("no revision 'nowhere'"), "{error}");
}

#[test]
fn the_environment_is_read_as_huggingface_hub_reads_it() {
    let home = TempDir::new().unwrap();
    let user = home.path().to_str().unwrap();
    let read = |variables: &[(&str, &str)]| {
        let known: BTreeMap<_, _> = variables.iter().copied().collect();
        Environment::from_variables(|name| known.get(name).map(Into::into)).unwrap()
    };
    let default = read(&[("HOME", user)]);
    assert_eq!(default.cache, home.path().join(".cache/huggingface/hub"));
    assert_eq!(default.endpoint, "https://huggingface.co");
    assert!(default.token.is_none() && !default.offline && default.symlinks);
    assert_eq!(read(&[("HOME", user), ("HF_HOME", "~/hf")]).cache, home.path().join("hf/hub"));
    assert_eq!(read(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/cache")]).cache, Path::new("/cache"));
    assert_eq!(read(&[("HOME", user), ("HF_HOME", "")]).cache, default.cache);
    for (value, offline) in [("1", true), ("yes", true), ("TRUE", true), ("0", false), ("", false)] {
        assert_eq!(read(&[("HOME", user), ("HF_HUB_OFFLINE", value)]).offline, offline);
    }

    fs::write(home.path().join("token"), "hf_from_file\n").unwrap();
    let token = |variables: &[(&str, &str)]| read(variables).token.map(|token| token.0);
    assert_eq!(token(&[("HF_HOME", user)]).as_deref(), Some("hf_from_file"));
    assert_eq!(token(&[("HF_HOME", user), ("HF_TOKEN", "hf_mine")]).as_deref(), Some("hf_mine"));
    let elsewhere = home.path().join("token");
    assert_eq!(
        token(&[("HOME", "/x"), ("HF_TOKEN_PATH", elsewhere.to_str().unwrap())]).as_deref(),
        Some("hf_from_file")
    );

    assert!(Environment::from_variables(|_| None).unwrap_err().hint.unwrap().contains("HF_HUB_CACHE"));
    assert_eq!(
        Hub::new(read(&[("HOME", user), ("HF_ENDPOINT", "hub")]), Options::default()).unwrap_err().kind,
        Kind::Usage
    );
    assert_eq!(
        Hub::new(read(&[("HOME", user), ("HF_TOKEN", "a\nb")]), Options::default()).unwrap_err().kind,
        Kind::Usage
    );
    let both = Options { offline: true, refresh: true, ..Options::default() };
    assert_eq!(Hub::new(default, both).unwrap_err().kind, Kind::Usage);
}

#[test]
fn cached_models_are_listed_and_junk_is_passed_over() {
    let bench = Bench::new();
    let cache = bench.cache.path();
    write_cache(cache, "gpt2", COMMIT, "main", &files(), true);
    write_cache(cache, "gpt2", COMMIT, "refs/pr/1", &[], true);
    write_cache(cache, "gpt2", OTHER_COMMIT, "old", &files_with(WEIGHTS, b""), false);
    write_cache(cache, "bert", COMMIT, "main", &files_with("config.json", br#"{"model_type": "bert"}"#), true);
    write_cache(cache, "broken", COMMIT, "main", &files_with("config.json", b"{"), true);
    write_cache(cache, "a/b/c", COMMIT, "main", &files(), true);
    write_cache(cache, "odd", "not-a-commit", "main", &files(), true);
    fs::create_dir_all(cache.join("models--empty")).unwrap();
    fs::create_dir_all(cache.join(".locks")).unwrap();
    fs::write(cache.join("models--file"), "").unwrap();
    fs::write(cache.join("version.txt"), "1").unwrap();
    fs::write(cache.join("models--gpt2/refs/evil"), "../../..").unwrap();

    let listed = bench.hub().cached();
    let shown: Vec<_> = listed.iter().map(|m| (m.id.as_str(), m.commit.as_str(), m.complete)).collect();
    assert_eq!(shown, [("gpt2", COMMIT, true), ("gpt2", OTHER_COMMIT, false)]);
    assert_eq!(listed[0].revisions, ["main", "refs/pr/1"]);
    assert_eq!(listed[1].revisions, ["old"]);
    assert_eq!(listed[0].size_bytes, (WEIGHTS_LEN + 13 + CONFIG.len()) as u64);
    // Where no type is named, every one is wanted.
    let environment = Environment::from_variables(|name| (name == "HF_HUB_CACHE").then(|| cache.into())).unwrap();
    let any = Hub::new(environment, Options::default()).unwrap().cached();
    assert_eq!(any.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["bert", "gpt2", "gpt2"]);
    let nowhere = bench.hub_with(&[("HF_HUB_CACHE", "/no/such/folder")], Options::default());
    assert!(nowhere.cached().is_empty());
}
