/** Where the bytes of an export go. */
export interface ByteTarget {
  /** Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Writes an export in one format. */
export interface ExportWriter<T> {
  write(part: T): Promise<void>;
  /** Writes what ends the format. */
  end(): Promise<void>;
}
