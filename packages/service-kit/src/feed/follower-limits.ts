const MIB = 1024 * 1024;

/** The bounds of a follower. None of them is a client's to meet: they bound memory and waits between our own services. */
export const FOLLOWER_LIMITS = {
  /** Frames handed to the sink in one call, in bytes and in number. One frame may be larger than the bytes. */
  applyBytesMax: 8 * MIB,
  applyFramesMax: 1_000,
  /** Bytes of frames read ahead of the sink before the socket is paused. */
  readAheadBytesMax: 8 * MIB,
  /** Wait between tries to reach core or to apply, doubled from the first to the second. */
  retryDelayMsMin: 100,
  retryDelayMsMax: 5_000,
  /** A connection without a byte for this many seconds is dead: core sends a head notice each second. */
  silentSecondsMax: 5,
  /** How long core may take to say its head. */
  headTimeoutMs: 5_000,
  /** Bytes of core's answer to a question that is no feed: a head, or a problem. */
  answerBytesMax: 16 * 1024,
  /** How often core is asked for its head while NATS is the source. */
  headCheckMs: 1_000,
  /** How long a frame that is known to exist may take to come by itself, before it is asked for. */
  lateFrameMs: 10,
  /** Frames from NATS that wait for a frame before them, in bytes and in number. Beyond it they are let go and read from core. */
  inboxBytesMax: 32 * MIB,
  inboxFramesMax: 10_000,
  /** How long one try to reach NATS may take. */
  natsConnectTimeoutMs: 2_000,
  /** How often the NATS server must answer a ping; after two unanswered ones the connection is given up. */
  natsPingMs: 5_000,
} as const;
