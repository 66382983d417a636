/**
 * A new id as text: 36 characters, never the same twice, and in the order of
 * time, so that rows which are made together lie together. It is a UUID of
 * version 7 (RFC 9562, section 5.7) whose 12 bits behind the time count on
 * within a millisecond.
 */
export function id(): string {
  const now = Date.now();
  if (now > last) {
    last = now;
    count = crypto.getRandomValues(new Uint16Array(1))[0]! & 0x7ff;
  } else if (++count > 0xfff) {
    last++; // borrowed from the future: order counts more than a millisecond
    count = 0;
  }
  const rest = crypto.getRandomValues(new Uint32Array(2));
  const time = last.toString(16).padStart(12, "0");
  const variant = ((rest[0]! >>> 2) | 0x80000000) >>> 0;
  const tail = variant.toString(16).padStart(8, "0") + rest[1]!.toString(16).padStart(8, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count.toString(16).padStart(3, "0")}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}

let last = 0;
let count = 0;
