//! What `attnviz attention` writes: every kind of file, the same numbers in all of them.
use crate::support::base::{BASE, N, TEXT, golden, near};
use crate::support::results::{attention, builtin, flat, floats, json, npz, png, svg, tensors};
use crate::support::shell::Shell;
use candle_core::IndexOp;
use serde_json::json;

#[test]
fn without_output_a_sheet_is_named_after_the_command_and_the_prompt() {
    let shell = Shell::new();
    let name = "attention-the-foxs-the-crow-builtin.png";
    let out = shell.says(&["-m", "builtin", "The Fox's, the crow!"]);
    assert_eq!(out, format!("{name}\n"));
    assert_eq!(shell.files(), [name]);
    let sheet = shell.read(name);
    let picture = png(&sheet);
    assert_eq!(picture.record["prompt"], "The Fox's, the crow!");
    assert!(picture.width > 400 && picture.height > 400 && picture.dpi == 96);

    let named = Shell::new();
    named.ok(&["attention", "-m", "builtin", "The Fox's, the crow!", "--quiet"]);
    assert_eq!(named.read(name), sheet);
    named.ok(&["-m", "builtin", "Zoë", "--format", "svg"]);
    assert_eq!(named.files(), [name, "attention-zo-builtin.svg"]);
}

#[test]
fn runs_that_ask_for_something_else_have_names_of_their_own() {
    let shell = Shell::new();
    let lines: [&[&str]; 9] = [
        &["The fox ran", "-m", BASE],
        &["The fox ran", "-m", "builtin"],
        &["The fox ran", "-m", "builtin", "--layer", "1"],
        &["The fox ran", "-m", "builtin", "--layer=-1"],
        &["The fox ran", "-m", "builtin", "--layer", "0,2"],
        &["The fox ran", "-m", "builtin", "--layer", "0-2"],
        &["The fox ran", "-m", "builtin", "--layer", "1", "--sink", "mask"],
        &["saliency", "The fox ran", "-m", "builtin", "--target", " her"],
        &["saliency", "The fox ran", "-m", "builtin", "--target", " the"],
    ];
    let names: Vec<String> = lines.iter().map(|line| shell.says(&[line, &["-q"][..]].concat())).collect();
    assert_eq!(shell.files().len(), lines.len(), "{names:?}");
    assert_eq!(names[2], "attention-the-fox-ran-builtin-layer-1.png\n");
    assert_eq!(names[6], "attention-the-fox-ran-builtin-layer-1-sink-mask.png\n");
    // Nothing that is said of a prediction gets out of its place.
    let odd = shell.says(&["saliency", "The fox", "-m", "builtin", "-q", "--title", "../../x\n{slug}/é"]);
    assert!(odd.starts_with("saliency-the-fox-builtin-title-x-slug-") && shell.path(odd.trim_end()).exists(), "{odd}");
}

#[test]
fn the_folder_of_a_template_is_made_and_that_of_a_plain_name_is_not() {
    let shell = Shell::new();
    shell.ok(&["The fox", "-m", "builtin", "-q", "--layer", "4", "-o", "new/{layer}/{head}.svg"]);
    assert_eq!(shell.files(), ["new"]);
    assert!(shell.path("new/4/0.svg").exists());
    let (message, hint) = shell.fails(1, &["The fox", "-m", "builtin", "-o", "typo/x.svg"]);
    assert!(message.contains("there is no folder typo") && hint.contains("mkdir -p typo"), "{message} {hint}");
    shell.write("file", "");
    shell.fails(1, &["The fox", "-m", "builtin", "-o", "file/{slug}.svg"]);
}

#[test]
fn a_target_without_its_space_is_doubted_where_the_other_is_likelier() {
    let shell = Shell::new();
    let said = |target: &str| shell.run(&["saliency", "The old king and his", "-m", "builtin", "--target", target]).err;
    let doubt = said("son");
    assert!(doubt.contains("--target \"·son\"") || doubt.contains("--target \" son\""), "{doubt}");
    assert!(doubt.contains('%'), "{doubt}");
    assert!(!said(" son").contains("likelier"));
    assert!(!said("her").contains("likelier"), "neither is likely");
}

