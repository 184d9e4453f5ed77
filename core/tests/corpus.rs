//! What the fuzzers have tried holds, without a fuzzer.

#[path = "../fuzz/fuzz_targets/property.rs"]
mod property;

use std::fs;
use std::path::Path;

#[test]
fn the_property_holds_for_every_input_of_the_corpora() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../unit_tests/fuzz/corpus");
    let mut tried = 0;
    for target in ["page", "blocks"] {
        for file in fs::read_dir(corpora.join(target)).unwrap() {
            let data = fs::read(file.unwrap().path()).unwrap();
            for choice in 0..3 {
                for size in [0, 6, 250] {
                    property::holds(&[&[choice, size], data.as_slice()].concat());
                    property::holds(&[&[choice, size], &data[data.len().min(2)..]].concat());
                    tried += 2;
                }
            }
        }
    }
    assert!(tried > 500);
}
