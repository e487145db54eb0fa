use super::*;
use crate::analysis::attribution::Dice;
use crate::analysis::proportion::mean_of_few;

const D: usize = 8;
const CLASSES: usize = 3;

/// Noise, `[example, D]`.
fn noise(examples: usize, seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed, 9);
    (0..examples * D).map(|_| dice.normal() as f32).collect()
}

/// The same with a direction of its own for each type of word.
fn embedded(types: &[usize], seed: u64) -> Vec<f32> {
    let directions = noise(types.iter().max().unwrap() + 1, seed + 100);
    let mut x = noise(types.len(), seed);
    x.chunks_mut(D).zip(types).for_each(|(row, own)| {
        row.iter_mut().zip(&directions[own * D..]).for_each(|(x, own)| *x = 0.1 * *x + own);
    });
    x
}

fn drawn(examples: usize, below: usize, seed: u64) -> Vec<usize> {
    let mut dice = Dice::new(seed, 10);
    (0..examples).map(|_| dice.below(below)).collect()
}

#[test]
fn a_label_is_found_from_the_site_on_that_it_is_written_to() {
    let (n, labels) = (400, drawn(400, CLASSES, 1));
    let parts = split(n, 0);
    for site in 0..5 {
        let mut x = noise(n, site);
        if site >= 2 {
            // Written once, the residual stream carries it on.
            x.chunks_mut(D).zip(&labels).for_each(|(row, label)| row[*label] += 6.0);
        }
        let score = probe(&x, D, &labels, &parts).unwrap();
        match site >= 2 {
            true => assert!(score.test > 0.97, "{site}: {score:?}"),
            false => assert!(score.test < 0.5, "{site}: {score:?}"),
        }
    }
}

/// Test accuracy of the task minus that of the control task, and both scores, for each seed.
fn selectivities(x: &[f32], types: &[usize], labels: &[usize], seeds: u64) -> Vec<(f64, [Score; 2])> {
    let one = |seed: u64| {
        let parts = split(labels.len(), seed);
        let score = |labels: &[usize]| probe(x, D, labels, &parts).unwrap();
        let both = [score(labels), score(&control(types, labels, seed))];
        (both[0].test - both[1].test, both)
    };
    (0..seeds).map(one).collect()
}

#[test]
fn random_labels_of_types_have_no_selectivity() {
    let types = drawn(600, 12, 2);
    let labels = control(&types, &drawn(600, CLASSES, 3), 77);
    let found: Vec<f64> = selectivities(&embedded(&types, 4), &types, &labels, 6).iter().map(|(gap, _)| *gap).collect();
    let (_, [low, high]) = mean_of_few(&found);
    assert!(low <= 0.0 && high >= 0.0, "{found:?}");
}

#[test]
fn a_control_task_is_memorised_where_a_task_of_word_identity_is() {
    let types = drawn(600, 6, 5);
    for (gap, [task, control]) in selectivities(&embedded(&types, 6), &types, &types, 3) {
        assert!(task.train > 0.99 && control.train > 0.9 && control.test > 0.9, "{task:?} {control:?}");
        assert!(gap.abs() < 0.1, "{gap}");
    }
}

#[test]
fn a_control_task_is_not_memorised_where_every_type_is_new() {
    let labels = drawn(300, CLASSES, 7);
    let mut x = noise(300, 8);
    x.chunks_mut(D).zip(&labels).for_each(|(row, label)| row[*label] += 6.0);
    for (gap, [task, control]) in selectivities(&x, &(0..300).collect::<Vec<_>>(), &labels, 3) {
        assert!(task.test > 0.95 && control.test < 0.6 && gap > 0.3, "{task:?} {control:?}");
    }
}

#[test]
fn labels_that_train_lacks_are_wrong_and_one_label_is_always_said() {
    let x = noise(6, 1);
    let parts = [Part::Train, Part::Train, Part::Train, Part::Dev, Part::Test, Part::Test];
    let score = probe(&x, D, &[0, 0, 0, 0, 0, 2], &parts).unwrap();
    assert_eq!((score.train, score.dev, score.test), (1.0, 1.0, 0.5));
}

#[test]
fn a_split_has_a_fifth_of_the_items_on_each_side_and_depends_on_its_seed() {
    let parts = split(101, 3);
    let count = |part: Part| parts.iter().filter(|own| **own == part).count();
    assert_eq!([Part::Train, Part::Dev, Part::Test].map(count), [61, 20, 20]);
    assert!(parts == split(101, 3) && parts != split(101, 4));
    assert_eq!(split(3, 0).iter().filter(|part| **part == Part::Train).count(), 1);
}