#[test]
fn an_unset_model_is_the_one_of_the_environment_or_the_built_in_one_and_said() {
    let shell = Shell::new();
    let args = ["The ca", "-o", "a.svg"];
    let ran = shell.run(&args);
    assert!(ran.err.contains("built-in"), "{}", ran.err);
    ran.ok();
    assert!(svg(&shell.text("a.svg")).shows("built-in model"));
    let ran = crate::support::shell::ran(shell.attnviz(&args).env("ATTNVIZ_MODEL", BASE));
    assert!(!ran.err.contains("built-in"), "{}", ran.err);
    ran.ok();
    assert!(svg(&shell.text("a.svg")).shows("base"));
    let ran = crate::support::shell::ran(
        shell.attnviz(&["The ca", "-o", "a.svg", "-m", "builtin"]).env("ATTNVIZ_MODEL", BASE),
    );
    assert!(!ran.err.contains("built-in"), "{}", ran.err);
    assert!(svg(&shell.text("a.svg")).shows("builtin"));
}

#[test]
fn a_template_writes_one_file_for_each_head_and_never_two_of_one_name() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("heads")).unwrap();
    let out = shell.says(&["-m", "builtin", "The fox", "-o", "heads/{layer}-{head}.svg"]);
    let (layers, heads) = builtin();
    let expected: Vec<String> =
        (0..layers * heads).map(|at| format!("heads/{}-{}.svg", at / heads, at % heads)).collect();
    assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    assert_eq!(crate::support::shell::names(&shell.path("heads")).len(), layers * heads);
    assert!(svg(&shell.text("heads/4-3.svg")).shows("layer 4, head 3"));

    let shell = Shell::new();
    shell.ok(&[
        "-m",
        BASE,
        TEXT,
        "-o",
        "{slug}-{layer}.{head}.png",
        "-o",
        "{head}_{layer}.json",
        "-o",
        "{layer}{head}.npz",
    ]);
    assert_eq!(shell.files().len(), 12);
    assert_eq!(png(&shell.read("the-caf-is-in-zo-1.0.png")).record["prompt"], TEXT);
    let one = json(&shell.read("1_0.json"));
    assert_eq!((&one["results"][0]["layers"], &one["results"][0]["heads"]), (&json!([0]), &json!([1])));
    near(&attention(&one).1, &floats(&golden()["attention"].i((0, 1)).unwrap()), 1e-5);

    let shell = Shell::new();
    let (message, hint) = shell.fails(2, &["-m", BASE, TEXT, "-o", "only-{layer}.png"]);
    assert!(message.contains("only-0.png") && hint.contains("{head}"), "{message} {hint}");
    let (message, _) = shell.fails(2, &["-m", BASE, "the cat", "-o", "the-cat.png", "-o", "{slug}.png"]);
    assert!(message.contains("the-cat.png"), "{message}");
    assert!(shell.files().is_empty(), "{:?}", shell.files());
    shell.ok(&["-m", BASE, TEXT, "-o", "only-{layer}.png", "--reduce", "heads=mean"]);
    assert_eq!(shell.files(), ["only-0.png", "only-1.png"]);
    shell.ok(&["-m", BASE, TEXT, "-o", "{hash}.csv", "-o", "{{x}}.txt"]);
    assert_eq!(shell.files().len(), 4);
    assert!(shell.files().contains(&"{x}.txt".to_string()), "{:?}", shell.files());
}

