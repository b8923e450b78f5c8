/**
 * A text as a whole WebSocket message, as a server sends it: one frame, final, not masked, not compressed (RFC 6455, section 5.2). The bytes are the same for every subscriber, so
 * they are made once and written to all sockets.
 */
const FINAL_TEXT = 0x81;
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;
const IN_2_BYTES_MAX = 0xffff;

/** The bytes of a text message. */
export function textMessage(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headBytes = length < LENGTH_IN_2_BYTES ? 2 : length <= IN_2_BYTES_MAX ? 4 : 10;
  const message = Buffer.allocUnsafe(headBytes + length);
  message[0] = FINAL_TEXT;
  if (headBytes === 2) message[1] = length;
  else if (headBytes === 4) {
    message[1] = LENGTH_IN_2_BYTES;
    message.writeUInt16BE(length, 2);
  } else {
    message[1] = LENGTH_IN_8_BYTES;
    message.writeBigUInt64BE(BigInt(length), 2);
  }
  message.write(text, headBytes, 'utf8');
  return message;
}
