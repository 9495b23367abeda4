//! What every property test draws from: the same cases at every run, and no file left behind.
//!
//! Knows proptest and nothing of what is tested.
//! A test that drew fresh cases would find more over the years, and fail on the machine of somebody who only wanted to see
//! it pass; looking for new cases is what the fuzz targets are for.

use proptest::test_runner::{Config, RngAlgorithm, RngSeed};

/// `cases` cases from a fixed stream, whatever the environment says.
pub(crate) fn fixed(cases: u32) -> Config {
    Config {
        cases,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..Config::default()
    }
}

/// `proptest!` with [`fixed`] cases: 256 for each test, or as many as a first line `cases = N;` says.
macro_rules! properties {
    (cases = $cases:expr; $($tests:tt)*) => {
        proptest::proptest! { #![proptest_config($crate::properties::fixed($cases))] $($tests)* }
    };
    ($($tests:tt)*) => { $crate::properties::properties! { cases = 256; $($tests)* } };
}
pub(crate) use properties;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    static DRAWN: Mutex<Vec<u64>> = Mutex::new(vec![]);

    properties! {
        cases = 4;

        fn draws(number in any::<u64>()) {
            DRAWN.lock().unwrap().push(number);
        }
    }

    #[test]
    fn cases_are_the_same_at_every_run() {
        draws();
        let first = std::mem::take(&mut *DRAWN.lock().unwrap());
        draws();
        assert_eq!(first.len(), 4);
        assert_eq!(first, *DRAWN.lock().unwrap());
    }
}
