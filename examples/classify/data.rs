//! Labelled images from files: the idx format of MNIST and Fashion-MNIST, the binary format of CIFAR.
//!
//! Knows formats and folders; it does not know what the images are for.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The data sets, each in a folder of its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Set {
    /// Handwritten digits (LeCun et al. 1998), 28 × 28.
    Mnist,
    /// Clothes (Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747), 28 × 28.
    FashionMnist,
    /// Ten kinds of things (Krizhevsky 2009), 32 × 32 in three colours.
    #[serde(rename = "cifar-10")]
    Cifar10,
    /// A hundred kinds of things (Krizhevsky 2009), 32 × 32 in three colours.
    #[serde(rename = "cifar-100")]
    Cifar100,
}

impl Set {
    /// As written in configurations, and the name of its folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar-10",
            Self::Cifar100 => "cifar-100",
        }
    }

    /// Reads it from its folder in `data`.
    ///
    /// # Errors
    ///
    /// If a file is missing or torn.
    pub(crate) fn read(self, data: &Path) -> Result<DataSet, DataError> {
        let folder = data.join(self.name());
        let idx = |part: &str| {
            let images = folder.join(format!("{part}-images-idx3-ubyte"));
            read_idx(&images, &folder.join(format!("{part}-labels-idx1-ubyte")), 10)
        };
        let cifar = |names: &[&str], labels, classes| {
            let parts = names.iter().map(|name| read_cifar(&folder.join(name), labels, classes));
            parts.reduce(|all, part| Ok(all?.followed_by(part?))).expect("there are names")
        };
        let (classes, train, test) = match self {
            Self::Mnist | Self::FashionMnist => (10, idx("train")?, idx("t10k")?),
            Self::Cifar10 => {
                let names = [1, 2, 3, 4, 5].map(|i| format!("data_batch_{i}.bin"));
                let train = cifar(&names.each_ref().map(String::as_str), 1, 10)?;
                (10, train, cifar(&["test_batch.bin"], 1, 10)?)
            }
            Self::Cifar100 => (100, cifar(&["train.bin"], 2, 100)?, cifar(&["test.bin"], 2, 100)?),
        };
        if train.pixels != test.pixels {
            let reason = format!("images to test have {} pixels, not {}", test.pixels, train.pixels);
            return Err(DataError::Torn { path: folder, reason });
        }
        Ok(DataSet { classes, train, test })
    }
}

/// Images to train with and to test with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DataSet {
    /// How many kinds there are.
    pub(crate) classes: usize,
    /// To train with.
    pub(crate) train: Images,
    /// To test with.
    pub(crate) test: Images,
}

/// Images of one size, and what they show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Images {
    /// Numbers of one image.
    pub(crate) pixels: usize,
    /// Image after image.
    pub(crate) values: Vec<u8>,
    /// The class of every image.
    pub(crate) labels: Vec<u8>,
}

impl Images {
    fn followed_by(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self.labels.extend(other.labels);
        self
    }

    /// With labels that are below `classes`; what is wrong otherwise, for a message about `path`.
    fn checked(self, classes: usize, path: &Path) -> Result<Self, DataError> {
        match self.labels.iter().position(|&label| usize::from(label) >= classes) {
            Some(i) => Err(DataError::torn(path, format!("label {} of image {i}", self.labels[i]))),
            None if self.labels.is_empty() => Err(DataError::torn(path, "no images")),
            None => Ok(self),
        }
    }
}

