import { crc32, deflateRawSync } from "node:zlib";

/** 1980-01-01, the first day a zip can name: the same bytes make the same archive. */
const dosDate = 0x21;

/** A zip archive of one file, deflated as far as zlib goes: what Lambda's size limits and downloads count. */
export function zip(name: string, content: Buffer): Buffer {
  const packed = deflateRawSync(content, { level: 9 });
  const nameBytes = Buffer.from(name);
  // Fields that the entry and the directory share: versions, flags, method, time, date, checksum, sizes, name length.
  const shared = Buffer.alloc(26);
  shared.writeUInt16LE(20, 0);
  shared.writeUInt16LE(8, 4);
  shared.writeUInt16LE(dosDate, 8);
  shared.writeUInt32LE(crc32(content), 10);
  shared.writeUInt32LE(packed.length, 14);
  shared.writeUInt32LE(content.length, 18);
  shared.writeUInt16LE(nameBytes.length, 22);
  const entry = Buffer.concat([Buffer.from("PK\x03\x04"), shared, nameBytes, packed]);
  // Made by version 2.0; comment, disk, attributes and offset of the only entry are zero.
  const directory = Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), shared, Buffer.alloc(14), nameBytes]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(entry.length, 12);
  return Buffer.concat([entry, directory, Buffer.from("PK\x05\x06"), end]);
}
