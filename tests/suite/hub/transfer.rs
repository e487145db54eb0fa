//! What may happen to bytes on their way.
use super::*;
use crate::support::hub::SILENCE;

#[test]
fn a_connection_that_is_cut_is_resumed_where_it_stopped() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 2, Fault::Cut(1 << 20));
    let mut retries = 0;
    let count = &mut |event: Event<'_>| retries += u32::from(matches!(event, Event::Retrying { file: WEIGHTS, .. }));
    bench.assert_whole(&bench.hub().snapshot(&name(ID), count).unwrap());
    assert_eq!(retries, 2);
    let ranges = [None, Some("bytes=1048576-".to_owned()), Some("bytes=2097152-".to_owned())];
    assert_eq!(bench.ranges(), ranges);
}

#[test]
fn a_connection_that_is_always_cut_is_given_up_and_resumed_by_the_next_command() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 99, Fault::Cut(1000));
    let error = bench.fails();
    assert!(error.message.contains("'model.safetensors'") && error.message.contains("broke off"), "{error}");
    assert_eq!(fs::metadata(bench.incomplete()).unwrap().len(), 4000);
    bench.assert_no_weights();
    bench.server.heal();
    let mut present = 0;
    let snapshot = bench.hub().snapshot(&name(ID), &mut |event| {
        if let Event::Announce { present: announced, .. } = event {
            present = announced;
        }
    });
    bench.assert_whole(&snapshot.unwrap());
    assert_eq!(present, 4000);
    assert_eq!(bench.ranges().last().unwrap().as_deref(), Some("bytes=4000-"));
}

#[test]
fn a_server_that_cannot_resume_is_asked_for_the_whole_file() {
    for fault in [Fault::IgnoreRange, Fault::OtherRange, Fault::Status(416, vec![])] {
        let bench = Bench::new();
        bench.interrupted_with(&weights()[..100_000]);
        bench.server.fault("GET", &sha256(&weights()), 1, fault);
        bench.assert_whole(&bench.get().unwrap());
    }
}

#[test]
fn what_an_interrupted_download_left_behind_is_used_if_it_is_right() {
    let bench = Bench::new();
    bench.interrupted_with(&weights()[..WEIGHTS_LEN - 10]);
    bench.assert_whole(&bench.get().unwrap());
    assert_eq!(bench.ranges(), [Some(format!("bytes={}-", WEIGHTS_LEN - 10))]);

    let bench = Bench::new();
    bench.interrupted_with(&weights());
    bench.assert_whole(&bench.get().unwrap());
    assert_eq!(bench.ranges(), []);
}

#[test]
fn what_an_interrupted_download_left_behind_is_replaced_if_it_is_wrong() {
    for wrong in [vec![7; 100_000], vec![7; WEIGHTS_LEN], vec![7; WEIGHTS_LEN + 1]] {
        let bench = Bench::new();
        bench.interrupted_with(&wrong);
        bench.assert_whole(&bench.get().unwrap());
        assert_eq!(bench.ranges().last(), Some(&None));
    }
}

#[test]
fn a_stalled_download_ends_within_its_limit_and_can_be_resumed() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 1, Fault::Stall(500_000));
    let start = Instant::now();
    let error = bench.fails();
    assert!(
        error.message.contains("stopped answering") && error.hint.unwrap().contains("goes on"),
        "{}",
        error.message
    );
    assert!(start.elapsed() < SILENCE, "the server hung up, not the client");
    assert_eq!(fs::metadata(bench.incomplete()).unwrap().len(), 500_000);
    bench.assert_whole(&bench.get().unwrap());
}

#[test]
fn a_slow_download_is_not_a_stalled_one() {
    let small = b"slow weights".to_vec();
    let bench = Bench::with(&files_with(WEIGHTS, &small));
    bench.server.fault("GET", &sha256(&small), 1, Fault::Drip(2, Duration::from_millis(300)));
    let start = Instant::now();
    assert_eq!(fs::read(bench.get().unwrap().dir.join(WEIGHTS)).unwrap(), small);
    assert!(start.elapsed() > limits().stall);
}

#[test]
fn a_download_that_only_drips_has_a_lowest_rate_and_can_be_resumed() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 1, Fault::Drip(1, Duration::from_millis(300)));
    let start = Instant::now();
    let error = bench.fails();
    assert!(error.message.contains("less than 1 KiB a second"), "{}", error.message);
    assert!(error.hint.unwrap().contains("goes on") && start.elapsed() < 10 * limits().stall);
    bench.assert_whole(&bench.get().unwrap());
}

#[test]
fn wrong_bytes_never_get_a_name() {
    for (fault, message) in [
        (Fault::Corrupt, "the hash differs"),
        (Fault::Resize(5), "where 3145728 are announced"),
        (Fault::Resize(-5), "where 3145728 are announced"),
    ] {
        let bench = Bench::new();
        bench.server.fault("GET", &sha256(&weights()), 99, fault);
        let error = bench.fails();
        assert!(error.message.contains(message), "{error}");
        bench.assert_no_weights();
        assert!(!bench.incomplete().exists());
        bench.server.heal();
        bench.assert_whole(&bench.get().unwrap());
    }
}

