//! Protocol Buffers' wire format, written: numbers, and texts or messages of stated length.
//!
//! ONNX needs these two kinds of field and no more, which are thirty lines; a crate for it would bring a compiler of schemas.
//! <https://protobuf.dev/programming-guides/encoding/>

/// A message, field by field.
#[derive(Clone, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// Adds a number.
    pub(super) fn number(mut self, field: u32, x: u64) -> Self {
        self.varint(u64::from(field) << 3);
        self.varint(x);
        self
    }

    /// Adds a text, bytes, or a message.
    pub(super) fn bytes(mut self, field: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a field once for each item.
    pub(super) fn each(self, field: u32, items: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        items.into_iter().fold(self, |message, item| message.bytes(field, item))
    }

    /// Seven bits a byte, the lowest first; all but the last have the eighth.
    fn varint(&mut self, mut x: u64) {
        while x >= 0x80 {
            self.0.push(x as u8 | 0x80);
            x >>= 7;
        }
        self.0.push(x as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Message> for Vec<u8> {
    fn from(message: Message) -> Self {
        message.0
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn fields_are_those_of_the_encoding_guide() {
        // <https://protobuf.dev/programming-guides/encoding/>: `a: 150`, `b: "testing"`, `c: {a: 150}`.
        let number = Message::default().number(1, 150);
        assert_eq!(number.as_ref(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().bytes(2, "testing").as_ref(), b"\x12\x07testing");
        assert_eq!(Message::default().each(3, [number]).as_ref(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }
}
