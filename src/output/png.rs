//! Pictures as PNG.

use crate::report::{Figure, ReportError};

pub(super) fn picture(figure: &Figure) -> Result<Vec<u8>, ReportError> {
    figure.png()
}