#[test]
fn all_formats_hold_the_same_numbers_and_standard_output_the_same_bytes() {
    let shell = Shell::new();
    let formats = ["png", "svg", "txt", "json", "npz", "safetensors", "csv"];
    let mut args: Vec<String> = ["-m", BASE, TEXT].map(String::from).to_vec();
    args.extend(formats.iter().flat_map(|format| ["-o".to_string(), format!("a.{format}")]));
    let listing = shell.says(&args);
    assert_eq!(listing.lines().collect::<Vec<_>>(), formats.map(|format| format!("a.{format}")));
    for format in formats {
        let out = shell.ok(&["-m", BASE, TEXT, "-o", "-", "--format", format]);
        assert!(out == shell.read(&format!("a.{format}")), "{format} differs on standard output");
    }
    assert_eq!(shell.files().len(), formats.len());

    let golden = golden();
    let all = tensors(&shell.path("a.safetensors"));
    assert_eq!(all["attention"].dims(), [2, 2, N, N]);
    let values = floats(&all["attention"]);
    near(&values, &floats(&golden["attention"]), 1e-5);
    assert_eq!(all["token_ids"].to_vec1::<i64>().unwrap(), golden["ids"].to_vec1::<i64>().unwrap());
    let data = json(&shell.read("a.json"));
    assert_eq!(attention(&data), (vec![2, 2, N, N], values.clone()));
    assert_eq!(data["prompt"], TEXT);
    assert_eq!(
        flat(&data["token_ids"]),
        golden["ids"].to_vec1::<i64>().unwrap().iter().map(|id| *id as f32).collect::<Vec<_>>()
    );
    let trace = attnviz::export::read(&shell.path("a.npz")).unwrap();
    assert_eq!((trace.shape, &trace.attention), ([2, 2, N, N], &values));
    assert_eq!(trace.prompt.as_deref(), Some(TEXT));
    let arrays = npz(&shell.path("a.npz"));
    assert_eq!((arrays["attention"].dims(), floats(&arrays["attention"])), (&[2, 2, N, N][..], values.clone()));
    assert_eq!(arrays["token_ids"].to_vec1::<i64>().unwrap(), golden["ids"].to_vec1::<i64>().unwrap());
    let csv = shell.text("a.csv");
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("layer,head,query,query_token,key,key_token,attention"));
    let mut seen = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let at: Vec<usize> = [0, 1, 2, 4].iter().map(|cell| cells[*cell].parse().unwrap()).collect();
        assert_eq!(cells[6].parse::<f32>().unwrap(), values[((at[0] * 2 + at[1]) * N + at[2]) * N + at[3]]);
        seen += 1;
    }
    assert_eq!(seen, 4 * N * (N + 1) / 2);
    let record = svg(&shell.text("a.svg")).record;
    assert_eq!(record, png(&shell.read("a.png")).record);
    assert_eq!(record["model"]["hash"], data["model"]["hash"]);
    assert_eq!(record["token_ids"], data["token_ids"]);
}

#[test]
fn data_on_standard_output_stand_alone_beside_files() {
    let shell = Shell::new();
    let out = shell.ok(&["-m", BASE, TEXT, "-o", "a.csv", "-o", "-", "-o", "b.png", "--format", "json"]);
    assert_eq!(attention(&json(&out)).0, [2, 2, N, N]);
    assert_eq!(shell.files(), ["a.csv", "b.png"]);
}

#[test]
fn options_that_no_method_uses_are_said_to_change_nothing() {
    let shell = Shell::new();
    let said =
        |more: &[&str]| shell.run(&[&["saliency", "The king", "-m", "builtin", "-o", "s.csv"], more].concat()).err;
    let idle = said(&["--method", "gradient", "--seed", "9", "--samples", "3", "--steps", "9"]);
    for flag in ["--seed changes nothing", "--samples changes nothing", "--steps changes nothing"] {
        assert!(idle.contains(flag), "{idle}");
    }
    for used in [
        &["--method", "smoothgrad", "--seed", "9", "--samples", "3"][..],
        &["--method", "integrated-gradients", "--steps", "9"],
        &["--method", "gradient"],
    ] {
        assert!(!said(used).contains("changes nothing"), "{used:?}");
    }
}
