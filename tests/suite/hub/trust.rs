//! What a server says is not believed, and what it refuses is told.
use super::*;

#[test]
fn a_model_that_was_renamed_is_found_under_its_old_name() {
    let bench = Bench::new();
    let beside = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"];
    for file in ["config.json", WEIGHTS, "tokenizer.json"].into_iter().chain(beside) {
        for at in ["main", COMMIT] {
            let location = vec![("Location", format!("/{ID}/resolve/{at}/{file}"))];
            let path = format!("/tiny/resolve/{at}/{file}");
            // The path of the new name contains that of the old one, so the old name gets one redirect per method.
            let path: &str = path.leak();
            for method in ["HEAD", "GET"] {
                bench.server.fault(method, path, 1, Fault::Status(307, location.clone()));
            }
        }
    }
    let snapshot = bench.hub().snapshot(&name("tiny"), &mut |_| ()).unwrap();
    assert_eq!(snapshot.dir, bench.cache.path().join("models--tiny/snapshots").join(COMMIT));
    assert!(fs::read(snapshot.dir.join(WEIGHTS)).unwrap() == weights());
}

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let bench = Bench::new();
    let hub = bench.hub_with(&[("HF_TOKEN", "hf_secret")], Options::default());
    assert!(
        !format!("{hub:?}").contains("hf_secret")
            && !format!("{:?}", hub.snapshot(&name(ID), &mut |_| ())).contains("hf_")
    );
    let (store, hub): (Vec<_>, Vec<_>) = bench.server.requests().into_iter().partition(|request| request.at_store);
    assert!(!store.is_empty() && store.iter().all(|request| request.authorization.is_none()));
    assert!(hub.iter().all(|request| request.authorization.as_deref() == Some("Bearer hf_secret")));
}

#[test]
fn a_hub_that_has_moved_elsewhere_altogether_does_not_get_the_token() {
    let new = Server::start(ID, &files());
    let bench = Bench::new();
    for file in ["config.json", WEIGHTS, "tokenizer.json"] {
        for method in ["HEAD", "GET"] {
            for at in ["main", COMMIT] {
                let there = vec![("Location", format!("{}/{ID}/resolve/{at}/{file}", new.address))];
                bench.server.fault(method, format!("{at}/{file}").leak(), 9, Fault::Status(308, there));
            }
        }
    }
    let hub = bench.hub_with(&[("HF_TOKEN", "hf_secret")], Options::default());
    bench.assert_whole(&hub.snapshot(&name(ID), &mut |_| ()).unwrap());
    assert!(new.requests().iter().all(|request| request.authorization.is_none()));
}

#[test]
fn refusals_say_whose_fault_it_is() {
    let code = |code: &str| vec![("X-Error-Code", code.to_owned())];
    let cases = [
        ("config.json", 401, code("RepoNotFound"), "no model 'org/tiny'", "HF_TOKEN"),
        ("config.json", 404, code("RepoNotFound"), "no model 'org/tiny'", "./org/tiny"),
        ("config.json", 404, code("RevisionNotFound"), "'org/tiny' has no revision 'main'", "main branch"),
        ("config.json", 404, code("EntryNotFound"), "no config.json for model 'org/tiny'", "spelling"),
        ("config.json", 404, vec![], "no config.json for model 'org/tiny'", "spelling"),
        (WEIGHTS, 401, code("GatedRepo"), "'org/tiny' is gated", "HF_TOKEN"),
        (WEIGHTS, 403, code("GatedRepo"), "'org/tiny' is gated", "accept its terms"),
        (WEIGHTS, 403, vec![], "refuses file 'model.safetensors'", "HF_TOKEN"),
        (WEIGHTS, 418, vec![], "answers 418", "HF_ENDPOINT"),
        ("config.json", 302, vec![("Location", "file:///etc/passwd".into())], "not safe", "HF_ENDPOINT"),
        ("config.json", 302, vec![("Location", "config.json".into())], "in circles", "HF_ENDPOINT"),
    ];
    for (file, status, headers, message, hint) in cases {
        let bench = Bench::new();
        bench.server.fault("HEAD", file, 99, Fault::Status(status, headers));
        let error = bench.fails();
        assert!(error.message.contains(message) && error.hint.as_ref().unwrap().contains(hint), "{status}: {error:?}");
        assert_eq!(error.kind, Kind::Failed);
        bench.assert_no_weights();
    }
    let bench = Bench::new();
    bench.server.fault("HEAD", "config.json", 1, Fault::Status(401, vec![]));
    let hub = bench.hub_with(&[("HF_TOKEN", "hf_old")], Options::default());
    let error = hub.snapshot(&name(ID), &mut |_| ()).unwrap_err();
    assert!(error.message.contains("does not accept the token"), "{error}");
}

