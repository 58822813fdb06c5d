/** Memory for packets of bulk data, used again. Owns: the slots. Does not: encrypt (transport.ts). */

/** Memory for one packet of bulk data (35 000 bytes at most, and its tag). Small ones are not worth keeping. */
const SLOT_BYTES = 36 * 1024;
const SMALL_PACKET_BYTES = 8 * 1024;
/** Slots that are kept for the next packet, by all connections of the process. */
const MAX_SPARE_SLOTS = 64;

const spares: Buffer[] = [];
/** By their memory: a packet that is never sent takes its slot along. */
const slots = new WeakMap<ArrayBufferLike, Buffer>();

/**
 * Memory for a packet of this size, used again once `packetSent` says that it has left: every 32 KiB of it would bring the
 * next collection of garbage nearer, and those cost by the size of the whole heap.
 */
export function packetMemory(size: number): Buffer {
  if (size < SMALL_PACKET_BYTES || size > SLOT_BYTES) return Buffer.allocUnsafe(size);
  const slot = spares.pop() ?? Buffer.allocUnsafeSlow(SLOT_BYTES);
  slots.set(slot.buffer, slot);
  return slot.subarray(0, size);
}

/** What to call when the packet has left; undefined for memory that is nobody's. */
export function packetSent(packet: Uint8Array): (() => void) | undefined {
  const slot = slots.get(packet.buffer);
  if (!slot) return undefined;
  slots.delete(packet.buffer);
  return () => {
    if (spares.length < MAX_SPARE_SLOTS) spares.push(slot);
  };
}