#[test]
fn a_server_that_does_not_say_how_much_it_sends_is_held_to_what_was_announced() {
    let bench = Bench::new();
    bench.server.fault("HEAD", "config.json", 1, Fault::Unsized);
    bench.server.fault("GET", "config.json", 1, Fault::Unsized);
    bench.server.fault("GET", &sha256(&weights()), 1, Fault::Unsized);
    bench.assert_whole(&bench.get().unwrap());

    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 99, Fault::Endless);
    let error = bench.fails();
    assert!(error.message.contains("where 3145728 are announced"), "{error}");
    assert!(!bench.incomplete().exists());
}

#[test]
fn small_files_are_checked_as_well() {
    let bench = Bench::new();
    bench.server.fault("GET", "tokenizer.json", 99, Fault::Corrupt);
    let error = bench.fails();
    assert!(error.message.contains("'tokenizer.json'") && error.message.contains("the hash differs"), "{error}");
}

#[test]
fn a_busy_server_is_asked_again() {
    let bench = Bench::new();
    let later = vec![("Retry-After", "60".to_owned())];
    bench.server.fault("HEAD", "config.json", 2, Fault::Status(429, later));
    bench.server.fault("GET", &sha256(&weights()), 3, Fault::Status(503, vec![]));
    bench.assert_whole(&bench.get().unwrap());
}

#[test]
fn a_server_that_stays_busy_is_given_up() {
    for (status, message) in [(429, "too many requests"), (500, "cannot answer at the moment (500)")] {
        let bench = Bench::new();
        bench.server.fault("HEAD", "config.json", 99, Fault::Status(status, vec![]));
        let error = bench.fails();
        assert!(error.message.contains(message) && error.kind == Kind::Unreachable, "{error}");
        assert_eq!(bench.server.requests().len(), 4);
    }
}

#[test]
fn a_hub_out_of_reach_is_noticed_in_time() {
    let bench = Bench::new();
    // A port that nobody listens on, a name that nobody has, an address that is none, a server that never shakes hands.
    let mute = bench.server.address.replace("http", "https");
    for endpoint in ["http://127.0.0.1:1", "http://no-such-host.invalid", "http://0.0.0.0:0", &mute] {
        let start = Instant::now();
        let hub = bench.hub_with(&[("HF_ENDPOINT", endpoint)], Options::default());
        let error = hub.snapshot(&name(ID), &mut |_| ()).unwrap_err();
        assert!(error.kind == Kind::Unreachable && error.message.contains("out of reach"), "{endpoint}: {error:?}");
        assert!(start.elapsed() < SILENCE, "{endpoint}: {:?}", start.elapsed());
    }
}

#[test]
fn a_hub_that_never_answers_is_out_of_reach() {
    let bench = Bench::new();
    bench.server.fault("HEAD", "config.json", 1, Fault::Silence);
    let start = Instant::now();
    assert_eq!(bench.fails().kind, Kind::Unreachable);
    assert!(start.elapsed() < SILENCE, "the server hung up, not the client");
}

#[test]
fn two_downloads_at_once_share_the_work() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 1, Fault::Drip(WEIGHTS_LEN / 4, Duration::from_millis(100)));
    let waited = thread::scope(|scope| {
        let download = || {
            let mut waited = false;
            let see = &mut |event: Event<'_>| waited |= matches!(event, Event::Waiting { file: WEIGHTS });
            bench.assert_whole(&bench.hub().snapshot(&name(ID), see).unwrap());
            waited
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(download)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|waited| *waited).count()
    });
    assert_eq!(waited, 3);
    assert_eq!(bench.server.count("GET", &sha256(&weights())), 1);
}

#[cfg(unix)]
#[cfg_attr(not(target_os = "linux"), ignore = "needs /dev/full")]
#[test]
fn a_full_disk_is_named() {
    let bench = Bench::new();
    fs::create_dir_all(bench.incomplete().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", bench.incomplete()).unwrap();
    let error = bench.fails();
    assert!(error.message.contains("No space left") && error.message.contains("models--org--tiny"), "{error}");
    assert!(error.hint.unwrap().contains("free some space"));
    bench.assert_no_weights();
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let bench = Bench::new();
    let file = bench.cache.path().join("file");
    fs::write(&file, "").unwrap();
    let hub = bench.hub_with(&[("HF_HUB_CACHE", file.to_str().unwrap())], Options::default());
    let error = hub.snapshot(&name(ID), &mut |_| ()).unwrap_err();
    assert!(error.message.contains(file.to_str().unwrap()) && error.hint.unwrap().contains("HF_HUB_CACHE"));
}