#[test]
fn a_list_of_shards_cannot_lead_out_of_its_folder() {
    for shard in ["../../../outside.safetensors", "/etc/x.safetensors", "a\\b.safetensors", ".safetensors", "x.bin", ""]
    {
        let index = format!(r#"{{"weight_map": {{"wte": {shard:?}}}}}"#);
        let mut files = files_with(WEIGHTS, b"");
        files.push(("model.safetensors.index.json", index.into_bytes()));
        let bench = Bench::with(&files);
        let error = bench.fails();
        assert!(error.message.contains("cannot be used"), "{error}");
    }
}

#[test]
fn a_model_without_weights_says_which_it_needs() {
    let error = Bench::with(&files_with(WEIGHTS, b"")).fails();
    assert!(error.message.contains("has no model.safetensors") && error.hint.unwrap().contains("pytorch_model.bin"));
}

#[test]
fn pickled_weights_are_checked_like_others() {
    let pickled = files_with(WEIGHTS, b"").into_iter().chain([("pytorch_model.bin", weights())]).collect::<Vec<_>>();
    let blob = sha256(&weights());
    for (fault, says) in [(Fault::Corrupt, "the hash differs"), (Fault::Resize(5), "where 3145728 are announced")] {
        let bench = Bench::with(&pickled);
        bench.server.fault("GET", &blob, 99, fault);
        let error = bench.fails();
        assert!(error.message.contains(says) && error.message.contains("'pytorch_model.bin'"), "{error}");
        assert!(!bench.blob("pytorch_model.bin", &weights()).exists() && !bench.repository().join("refs").exists());
        bench.server.heal();
        assert!(fs::read(bench.get().unwrap().dir.join("pytorch_model.bin")).unwrap() == weights());
    }
    for shard in ["../../../outside.bin", "/etc/x.bin", ".bin", "x.safetensors", "x.py"] {
        let index = format!(r#"{{"weight_map": {{"wte": {shard:?}}}}}"#);
        let mut files = files_with(WEIGHTS, b"");
        files.push(("pytorch_model.bin.index.json", index.into_bytes()));
        let error = Bench::with(&files).fails();
        assert!(
            error.message.contains("pytorch_model.bin.index.json") && error.message.contains("cannot be used"),
            "{error}"
        );
    }
}

#[test]
fn another_kind_of_model_is_refused_before_its_weights_are_downloaded() {
    let bench = Bench::with(&files_with("config.json", br#"{"model_type": "llama"}"#));
    let error = bench.fails();
    assert!(error.message.contains("model_type 'llama', not 'gpt2'"), "{error}");
    assert_eq!(bench.server.count("HEAD", WEIGHTS), 0);
    assert!(Bench::with(&files_with("config.json", b"[")).fails().message.contains("config.json of model"));
}

#[test]
fn headers_of_the_server_cannot_lead_out_of_the_cache() {
    for (header, value) in [
        ("ETag", "\"../../../outside\"".to_owned()),
        ("ETag", "\"\"".to_owned()),
        ("ETag", git_sha1(b"x").to_uppercase()),
        ("X-Repo-Commit", "../../../../outside".to_owned()),
        ("X-Repo-Commit", String::new()),
    ] {
        let bench = Bench::new();
        bench.server.fault("HEAD", "config.json", 99, Fault::Header(header, value.clone()));
        let error = bench.fails();
        assert!(error.message.contains("does not say which commit"), "{header}: {value}: {error}");
        assert_eq!(fs::read_dir(bench.cache.path()).unwrap().count(), 0);
    }
    let bench = Bench::new();
    bench.server.fault("HEAD", WEIGHTS, 99, Fault::Header("X-Repo-Commit", OTHER_COMMIT.into()));
    assert!(bench.fails().message.contains("another commit"));
}

#[test]
fn a_configuration_of_absurd_size_is_not_downloaded() {
    let bench = Bench::new();
    bench.server.fault("HEAD", "config.json", 1, Fault::Header("X-Linked-Size", "200000000".into()));
    assert!(bench.fails().message.contains("has 200000000 bytes"));
    assert_eq!(bench.server.count("GET", ""), 0);
}

#[test]
fn what_is_no_id_is_refused_and_directories_are_pointed_at() {
    let long = "x".repeat(97);
    for id in ["", "/", "a/b/c", "../x", "a/..", ".hidden", "a--b", "a b", "é", "C:\\x", "a/", "-x", "a\n", &long] {
        let error = Name::new(id, None).unwrap_err();
        assert!(error.kind == Kind::Usage && error.hint.unwrap().contains("./name"), "{id}");
    }
    for revision in ["", "..", "a/../b", "/a", "a//b", "a b", ".git", "x\0", &"x".repeat(201)] {
        assert_eq!(Name::new(ID, Some(revision)).unwrap_err().kind, Kind::Usage, "{revision:?}");
    }
    assert_eq!(Name::parse("org/tiny@refs/pr/1").unwrap(), at("refs/pr/1"));
    assert_eq!(Name::parse(ID).unwrap(), at("main"));
}
