/** Watches one direction of a WebSocket for data frames; pings and pongs keep a connection, not a sandbox, alive. */
export interface FrameWatch {
  readonly see: (chunk: Uint8Array) => void;
  /** Whether a data frame began, or more of one came, since this was last asked. */
  readonly takeSawData: () => boolean;
  /** Whether a frame of our own could follow what went by. */
  readonly atBoundary: () => boolean;
}

const firstControlOpcode = 8;

/** Reads frame headers only (RFC 6455 §5.2) and keeps nothing but the header it stands in. */
export function makeFrameWatch(): FrameWatch {
  const header = new Uint8Array(10);
  let have = 0;
  let payloadLeft = 0;
  let inData = false;
  let sawData = false;

  /** Bytes of the header from opcode through length, as far as the bytes so far tell. Mask bytes count as payload. */
  const headerLength = (): number => {
    if (have < 2) return 2;
    const length = (header[1] ?? 0) & 0x7f;
    return length === 126 ? 4 : length === 127 ? 10 : 2;
  };

  const endHeader = (size: number): void => {
    const second = header[1] ?? 0;
    let length = size === 2 ? second & 0x7f : 0;
    for (let index = 2; index < size; index += 1) length = length * 256 + (header[index] ?? 0);
    payloadLeft = length + (second & 0x80 ? 4 : 0);
    inData = ((header[0] ?? 0) & 0x0f) < firstControlOpcode;
    if (inData) sawData = true;
    have = 0;
  };

  return {
    see(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (payloadLeft > 0) {
          const step = Math.min(payloadLeft, chunk.length - at);
          payloadLeft -= step;
          at += step;
          if (inData) sawData = true;
          continue;
        }
        header[have] = chunk[at] ?? 0;
        have += 1;
        at += 1;
        const size = headerLength();
        if (have === size) endHeader(size);
      }
    },
    atBoundary: () => payloadLeft === 0 && have === 0,
    takeSawData() {
      const saw = sawData;
      sawData = false;
      return saw;
    },
  };
}
