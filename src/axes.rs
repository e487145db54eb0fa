//! Axes of arrays that lie row-major: how many numbers there are, and where each one is.

/// The product of the axes, unless it overflows.
pub(crate) fn size(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |size, &axis| size.checked_mul(axis))
}

/// Where the number of an index is in axes of these lengths, the last axis fastest: one index for each.
pub(crate) fn place(mut index: usize, shape: &[usize]) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    for (at, axis) in place.iter_mut().zip(shape).rev() {
        let axis = (*axis).max(1); // of an empty array every place is the first
        (*at, index) = (index % axis, index / axis);
    }
    place
}
