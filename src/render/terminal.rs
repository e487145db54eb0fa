//! A preview for terminals (placeholder).
/// c
#[derive(Clone, Copy)]
pub enum Colour {
    /// t
    True,
}
/// o
pub struct Terminal {
    /// w
    pub width: usize,
    /// c
    pub colour: Colour,
}
/// t
pub fn terminal(_f: &crate::figure::Figure, _o: &Terminal) -> String {
    String::new()
}