/// Why there are no data.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// A file does not read.
    #[error(
        "cannot read {path}: {source}; scripts/datasets.sh brings MNIST and Fashion-MNIST, --data names the folder"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is damaged: {reason}; remove it and run scripts/datasets.sh again")]
    Torn {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl DataError {
    fn torn(path: &Path, reason: impl Into<String>) -> Self {
        Self::Torn { path: path.to_owned(), reason: reason.into() }
    }
}

/// Images and labels in the idx format: big-endian, a magic number, the lengths of all axes, then bytes.
pub(crate) fn read_idx(images: &Path, labels: &Path, classes: usize) -> Result<Images, DataError> {
    let (lengths, values) = read_axes::<3>(images)?;
    let ([count], labels_read) = read_axes::<1>(labels)?;
    if count != lengths[0] {
        return Err(DataError::torn(labels, format!("{count} labels for {} images", lengths[0])));
    }
    Images { pixels: lengths[1] * lengths[2], values, labels: labels_read }.checked(classes, labels)
}

/// The lengths of the `N` axes of an idx file of bytes, and its bytes.
fn read_axes<const N: usize>(path: &Path) -> Result<([usize; N], Vec<u8>), DataError> {
    let mut bytes = read(path)?;
    let number = |i: usize| Some(u32::from_be_bytes(bytes.get(4 * i..4 * i + 4)?.try_into().ok()?));
    // Two zeros, 8 for unsigned bytes, the number of axes.
    if number(0) != Some(0x800 + N as u32) {
        return Err(DataError::torn(path, format!("it is no idx file of bytes with {N} axes")));
    }
    let mut lengths = [0; N];
    for (i, length) in lengths.iter_mut().enumerate() {
        *length = number(i + 1).map_or(0, |length| length as usize);
    }
    let header = 4 * (N + 1);
    let expected = lengths.iter().try_fold(1_usize, |all, &length| all.checked_mul(length));
    let found = bytes.len().saturating_sub(header);
    if expected != Some(found) {
        let axes = lengths.map(|length| length.to_string()).join(" × ");
        return Err(DataError::torn(path, format!("{found} bytes where its header promises {axes}")));
    }
    Ok((lengths, bytes.split_off(header)))
}

/// Images in CIFAR's binary format: for each its labels, a byte each and the finest last, then 3 × 32 × 32 bytes.
pub(crate) fn read_cifar(path: &Path, labels: usize, classes: usize) -> Result<Images, DataError> {
    const PIXELS: usize = 3 * 32 * 32;
    let bytes = read(path)?;
    let record = labels + PIXELS;
    if bytes.len() % record != 0 {
        let reason = format!("{} bytes are no whole number of records of {record}", bytes.len());
        return Err(DataError::torn(path, reason));
    }
    let records = || bytes.chunks_exact(record);
    let values = records().flat_map(|record| &record[labels..]).copied().collect();
    let finest = records().map(|record| record[labels - 1]).collect();
    Images { pixels: PIXELS, values, labels: finest }.checked(classes, path)
}

fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idx(lengths: &[u32], bytes: &[u8]) -> Vec<u8> {
        let magic = 0x800 + lengths.len() as u32;
        let header = [magic].into_iter().chain(lengths.iter().copied()).flat_map(u32::to_be_bytes);
        header.chain(bytes.iter().copied()).collect()
    }

    /// A folder with the four files of a data set of 2 × 2 pixels, three to train with and one to test with.
    fn small_mnist() -> tempfile::TempDir {
        let data = tempfile::tempdir().expect("a folder");
        let folder = data.path().join("mnist");
        std::fs::create_dir(&folder).expect("made");
        let write =
            |name: &str, content: Vec<u8>| std::fs::write(folder.join(name), content).expect("written");
        write("train-images-idx3-ubyte", idx(&[3, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]));
        write("train-labels-idx1-ubyte", idx(&[3], &[7, 0, 9]));
        write("t10k-images-idx3-ubyte", idx(&[1, 2, 2], &[9, 8, 7, 6]));
        write("t10k-labels-idx1-ubyte", idx(&[1], &[4]));
        data
    }

    #[test]
    fn idx_files_are_read() {
        let data = small_mnist();
        let set = Set::Mnist.read(data.path()).expect("whole");
        let train =
            Images { pixels: 4, values: vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255], labels: vec![7, 0, 9] };
        let test = Images { pixels: 4, values: vec![9, 8, 7, 6], labels: vec![4] };
        assert_eq!(set, DataSet { classes: 10, train, test });
    }

    #[test]
    fn files_that_are_missing_or_torn_are_named_with_the_reason() {
        let check = |name: &str, content: Option<Vec<u8>>, expected: &str| {
            let data = small_mnist();
            let path = data.path().join("mnist").join(name);
            match content {
                Some(content) => std::fs::write(&path, content).expect("written"),
                None => std::fs::remove_file(&path).expect("removed"),
            }
            let message = Set::Mnist.read(data.path()).expect_err(expected).to_string();
            assert!(message.contains(name) && message.contains(expected), "{message}");
            assert!(message.contains("scripts/datasets.sh"), "no advice in {message}");
        };
        let images = "train-images-idx3-ubyte";
        let labels = "train-labels-idx1-ubyte";
        check(images, None, "cannot read");
        check(images, Some(vec![]), "no idx file of bytes with 3 axes");
        check(images, Some(idx(&[3], &[1, 2, 3])), "no idx file of bytes with 3 axes");
        check(images, Some(idx(&[3, 2, 2], &[1; 11])), "11 bytes where its header promises 3 × 2 × 2");
        check(images, Some(idx(&[u32::MAX; 3], &[])), "0 bytes where its header promises");
        check(labels, Some(idx(&[2], &[1, 2])), "2 labels for 3 images");
        check(labels, Some(idx(&[3], &[1, 10, 2])), "label 10 of image 1");
        check(labels, Some(idx(&[0], &[])), "0 labels for 3 images");
    }

    #[test]
    fn cifar_files_are_read_and_the_finest_label_counts() {
        let data = tempfile::tempdir().expect("a folder");
        let record = |labels: &[u8], first: u8| {
            let mut record = labels.to_vec();
            record.extend((0..3072_u32).map(|i| first.wrapping_add(i as u8)));
            record
        };
        let write = |name: &str, content: &[u8]| {
            let path = data.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, content).expect("written");
        };
        for i in 1..=5 {
            write(&format!("cifar-10/data_batch_{i}.bin"), &record(&[i], 10 * i));
        }
        write("cifar-10/test_batch.bin", &[record(&[9], 1), record(&[0], 2)].concat());
        let ten = Set::Cifar10.read(data.path()).expect("whole");
        assert_eq!((ten.classes, ten.train.pixels), (10, 3072));
        assert_eq!((ten.train.labels, ten.test.labels), (vec![1, 2, 3, 4, 5], vec![9, 0]));
        assert_eq!(ten.train.values.len(), 5 * 3072);
        assert_eq!((ten.train.values[3072], ten.train.values[3072 + 7]), (20, 27));

        write("cifar-100/train.bin", &record(&[3, 99], 0));
        write("cifar-100/test.bin", &record(&[3, 98], 0));
        let hundred = Set::Cifar100.read(data.path()).expect("whole");
        assert_eq!((hundred.classes, hundred.train.labels, hundred.test.labels), (100, vec![99], vec![98]));

        write("cifar-100/test.bin", &record(&[3, 98], 0)[1..]);
        let message = Set::Cifar100.read(data.path()).expect_err("torn").to_string();
        assert!(message.contains("test.bin") && message.contains("3073 bytes"), "{message}");
        write("cifar-10/data_batch_5.bin", &record(&[10], 0));
        let message = Set::Cifar10.read(data.path()).expect_err("no such class").to_string();
        assert!(message.contains("data_batch_5.bin") && message.contains("label 10 of image 0"), "{message}");
    }
}
